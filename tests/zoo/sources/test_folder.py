"""Folders in the Hub's format: what is read off them, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from zoo.errors import CheckpointError
from zoo.hub import verify
from zoo.registry import candidate_for
from zoo.sources.folder import FolderSource
from zoo.types import Candidate, ModelEntry

SHARED = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data"))


@pytest.fixture
def source(tmp_path) -> FolderSource:
    return FolderSource(home=str(tmp_path / "home"))


def candidate(folder: Path, **facts) -> Candidate:
    return Candidate(entry=ModelEntry(ref=f"./{folder.name}", **facts), base=str(folder.parent))


def change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_bytes()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def test_everything_is_read_off_the_files(source, folder):
    entry = source.inspect(candidate(folder))

    assert entry.ref == "./net"
    assert (entry.task, entry.modality) == ("image-classification", "image")
    assert (entry.library, entry.architecture) == ("transformers", "ViTForImageClassification")
    assert (entry.parameters, entry.labels, entry.license) == (310, 3, "mit")
    needed = ["config.json", "preprocessor_config.json", "model.safetensors"]
    assert list(entry.files) == needed
    assert entry.bytes == sum((folder / name).stat().st_size for name in needed)


def test_what_the_entry_says_stays(source, folder):
    entry = source.inspect(candidate(folder, task="mine", library="mine", license="bsd"))

    assert (entry.task, entry.library, entry.license) == ("mine", "mine", "bsd")
    assert entry.labels == 3


def test_the_checkpoint_has_an_absolute_folder_and_an_identity_by_content(source, folder, tmp_path):
    first = source.fetch(candidate(folder))
    moved = folder.rename(tmp_path / "elsewhere")
    second = source.fetch(candidate(moved))

    assert Path(first.folder).is_absolute()
    assert first.digest == second.digest
    (moved / "README.md").write_text("another card")
    assert source.fetch(candidate(moved)).digest == first.digest
    change_config(moved, id2label={"0": "x"})
    assert source.fetch(candidate(moved)).digest != first.digest


def test_digests_are_remembered_until_the_file_changes(source, folder, monkeypatch):
    entry = source.inspect(candidate(folder))
    hashed = []
    once = verify.digest_of
    monkeypatch.setattr(
        verify, "digest_of", lambda path, like="": hashed.append(path.name) or once(path, like)
    )

    assert source.inspect(candidate(folder)) == entry
    assert hashed == []
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    source.inspect(candidate(folder))
    assert hashed == ["model.safetensors"]


def test_files_that_changed_since_they_were_registered_are_refused(source, folder):
    registered = candidate(folder, files=source.inspect(candidate(folder)).files)
    source.fetch(registered)
    change_config(folder, hidden_size=7)

    for look in (source.inspect, source.fetch):
        with pytest.raises(CheckpointError, match=r"\./net: config.json is not the file") as caught:
            look(registered)
        assert "zoo registry add ./net" in caught.value.hint


def remove(name):
    return lambda folder: (folder / name).unlink()


def only_pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def only_keras(folder):
    (folder / "model.safetensors").rename(folder / "tf_model.h5")


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def truncate_header(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:40])


def empty_weights(folder):
    (folder / "model.safetensors").write_bytes(b"")


def text_weights(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")


def remote_code(folder):
    (folder / "modeling_mine.py").write_text("raise SystemExit")
    change_config(folder, model_type="mine-only", auto_map={"AutoModel": "modeling_mine.Mine"})


def broken_config(folder):
    (folder / "config.json").write_text("{")


def missing_shard(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {
        "weight_map": {
            "w": "model-00001-of-00002.safetensors",
            "b": "model-00002-of-00002.safetensors",
        }
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def text_without_tokenizer(folder):
    (folder / "preprocessor_config.json").unlink()
    (folder / "README.md").unlink()
    change_config(folder, model_type="bert", architectures=["BertModel"], vocab_size=9)


def adapter(folder):
    (folder / "config.json").rename(folder / "adapter_config.json")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("config.json"), "has no config.json"),
        (remove("model.safetensors"), "has no safetensors weights"),
        (only_pickle, r"only pickle weights \(pytorch_model.bin\)"),
        (only_keras, "only tf_model.h5 and no safetensors weights"),
        (truncate, r"model.safetensors is damaged: [\d,]+ bytes, but its header describes"),
        (truncate_header, "not a whole safetensors file"),
        (empty_weights, "not a whole safetensors file: it has 0 bytes"),
        (text_weights, "not a whole safetensors file"),
        (remote_code, r"asks to run its own code \(modeling_mine.py\)"),
        (broken_config, "config.json is not valid JSON"),
        (missing_shard, "lists model-00002-of-00002.safetensors, which is not there"),
        (text_without_tokenizer, "has no tokenizer"),
        (adapter, "is an adapter"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_hint(source, folder, damage, message):
    damage(folder)

    with pytest.raises(CheckpointError, match=rf"\./net.*{message}") as caught:
        source.inspect(candidate(folder))
    assert "\n" not in caught.value.message
    assert caught.value.hint or "JSON" in message or "lists" in message


def test_a_folder_that_went_away_is_one_checkpoint_s_failure(source, folder):
    with pytest.raises(CheckpointError, match=r"gone does not exist"):
        source.fetch(candidate(folder.parent / "gone"))


def test_remote_code_is_brought_along_only_when_trusted(source, folder):
    remote_code(folder)
    trusted = msgspec.structs.replace(candidate(folder), trust_remote_code=True)

    checkpoint = source.fetch(trusted)

    assert checkpoint.trust_remote_code
    assert "modeling_mine.py" in checkpoint.entry.files


@pytest.mark.parametrize("model_type", ["vit", "mobilenet_v2", "deberta-v2", "clip_vision_model"])
def test_code_of_an_architecture_that_transformers_has_is_never_run(source, folder, model_type):
    remote_code(folder)
    change_config(folder, model_type=model_type)

    assert "modeling_mine.py" not in source.inspect(candidate(folder)).files


def test_the_single_file_wins_over_shards_of_the_same_weights(source, folder):
    (folder / "model-00001-of-00001.safetensors").write_bytes(b"duplicate")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"w": "duplicate"}}')

    assert [name for name in source.inspect(candidate(folder)).files if "model" in name] == [
        "model.safetensors"
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("name", "modality", "task", "labels"),
    [
        ("all-MiniLM-L6-v2", "text", "sentence-similarity", None),
        ("deeplabv3_mobilenet_v2_1.0_513", "image", "image-segmentation", None),
        ("mobilenet_v1_0.25_128", "image", "image-classification", 1001),
        ("mobilenet_v2_0.35_224_backbone", "image", "image-feature-extraction", None),
        ("mobilenet_v2_1.0_224_inat_bird", "image", "image-classification", 965),
        ("yamnet_mobilenet_v1_audio", "audio", "audio-classification", 521),
    ],
)
def test_real_checkpoints_are_understood(source, name, modality, task, labels):
    entry = source.inspect(
        candidate_for(str((SHARED / "zoo" / name).absolute()), None, base=SHARED)
    )

    assert (entry.modality, entry.task, entry.labels) == (modality, task, labels)
    assert entry.license == "apache-2.0"
    assert entry.parameters is not None
    assert entry.bytes is not None
    assert entry.bytes > 1.5 * entry.parameters


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
def test_a_network_of_no_known_library_is_described_and_left_to_plugins(source):
    path = (SHARED / "plain" / "cifar10_resnet20").absolute()

    entry = source.inspect(candidate_for(str(path), None, base=SHARED))

    assert entry.library is None
    assert entry.architecture == "CifarResNet"
    assert entry.modality == "image"
