"""Checkpoints of their own class, with every head, and larger ones of that class."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image

from zoo.errors import CheckpointError
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.torch_runtime import TorchRuntime

OPTIONS = RuntimeOptions(device="cpu", threads=1, cache="")
IMAGES = {"vit", "resnet", "deit"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Give a tiny checkpoint; nobody may change it."""
    home = tmp_path_factory.mktemp("whole")

    def build(name):
        if not (home / name).exists():
            build_tiny_checkpoint(name, home / name)
        return checkpoint(home / name, "image" if name in IMAGES else "text")

    return build


def checkpoint(folder, modality):
    entry = ModelEntry(ref=f"./{folder.name}", modality=modality, library="transformers")
    return Checkpoint(entry=entry, folder=str(folder), digest=folder.name)


def opened(made):
    return TorchRuntime().open_whole(made, OPTIONS)


def imagined(made):
    return TorchRuntime().imagine_whole(made)


@pytest.fixture
def copied(tiny, tmp_path):
    """Copy a checkpoint, and change its configuration."""

    def copy(name, **fields):
        made = tiny(name)
        folder = shutil.copytree(made.folder, tmp_path / name)
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        return checkpoint(folder, made.entry.modality)

    return copy


def saved(kind, folder, **fields):
    """Save a network of another class."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 16, "vocab_size": 128} | fields
    cls = getattr(transformers, kind)
    cls(cls.config_class(**sizes)).save_pretrained(folder)
    return checkpoint(folder, "text")


@pytest.mark.parametrize("name", ["vit", "resnet", "bert", "distilbert", "gpt2", "llama"])
def test_an_imagined_network_is_the_open_one_without_weights(tiny, name):
    whole, empty = opened(tiny(name)), imagined(tiny(name))
    assert type(whole.module) is type(empty.module)
    assert {each.device.type for each in empty.module.parameters()} == {"meta"}
    shapes = {name: value.shape for name, value in whole.module.state_dict().items()}
    assert shapes == {name: value.shape for name, value in empty.module.state_dict().items()}
    assert not whole.module.training
    inputs = whole.inputs(1, 0)
    answers, shapeless = whole.outputs(inputs), empty.outputs(inputs)
    assert {name: each.shape for name, each in answers.items()} == {
        name: each.shape for name, each in shapeless.items()
    }


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_both_are_in_the_numbers_of_the_files(tiny, tmp_path, dtype):
    kind = transformers.ViTForImageClassification
    numbers = getattr(torch, dtype)
    kind.from_pretrained(tiny("vit").folder, dtype=numbers).save_pretrained(tmp_path)
    made = checkpoint(tmp_path, "image")
    for each in (opened(made), imagined(made)):
        assert {value.dtype for value in each.module.parameters()} == {numbers}
        assert {value.dtype for value in each.enlarged(each.config).module.parameters()} == {
            numbers
        }


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("BertForMaskedLM", "cls.predictions.bias"),
        ("BertForPreTraining", "cls.seq_relationship.weight"),
        ("BertModel", "pooler.dense.weight"),
        ("BertForQuestionAnswering", "qa_outputs.weight"),
    ],
)
def test_every_head_that_a_checkpoint_has_is_there(tmp_path, kind, head):
    whole = opened(saved(kind, tmp_path))
    assert type(whole.module).__name__ == kind
    assert head in whole.module.state_dict()
    assert whole.outputs(whole.inputs(2, 0))


def test_tied_weights_stay_tied_in_the_larger_network(tmp_path):
    whole = opened(saved("BertForMaskedLM", tmp_path))
    larger = whole.enlarged(whole.config).module
    words = larger.get_input_embeddings().weight
    assert larger.get_output_embeddings().weight is words


def test_a_configuration_is_a_copy(tiny):
    whole = opened(tiny("vit"))
    whole.config.hidden_size = 9
    assert whole.config.hidden_size == 32


def test_noise_is_the_same_for_one_seed(tiny):
    whole = opened(tiny("bert"))
    first, same, other = (whole.inputs(3, seed)["input_ids"] for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.shape == (3, 16)
    assert int(first.max()) < whole.config.vocab_size


def test_samples_are_read_as_the_checkpoint_reads_them(tiny):
    whole = opened(tiny("bert"))
    batch = whole.inputs(0, 0, ["the film", "a very good plot and it was great"])
    assert batch["attention_mask"][0].sum() < batch["attention_mask"][1].sum()
    assert set(whole.outputs(batch)) == {"logits"}
    image = Image.new("RGB", (30, 50), (9, 99, 199))
    assert opened(tiny("vit")).inputs(0, 0, [image])["pixel_values"].shape == (1, 3, 64, 64)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_judge_of_last_words_without_padding_is_asked_one_by_one(tiny, name):
    whole = opened(tiny(name))
    inputs = whole.inputs(3, 0)
    answers = whole.outputs(inputs)["logits"]
    single = whole.outputs({key: each[1:2] for key, each in inputs.items()})["logits"]
    assert answers.shape == (3, 5)
    assert torch.equal(answers[1:2], single)


def test_what_lies_beside_the_weights_is_copied_word_by_word(tiny, tmp_path):
    for name, beside in (
        ("vit", {"preprocessor_config.json"}),
        ("bert", {"tokenizer.json", "tokenizer_config.json"}),
    ):
        made = tiny(name)
        whole = opened(made)
        whole.save(tmp_path / name)
        names = {path.name for path in (tmp_path / name).iterdir()}
        assert {"config.json", "model.safetensors"} | beside <= names
        for each in beside:
            old = Path(made.folder, each).read_bytes()
            assert (tmp_path / name / each).read_bytes() == old
        again = opened(checkpoint(tmp_path / name, made.entry.modality))
        for key, value in whole.module.state_dict().items():
            assert torch.equal(again.module.state_dict()[key], value)


def test_poolings_of_sentences_grow_and_other_parts_are_refused(copied, tmp_path):
    made = copied("bert")
    parts = tmp_path / "bert"
    types = [{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]
    (parts / "modules.json").write_text(json.dumps(types))
    (parts / "1_Pooling").mkdir()
    (parts / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 1}')
    assert imagined(made)
    opened(made).save(tmp_path / "out")
    said = json.loads((tmp_path / "out" / "1_Pooling" / "config.json").read_text())
    assert said == {"word_embedding_dimension": 32}
    dense = {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}
    (parts / "modules.json").write_text(json.dumps([*types, dense]))
    with pytest.raises(CheckpointError, match=r"\(Dense\) that has weights of its own"):
        imagined(made)
    (parts / "modules.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"its modules\.json cannot be read"):
        imagined(made)


def test_a_class_that_transformers_does_not_have(copied):
    made = copied("vit", architectures=["MyOwnViT"])
    for each in (opened, imagined):
        with pytest.raises(CheckpointError, match="transformers has no class MyOwnViT") as caught:
            each(made)
        assert caught.value.hint


def test_a_body_without_a_class_is_the_one_of_its_family(copied):
    assert type(opened(copied("vit", architectures=None)).module).__name__ == "ViTModel"


def test_weights_that_lack_something_are_named(tiny, copied, tmp_path):
    from safetensors.torch import load_file, save_file

    made = copied("vit")
    path = tmp_path / "vit" / "model.safetensors"
    weights = load_file(path)
    weights.pop("classifier.weight")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"its weight files lack classifier\.weight"):
        opened(made)
