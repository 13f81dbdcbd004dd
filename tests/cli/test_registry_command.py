"""``zoo registry``: good, bad and half-good cases, as a person sees them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from zoo.registry import load_registry


@pytest.fixture
def files() -> dict[str, bytes]:
    import numpy as np
    from safetensors.numpy import save

    config = {"model_type": "vit", "architectures": ["ViTModel"], "image_size": 8}
    weights = save({"w": np.ones((3, 4), "float32")})
    return {"config.json": json.dumps(config).encode(), "model.safetensors": weights}


@pytest.fixture
def work(tmp_path, files, monkeypatch):
    """A working directory with a checkpoint and one that is only a pickle."""
    work = tmp_path / "work"
    (work / "nets" / "good").mkdir(parents=True)
    (work / "nets" / "pickled").mkdir()
    for name, content in files.items():
        (work / "nets" / "good" / name).write_bytes(content)
    (work / "nets" / "pickled" / "config.json").write_bytes(files["config.json"])
    (work / "nets" / "pickled" / "pytorch_model.bin").write_bytes(b"never opened")
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def hub(loopback_hub, files):
    loopback_hub.add("org/net", files)
    return loopback_hub


def refs(path) -> list[str]:
    return [entry.ref for entry in load_registry(Path(path)).entries]


def test_adding_a_folder_creates_the_file_and_infers_everything(zoo, work):
    result = zoo("registry", "add", "./nets/good", "--registry", "team/zoo.json", "--tag", "a=b")

    assert result.code == 0
    (entry,) = load_registry(work / "team" / "zoo.json").entries
    assert entry.ref == "../nets/good"
    assert (entry.modality, entry.library, entry.parameters) == ("image", "transformers", 12)
    assert set(entry.files) == {"config.json", "model.safetensors"}
    assert entry.tags == {"a": "b"}
    assert zoo("models", "show", "../nets/good", "--registry", "team/zoo.json").code == 0
    assert zoo("models", "show", "good", "--registry", "team/zoo.json").code == 0


def test_adding_takes_a_folder_for_one_without_its_dot(zoo, work):
    assert zoo("registry", "add", "nets/good", "--registry", "zoo.json").code == 0
    assert refs(work / "zoo.json") == ["./nets/good"]


def test_adding_again_takes_the_files_as_they_are_now(zoo, work):
    zoo("registry", "add", "./nets/good")
    (work / "nets" / "good" / "config.json").write_text('{"model_type": "vit", "patch_size": 2}')
    assert zoo("registry", "verify").code == 1

    result = zoo("registry", "add", "./nets/good", "--json")

    assert result.document["added"] == ["./nets/good"]
    assert refs("registry.json") == ["./nets/good"]
    assert zoo("registry", "verify").code == 0


def test_adding_from_the_hub_pins_it(zoo, work, hub):
    assert zoo("registry", "add", "hub:org/net", "--registry", "zoo.json").code == 0

    commit = hub.find("model", "org/net").refs["main"]
    assert refs("zoo.json") == [f"hub:org/net@{commit}"]


def test_what_cannot_be_added_is_listed_and_the_rest_is_written(zoo, work):
    result = zoo("registry", "add", "./nets/pickled", "./nets/good", "--json")

    assert result.code == 3
    assert refs("registry.json") == ["./nets/good"]
    (failure,) = result.document["failures"]
    assert failure["model"] == "./nets/pickled"
    assert "only pickle weights" in failure["error"]
    assert failure["hint"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("./nets/pickled",), 1, "only pickle weights"),
        (("./nothing",), 2, "the model folder ./nothing does not exist"),
        (("./nets/good", "--tag", "novalue"), 2, "--tag 'novalue' is not of the form"),
        (("./nets/good", "--registry", "nets"), 2, "nets is a folder"),
        (("hub:org/absent", "--offline"), 2, "offline, and config.json of hub:org/absent"),
        (("weird:thing",), 2, "no source 'weird'"),
    ],
)
def test_a_bad_add_is_one_sentence_and_writes_nothing(zoo, work, hub, arguments, code, message):
    result = zoo("registry", "add", *arguments)

    assert result.code == code
    assert message in result.err
    assert result.out == ""
    assert not (work / "registry.json").exists()


def test_removing(zoo, work):
    zoo("registry", "add", "./nets/good")

    assert zoo("registry", "remove", "god").code == 2
    assert "Did you mean 'good'" in zoo("registry", "remove", "god").err
    assert zoo("registry", "remove", "good").code == 0
    assert refs("registry.json") == []


def test_locking_pins_and_lists_what_it_could_not_resolve(zoo, work, hub):
    models = [{"ref": "hub:org/net"}, {"ref": "hub:org/none"}]
    (work / "registry.json").write_text(json.dumps({"models": models}))

    result = zoo("registry", "lock", "--json")

    assert result.code == 3
    assert len(result.document["locked"]) == 1
    assert result.document["failures"][0]["model"] == "hub:org/none"
    pinned = [entry for entry in load_registry(work / "registry.json").entries if entry.files]
    assert [entry.parsed.pinned for entry in pinned] == [True]


def test_verifying_names_the_files_that_changed(zoo, work):
    zoo("registry", "add", "./nets/good")
    weights = work / "nets" / "good" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")

    result = zoo("registry", "verify", "--json")

    assert result.code == 1
    (wrong,) = result.document["wrong"]
    assert (wrong["model"], wrong["file"], wrong["state"]) == (
        "./nets/good",
        "model.safetensors",
        "changed",
    )
    assert "model.safetensors" in zoo("registry", "verify").out


def test_differences_are_shown(zoo, work):
    zoo("registry", "add", "./nets/good")
    shutil.copy("registry.json", "old.json")
    zoo("registry", "add", "./nets/good", "--tag", "team=vision")

    result = zoo("registry", "diff", "old.json", "registry.json", "--json")

    assert result.code == 0
    assert result.document["changed"] == [
        {"model": "./nets/good", "field": "tags", "old": {}, "new": {"team": "vision"}}
    ]
    assert "say the same" in zoo("registry", "diff", "old.json", "old.json").err
    assert zoo("registry", "diff", "old.json", "gone.json").code == 2


def test_a_wrong_field_is_named_with_its_line(zoo, work):
    (work / "registry.json").write_text('{"models": [\n {"ref": "a/b",\n  "licence": "mit"}]}')

    result = zoo("registry", "lock")

    assert result.code == 2
    assert "registry.json, line 3, $.models[0].licence" in result.err
    assert "did you mean 'license'" in result.err
