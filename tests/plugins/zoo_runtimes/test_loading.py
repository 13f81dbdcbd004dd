"""What is refused, why, and that nothing of an untrusted folder ever runs."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zoo.errors import CheckpointError, InputError, OutOfMemoryError
from zoo.types.model import ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes import devices

IMAGE = RuntimeOptions(extras={"modality": "image"})


@pytest.fixture
def broken(tiny_checkpoint, broken_copy):
    return broken_copy(tiny_checkpoint("vit"))


def weights(checkpoint):
    return Path(checkpoint.folder) / "model.safetensors"


def change_config(checkpoint, **changes):
    path = Path(checkpoint.folder) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refused(runtime, checkpoint, options=IMAGE):
    with pytest.raises(CheckpointError) as error:
        runtime.open(checkpoint, options)
    message = error.value.message
    assert checkpoint.model in message
    assert "\n" not in message
    assert message.endswith(".")
    assert error.value.hint
    return error.value


def test_truncated_weights_are_explained(runtime, broken):
    data = weights(broken).read_bytes()
    weights(broken).write_bytes(data[: len(data) // 2])
    error = refused(runtime, broken)
    assert "weights cannot be loaded" in error.message
    assert "zoo models pull ./broken" in error.hint


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"\x05\x00\x00\x00\x00\x00\x00\x00hello"])
def test_weights_that_are_no_safetensors_are_explained(data, runtime, broken):
    weights(broken).write_bytes(data)
    assert "model.safetensors is damaged" in refused(runtime, broken).message


def test_pickled_weights_are_refused_and_not_read(runtime, broken, tmp_path):
    class Payload:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    weights(broken).unlink()
    torch.save({"weight": Payload()}, Path(broken.folder) / "pytorch_model.bin")
    error = refused(runtime, broken)
    assert "no safetensors weights" in error.message
    assert not (tmp_path / "ran").exists()


def test_remote_code_is_refused_and_does_not_run(runtime, broken, tmp_path):
    folder = Path(broken.folder)
    for name in ("configuration_own", "modeling_own"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    own = {"AutoConfig": "configuration_own.C", "AutoModel": "modeling_own.M"}
    change_config(broken, model_type="own", architectures=["Own"], auto_map=own)
    error = refused(runtime, broken)
    assert "wants to run its own code" in error.message
    assert "--trust-remote-code ./broken" in error.hint
    assert not (tmp_path / "ran").exists()


def test_code_beside_a_known_architecture_does_not_run(runtime, broken, tmp_path):
    folder = Path(broken.folder)
    (folder / "modeling_own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    change_config(broken, auto_map={"AutoModelForImageClassification": "modeling_own.M"})
    runtime.open(broken, IMAGE).close()
    assert not (tmp_path / "ran").exists()


def test_trusted_code_runs(runtime, broken, monkeypatch, tmp_path):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "m"))
    folder = Path(broken.folder)
    (folder / "configuration_own.py").write_text(
        "from transformers import ViTConfig\n"
        "class OwnConfig(ViTConfig):\n    model_type = 'zoo_own'\n"
    )
    (folder / "modeling_own.py").write_text(
        "from transformers import ViTForImageClassification\n"
        "from .configuration_own import OwnConfig\n"
        "class OwnForImageClassification(ViTForImageClassification):\n"
        "    config_class = OwnConfig\n"
    )
    own = {
        "AutoConfig": "configuration_own.OwnConfig",
        "AutoModelForImageClassification": "modeling_own.OwnForImageClassification",
    }
    change_config(
        broken, model_type="zoo_own", architectures=["OwnForImageClassification"], auto_map=own
    )
    trusted = msgspec.structs.replace(broken, trust_remote_code=True)
    backbone = runtime.open(trusted, IMAGE)
    assert [tap.name for tap in backbone.taps][-1] == "logits"


def test_an_architecture_from_the_future_is_explained(runtime, broken):
    change_config(broken, model_type="vit9000", architectures=["ViT9000"])
    error = refused(runtime, broken)
    assert "ViT9000" in error.message
    assert "pip install -U transformers" in error.hint


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_an_unreadable_config_is_explained(text, runtime, broken):
    (Path(broken.folder) / "config.json").write_text(text)
    assert "config.json is not readable JSON" in refused(runtime, broken).message


def test_a_missing_config_is_explained(runtime, broken):
    (Path(broken.folder) / "config.json").unlink()
    assert "has no config.json" in refused(runtime, broken).message


def test_weights_of_another_size_are_explained(runtime, broken):
    change_config(broken, hidden_size=64)
    assert "weights cannot be loaded" in refused(runtime, broken).message


def test_missing_weights_are_never_random_numbers(runtime, broken):
    tensors = load_file(weights(broken))
    gone = next(name for name in tensors if "layer" in name and "weight" in name)
    del tensors[gone]
    save_file(tensors, weights(broken), metadata={"format": "pt"})
    error = refused(runtime, broken)
    assert "lack" in error.message
    assert "random numbers" in error.message


def test_a_missing_shard_is_named(runtime, broken):
    weights(broken).rename(weights(broken).with_name("model-00001-of-00002.safetensors"))
    index = {"weight_map": {"a": "model-00002-of-00002.safetensors"}}
    (Path(broken.folder) / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00002-of-00002.safetensors is missing" in refused(runtime, broken).message


def test_a_head_without_weights_is_not_a_head(runtime, broken, images):
    tensors = {k: v for k, v in load_file(weights(broken)).items() if "classifier" not in k}
    save_file(tensors, weights(broken), metadata={"format": "pt"})
    backbone = runtime.open(broken, IMAGE)
    names = [tap.name for tap in backbone.taps]
    assert "logits" not in names
    found = backbone.extract(
        backbone.encode(runtime.prepare(broken, images)), ["block.3", "head_input"]
    )
    # The pooler's weights are missing as well, so the patches' mean stands in for it.
    from transformers import ViTModel

    model = ViTModel.from_pretrained(broken.folder, add_pooling_layer=False)
    normed = model.layernorm.weight.shape[0]
    assert found["head_input"].shape == (len(images), normed)


def test_an_untrained_pooler_is_not_read(runtime, broken, images):
    """Opened twice, a randomly initialised pooler would differ."""
    tensors = {k: v for k, v in load_file(weights(broken)).items() if "classifier" not in k}
    save_file(tensors, weights(broken), metadata={"format": "pt"})
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        backbone = runtime.open(broken, IMAGE)
        batch = backbone.encode(runtime.prepare(broken, images[:2]))
        found.append(backbone.extract(batch, ["head_input"])["head_input"])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("architecture", ["ViTForMaskedImageModeling", "ViTModel"])
def test_other_heads_are_left_away(architecture, runtime, broken):
    change_config(broken, architectures=[architecture])
    names = [tap.name for tap in runtime.open(broken, IMAGE).taps]
    assert names[-1] == "head_input"


def test_half_precision_files_are_run_in_single_precision(runtime, broken, images):
    halves = {name: tensor.half() for name, tensor in load_file(weights(broken)).items()}
    save_file(halves, weights(broken), metadata={"format": "pt"})
    change_config(broken, dtype="float16")
    backbone = runtime.open(broken, IMAGE)
    batch = backbone.encode(runtime.prepare(broken, images))
    assert backbone.extract(batch, ["logits"])["logits"].dtype == np.float32


@pytest.mark.parametrize("channels", [1, 4])
def test_networks_that_do_not_read_colour_are_refused(channels, runtime, broken):
    change_config(broken, num_channels=channels)
    assert f"reads {channels}-channel input" in refused(runtime, broken).message
    with pytest.raises(CheckpointError, match="not colour images"):
        runtime.input_key(broken, "image")


def test_timm_checkpoints_name_the_extra_where_timm_does_not_import(runtime, broken):
    try:
        import timm
    except (ImportError, RuntimeError):
        pass
    else:
        pytest.skip(f"timm {timm.__version__} works here")
    change_config(broken, model_type="timm_wrapper", pretrained_cfg={"input_size": [3, 64, 64]})
    error = refused(runtime, broken)
    assert "timm cannot be imported" in error.message
    assert "zoo-reuse[vision]" in error.hint


def test_a_network_without_a_feature_extractor_is_not_fed_sounds(runtime, broken):
    audio = msgspec.structs.replace(broken, entry=ModelEntry(ref="./broken", modality="audio"))
    assert "how its sound was prepared" in refused(runtime, audio, RuntimeOptions()).message


def test_a_modality_that_nothing_here_reads_is_named(runtime, broken):
    video = RuntimeOptions(extras={"modality": "video"})
    assert "reads video" in refused(runtime, broken, video).message


def test_a_network_fed_with_the_wrong_modality_is_a_checkpoint_error(runtime, tiny_checkpoint):
    options = RuntimeOptions(extras={"modality": "text"})
    refused(runtime, tiny_checkpoint("vit"), options)


def test_weights_larger_than_memory_are_refused_before_they_are_read(runtime, broken, monkeypatch):
    monkeypatch.setattr(devices, "available_memory", lambda: 1000)
    with pytest.raises(OutOfMemoryError, match=r"needs .* GB of memory for its weights") as error:
        runtime.open(broken, IMAGE)
    assert error.value.hint


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
    ],
)
def test_every_way_of_running_out_of_memory_is_one_error(
    failure, runtime, tiny_checkpoint, images, monkeypatch
):
    checkpoint = tiny_checkpoint("resnet")
    backbone = runtime.open(checkpoint, IMAGE)
    batch = backbone.encode(runtime.prepare(checkpoint, images))

    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(torch.nn.functional, "conv2d", fail)
    monkeypatch.setattr(torch.nn.Conv2d, "forward", fail)
    with pytest.raises(OutOfMemoryError, match="a batch of 8 did not fit"):
        backbone.extract(batch, ["logits"])


def test_an_allocation_that_cannot_succeed_is_out_of_memory():
    with pytest.raises(OutOfMemoryError), devices.memory_guard("too much.", "less"):
        torch.empty(1 << 60, dtype=torch.uint8)


@pytest.mark.parametrize("device", ["cuda:99", "tpu9", "gpu"])
def test_a_device_that_is_not_there_is_the_persons_error(device, runtime, tiny_checkpoint):
    with pytest.raises(InputError, match=device):
        runtime.open(tiny_checkpoint("vit"), RuntimeOptions(device=device))


def test_an_unknown_tap_is_named(runtime, tiny_checkpoint):
    backbone = runtime.open(tiny_checkpoint("bert"), RuntimeOptions())
    with pytest.raises(InputError, match=r"block\.33.*Did you mean 'block\.3'"):
        backbone.extract(backbone.encode(["cat"]), ["block.33"])


def test_a_closed_backbone_says_so(runtime, tiny_checkpoint):
    backbone = runtime.open(tiny_checkpoint("bert"), RuntimeOptions())
    batch = backbone.encode(["cat"])
    backbone.close()
    with pytest.raises(CheckpointError, match="closed"):
        backbone.extract(batch, ["logits"])


def test_opening_prints_nothing_and_asks_no_network(
    runtime, tiny_checkpoint, images, capfd, monkeypatch
):
    import socket

    def no_network(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name in ("resnet", "bert"):
        runtime.open(tiny_checkpoint(name, head=False), RuntimeOptions())
        runtime.open(tiny_checkpoint(name), RuntimeOptions())
    runtime.prepare(tiny_checkpoint("vit"), images[:1])
    assert capfd.readouterr() == ("", "")


def test_the_callers_logging_is_left_as_it_was(runtime, tiny_checkpoint):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    runtime.open(tiny_checkpoint("bert"), RuntimeOptions())
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_matrix_products_keep_their_precision(runtime, tiny_checkpoint):
    runtime.open(tiny_checkpoint("bert"), RuntimeOptions(threads=1))
    left, right = torch.randn(128, 128), torch.randn(128, 128)
    exact = left.double() @ right.double()
    assert float(((left @ right).double() - exact).abs().max() / exact.abs().max()) < 1e-5


def test_the_budget_holds_several_images_or_texts(runtime, tiny_checkpoint):
    image = runtime.open(tiny_checkpoint("vit"), RuntimeOptions())
    text = runtime.open(tiny_checkpoint("bert"), RuntimeOptions())
    assert image.budget >= 8 * 224 * 224
    assert text.budget >= 2 * 512
