"""The torch backbone's features, from a graph."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from zoo.errors import (
    CheckpointError,
    InputError,
    OutOfMemoryError,
    UnknownNameError,
)
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import Attributes, HasHead, OnDevice, RuntimeOptions
from zoo_runtimes.onnx.manifest import GraphTap, Images, Manifest, write_manifest
from zoo_runtimes.onnx.providers import cuda_memory
from zoo_runtimes.onnx.runtime import OnnxRuntime
from zoo_runtimes.torch_runtime import TorchRuntime

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
TEXTS = ["the cat", "a very good film and an awful plot " * 5, "", "one two", "Bird?"]
KINDS = [("resnet", "image"), ("bert", "text")]
gpu = pytest.mark.skipif(not cuda_memory(), reason="this machine has no CUDA device")


@pytest.fixture(scope="module")
def inputs(photographs, tiny_checkpoint):
    def prepared(name, modality):
        if modality == "text":
            return TEXTS
        return TorchRuntime().prepare(tiny_checkpoint(name), photographs)

    return prepared


def close(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].dtype == np.float32
        scale = float(np.abs(values).max()) or 1.0
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize(("name", "modality"), KINDS)
def test_every_tap_equals_torchs(name, modality, exported, tiny_checkpoint, inputs):
    torch = TorchRuntime().open(tiny_checkpoint(name), RuntimeOptions())
    mine = OnnxRuntime().open(exported(name, modality), RuntimeOptions())
    assert [(tap.name, tap.dimension) for tap in mine.taps] == [
        (tap.name, tap.dimension) for tap in torch.taps
    ]
    assert mine.default_tap == torch.default_tap
    assert mine.budget == torch.budget
    given = inputs(name, modality)
    here, there = mine.encode(given), torch.encode(given)
    assert [entry.cost for entry in here] == [entry.cost for entry in there]
    names = [tap.name for tap in torch.taps]
    close(mine.extract(here, names), torch.extract(there, names))


@pytest.mark.parametrize(("name", "modality"), KINDS)
def test_features_do_not_depend_on_the_batch(name, modality, exported, inputs):
    backbone = OnnxRuntime().open(exported(name, modality), RuntimeOptions())
    batch = backbone.encode(inputs(name, modality))
    together = backbone.extract(batch, ["head_input", "logits"])
    alone = [backbone.extract([entry], ["head_input", "logits"]) for entry in batch]
    close({k: np.concatenate([row[k] for row in alone]) for k in together}, together)


def test_pairs_are_read_as_pairs(exported, tiny_checkpoint):
    pairs = [("the cat", "a dog"), ("one two three good film", "bad plot")]
    torch = TorchRuntime().open(tiny_checkpoint("bert"), RuntimeOptions())
    mine = OnnxRuntime().open(exported("bert", "text"), RuntimeOptions())
    names = ["block.1", "logits"]
    close(mine.extract(mine.encode(pairs), names), torch.extract(torch.encode(pairs), names))


def test_it_says_where_it_runs_and_what_its_logits_mean(exported):
    backbone = OnnxRuntime().open(exported("resnet", "image"), RuntimeOptions())
    assert isinstance(backbone, OnDevice)
    assert backbone.device == "cpu"
    assert isinstance(backbone, HasHead)
    assert backbone.head.kind == "classification"
    assert len(backbone.head.labels) == 5


def test_only_what_is_asked_for_comes_back(exported, inputs):
    backbone = OnnxRuntime().open(exported("resnet", "image"), RuntimeOptions())
    batch = backbone.encode(inputs("resnet", "image"))
    found = backbone.extract(batch, ["stage.2"])
    assert list(found) == ["stage.2"]
    assert found["stage.2"].shape == (len(batch), 24)


def test_an_unknown_tap_is_named(exported, inputs):
    backbone = OnnxRuntime().open(exported("resnet", "image"), RuntimeOptions())
    batch = backbone.encode(inputs("resnet", "image"))
    with pytest.raises(UnknownNameError, match=r"no layer called 'stage\.9'"):
        backbone.extract(batch, ["stage.9"])
    with pytest.raises(UnknownNameError, match=r"no layer called 'stage\.9'"):
        backbone.attribute(batch, ["stage.9"], "occlusion")


def test_after_closing_nothing_runs(exported, inputs):
    backbone = OnnxRuntime().open(exported("resnet", "image"), RuntimeOptions())
    batch = backbone.encode(inputs("resnet", "image"))
    backbone.close()
    with pytest.raises(ValueError, match="closed"):
        backbone.extract(batch, ["logits"])


def test_without_weights_occlusion_takes_the_place_of_gradients_and_says_so(exported, inputs):
    backbone = OnnxRuntime().open(exported("resnet", "image"), RuntimeOptions())
    assert isinstance(backbone, Attributes)
    batch = backbone.encode(inputs("resnet", "image"))[:1]
    found = backbone.attribute(batch, ["logits", "stage.1"], "saliency")
    assert {name: cells.shape for name, cells in found.items()} == {
        "logits": (1, 1024),
        "stage.1": (1, 1024),
    }
    assert "occlusion in place of saliency" in backbone.attribution_note
    backbone.attribute(batch, ["logits"], "occlusion")
    assert backbone.attribution_note == ""


def folder_of(tmp_path, nodes, kind=TensorProto.FLOAT, **changes):
    """An exported folder around a graph of a few nodes, from pixels to ``y``."""
    made = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("pixel_values", kind, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    entry = ModelEntry(ref="./made", modality="image", library="onnx")
    line = {"scale": (1.0, 1.0, 1.0), "offset": (0.0, 0.0, 0.0)}
    manifest = Manifest(
        entry=entry,
        digest="",
        modality="image",
        precision="fp32",
        opset=20,
        inputs=("pixel_values",),
        taps=(GraphTap(name="logits", dimension=3, output="y"),),
        default_tap="logits",
        images=Images(size={"height": 4, "width": 4}, **line),
    )
    write_manifest(msgspec.structs.replace(manifest, **changes), tmp_path)
    return Checkpoint(entry=entry, folder=str(tmp_path), digest=str(tmp_path))


def mean_nodes():
    axes = helper.make_node("Constant", [], ["axes"], value_ints=[2, 3])
    return [axes, helper.make_node("ReduceMean", ["pixel_values", "axes"], ["y"], keepdims=0)]


def test_rows_come_back_in_order_whatever_their_sizes(tmp_path):
    backbone = OnnxRuntime().open(folder_of(tmp_path, mean_nodes()), RuntimeOptions())
    shapes = [(4, 6), (5, 5), (4, 6), (8, 3), (5, 5)]
    arrays = [np.full((*shape, 3), 10 * row, np.uint8) for row, shape in enumerate(shapes)]
    found = backbone.extract(backbone.encode(arrays), ["logits"])["logits"]
    np.testing.assert_array_equal(found, np.repeat([[0], [10], [20], [30], [40]], 3, axis=1))


def test_graphs_in_half_precision_are_fed_and_read_in_theirs(tmp_path):
    made = folder_of(tmp_path, mean_nodes(), TensorProto.FLOAT16, precision="fp16")
    backbone = OnnxRuntime().open(made, RuntimeOptions())
    batch = backbone.encode([np.full((4, 4, 3), 7, np.uint8)])
    found = backbone.extract(batch, ["logits"])["logits"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[7.0, 7.0, 7.0]])


def test_a_graph_that_fails_on_an_input_is_explained(tmp_path):
    shape = helper.make_node("Constant", [], ["shape"], value_ints=[-1, 48])
    nodes = [shape, helper.make_node("Reshape", ["pixel_values", "shape"], ["y"])]
    backbone = OnnxRuntime().open(folder_of(tmp_path, nodes), RuntimeOptions())
    with pytest.raises(CheckpointError, match=r"^\./made: its graph fails \(") as error:
        backbone.extract(backbone.encode([np.zeros((5, 5, 3), np.uint8)]), ["logits"])
    assert "\n" not in error.value.message
    assert "ONNXRuntimeError" not in error.value.message


def test_a_batch_too_large_for_memory_can_be_halved(tmp_path):
    """The products of four million numbers with one another are 70 terabytes."""
    nodes = []
    for name, shape in (("column", [-1, 1]), ("row", [1, -1])):
        nodes.append(helper.make_node("Constant", [], [f"{name}_shape"], value_ints=shape))
        nodes.append(helper.make_node("Reshape", ["pixel_values", f"{name}_shape"], [name]))
    nodes.append(helper.make_node("MatMul", ["column", "row"], ["y"]))
    backbone = OnnxRuntime().open(folder_of(tmp_path, nodes), RuntimeOptions())
    with pytest.raises(OutOfMemoryError, match="did not fit"):
        backbone.extract(backbone.encode([np.zeros((1200, 1200, 3), np.uint8)]), ["logits"])


def test_a_wrong_provider_is_bad_input(exported):
    options = RuntimeOptions(extras={"providers": "CudaExecutionProvider"})
    with pytest.raises(InputError, match="no provider 'CudaExecutionProvider'") as error:
        OnnxRuntime().open(exported("resnet", "image"), options)
    assert "CPUExecutionProvider" in error.value.hint


@pytest.mark.skipif(bool(cuda_memory()), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_bad_input(exported):
    with pytest.raises(InputError, match="no device 'cuda' on this machine"):
        OnnxRuntime().open(exported("resnet", "image"), RuntimeOptions(device="cuda"))


@gpu
@pytest.mark.parametrize(("name", "modality"), KINDS)
def test_a_gpu_gives_what_the_cpu_gives(name, modality, exported, inputs):
    mine = OnnxRuntime().open(exported(name, modality), RuntimeOptions(device="cuda"))
    assert mine.device == "cuda:0"
    cpu = OnnxRuntime().open(exported(name, modality), RuntimeOptions())
    assert mine.budget > cpu.budget
    batch, names = cpu.encode(inputs(name, modality)), [tap.name for tap in cpu.taps]
    for tap, values in cpu.extract(batch, names).items():
        found = mine.extract(batch, names)[tap]
        np.testing.assert_allclose(found, values, rtol=0, atol=1e-3 * np.abs(values).max())


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("mobilenet_v1_0.25_128", "image"),
        pytest.param("all-MiniLM-L6-v2", "text", marks=pytest.mark.exhaustive),
    ],
)
def test_real_checkpoints_give_torchs_features(name, modality, graphs, photographs):
    folder = DATA / "zoo" / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set ZOO_SHARED_DATA to run this test")
    entry = ModelEntry(ref=f"./{name}", modality=modality)
    checkpoint = Checkpoint(entry=entry, folder=str(folder), digest=name)
    torch = TorchRuntime().open(checkpoint, RuntimeOptions())
    mine = OnnxRuntime().open(checkpoint, RuntimeOptions(cache=graphs))
    given = TorchRuntime().prepare(checkpoint, photographs) if modality == "image" else TEXTS
    names = [tap.name for tap in torch.taps]
    assert [tap.name for tap in mine.taps] == names
    close(mine.extract(mine.encode(given), names), torch.extract(torch.encode(given), names))
