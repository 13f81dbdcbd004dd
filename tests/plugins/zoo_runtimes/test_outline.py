"""Taps named from the configuration alone are those that opening the checkpoint finds."""

from __future__ import annotations

import json
import os
import resource
import shutil
from pathlib import Path

import msgspec
import pytest

from zoo.errors import CheckpointError
from zoo.testing.tiny_checkpoints import TINY_AUDIO, TINY_IMAGE, TINY_TEXT
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import Outlines, RuntimeOptions
from zoo_runtimes.outline import outline

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
REAL = sorted(path.name for path in DATA.glob("zoo/*") if (path / "config.json").is_file())
ONE_TOWER = (*TINY_IMAGE, *TINY_TEXT, *TINY_AUDIO)
# Of these, and of one real checkpoint a family, every run sees the outline.
COMMON = {"resnet", "mobilenet_v2", "vit", "bert", "gpt2", "wav2vec2"}
COMMON_REAL = {
    "mobilenet_v1_0.25_128",
    "mobilenet_v2_0.35_224_backbone",
    "all-MiniLM-L6-v2",
    "yamnet_mobilenet_v1_audio",
}
TWO_TOWERS = [(name, modality) for name in ("clip", "siglip") for modality in ("image", "text")]


def agree(runtime, checkpoint, modality):
    options = RuntimeOptions(extras={"modality": modality})
    assert list(outline(checkpoint, modality)) == list(runtime.open(checkpoint, options).taps)


def without_weights(checkpoint, folder):
    kept = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(checkpoint.folder, folder, ignore=kept)
    return msgspec.structs.replace(checkpoint, folder=str(folder))


def rarer(names, common):
    rare = pytest.mark.exhaustive
    return [pytest.param(name, marks=() if name in common else rare) for name in names]


@pytest.mark.parametrize("name", ONE_TOWER)
def test_an_outline_is_what_opening_finds(name, runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint(name)
    agree(runtime, checkpoint, checkpoint.entry.modality)


@pytest.mark.parametrize("name", rarer(ONE_TOWER, COMMON))
def test_an_outline_of_a_body_is_what_opening_finds(name, runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint(name, head=False)
    agree(runtime, checkpoint, checkpoint.entry.modality)


@pytest.mark.parametrize(("name", "modality"), [*TWO_TOWERS, ("t5", "text")])
def test_an_outline_is_of_the_tower_that_is_opened(name, modality, runtime, tiny_checkpoint):
    agree(runtime, tiny_checkpoint(name), modality)


@pytest.mark.parametrize("name", ["resnet", "bert", "gpt2", "whisper"])
def test_an_outline_needs_no_weights(name, runtime, tiny_checkpoint, tmp_path):
    checkpoint = tiny_checkpoint(name)
    bare = without_weights(checkpoint, tmp_path / name)
    modality = checkpoint.entry.modality
    assert outline(bare, modality) == outline(checkpoint, modality)


@pytest.mark.parametrize("name", ["vit", "bert"])
def test_a_head_that_was_never_trained_is_not_named(name, runtime, tiny_checkpoint, tmp_path):
    whole, body = tiny_checkpoint(name), tiny_checkpoint(name, head=False)
    folder = shutil.copytree(body.folder, tmp_path / name)
    shutil.copy(Path(whole.folder) / "config.json", folder)
    claimed = msgspec.structs.replace(body, folder=str(folder))
    assert "logits" not in [tap.name for tap in outline(claimed, body.entry.modality)]
    agree(runtime, claimed, body.entry.modality)


def test_the_outline_of_70_billion_weights_takes_no_memory(tmp_path):
    config = {
        "architectures": ["LlamaForSequenceClassification"],
        "model_type": "llama",
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    large = Checkpoint(entry=ModelEntry(ref="./large"), folder=str(tmp_path), digest="large")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taps = {tap.name: tap for tap in outline(large, "text")}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 500e6
    assert [*taps][:2] == ["embeddings", "block.1"]
    assert [*taps][-3:] == ["block.80", "head_input", "logits"]
    assert taps["block.80"].shape == (None, 8192)


def test_shapes_are_those_of_one_sample_before_it_is_pooled(runtime, tiny_checkpoint):
    shapes = {}
    for name in ("vit", "resnet", "bert", "whisper", "wav2vec2"):
        taps = runtime.outline(tiny_checkpoint(name))
        shapes[name] = next(tap.shape for tap in taps if tap.name.endswith(".2"))
    assert shapes == {
        "vit": (17, 32),
        "resnet": (24, 8, 8),
        "bert": (None, 32),
        "whisper": (100, 32),
        "wav2vec2": (None, 32),
    }


def test_the_runtime_outlines(runtime):
    assert isinstance(runtime, Outlines)


def test_what_cannot_be_opened_has_no_outline(tiny_checkpoint, tmp_path):
    unknown = without_weights(tiny_checkpoint("vit"), tmp_path / "vit")
    path = Path(unknown.folder) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "nobody-knows"}))
    with pytest.raises(CheckpointError, match="does not know its architecture"):
        outline(unknown, "image")
    path.unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        outline(unknown, "image")


@pytest.mark.parametrize("name", rarer(REAL, COMMON_REAL) or [None])
def test_outlines_of_real_checkpoints_are_what_opening_finds(name, runtime):
    if name is None:
        pytest.skip(f"no checkpoints in {DATA}; set ZOO_SHARED_DATA to run this test")
    folder = DATA / "zoo" / name
    sees = (folder / "preprocessor_config.json").is_file()
    checkpoint = Checkpoint(entry=ModelEntry(ref=f"./{name}"), folder=str(folder), digest=name)
    if not sees and not (folder / "tokenizer.json").is_file():
        for find in (outline, lambda each, kind: runtime.open(each, RuntimeOptions())):
            with pytest.raises(CheckpointError):
                find(checkpoint, "image")
        return
    agree(runtime, checkpoint, "image" if sees else "text")
