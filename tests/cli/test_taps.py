"""``zoo taps`` with the real runtime, on tiny checkpoints."""

from __future__ import annotations

import json

import pytest

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return build_tiny_checkpoint("vit", tmp_path_factory.mktemp("taps") / "vit")


def test_points_are_named_with_shapes_and_the_usual_cut(zoo, vit):
    result = zoo("taps", vit)
    assert result.code == 0, result.err
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert "17 x 32" in lines["block.1"]
    assert lines["head_input"].endswith("<- what a new head reads")
    assert [line.rstrip() for line in result.out.splitlines() if "new head" in line] == [
        lines["head_input"]
    ]
    assert "by torch" in result.err


def test_the_document_and_the_ids(zoo, vit):
    document = zoo("taps", vit, "--json").document
    assert document["schema_version"] == 1
    assert (document["model"], document["runtime"]) == (str(vit), "torch")
    (cut,) = [each for each in document["taps"] if each["default"]]
    assert cut["tap"] == "head_input"
    assert cut["dimension"] == 32
    names = [each["tap"] for each in document["taps"]]
    assert zoo("taps", vit, "-q").out.split() == names
    rows = [json.loads(line) for line in zoo("taps", vit, "--format", "jsonl").out.splitlines()]
    assert [row["tap"] for row in rows] == names


def test_weights_need_not_be_there(zoo, vit, tmp_path):
    folder = tmp_path / "slim"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_bytes((vit / name).read_bytes())
    assert (
        zoo("taps", folder, "--json").document["taps"]
        == (zoo("taps", vit, "--json").document["taps"])
    )


def test_a_model_of_the_hub_is_not_downloaded(zoo, vit, loopback_hub):
    loopback_hub.add("org/net", {path.name: path.read_bytes() for path in vit.iterdir()})
    result = zoo("taps", "hub:org/net", "--json")
    assert result.code == 0, result.err
    assert result.document["model"].startswith("hub:org/net@")
    bodies = [each for each in loopback_hub.requests if not each.range]
    assert not [each for each in bodies if "model.safetensors" in each.path]


@pytest.mark.parametrize(
    ("model", "word"), [("./nowhere", "nowhere"), ("nowhere", "nowhere"), ("x:y", "no source 'x'")]
)
def test_bad_input_is_a_sentence(zoo, model, word):
    result = zoo("taps", model)
    assert result.code == 2
    assert word in result.err
    assert result.out == ""
