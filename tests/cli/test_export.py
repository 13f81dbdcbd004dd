"""``zoo export`` and what can be done with its folder, with a runtime of numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

POCKET = (Path(__file__).parents[1] / "zoo" / "pocket_runtime.py").read_text(encoding="utf-8")


@pytest.fixture
def place(stranger, tmp_path, monkeypatch):
    """A stranger's runtime that exports, a checkpoint, and two pictures."""
    from safetensors.numpy import save_file

    monkeypatch.chdir(tmp_path)
    # It has to be imported after the plugin path is set, under the name it is installed by.
    stranger("pocket-runtime", POCKET)
    folder = tmp_path / "net"
    folder.mkdir()
    config = {
        "model_type": "vit",
        "architectures": ["ViTForImageClassification"],
        "id2label": {"0": "red", "1": "green", "2": "blue"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "X"}')
    save_file({"w": np.ones((3, 3), np.float32)}, folder / "model.safetensors")
    (tmp_path / "photos").mkdir()
    for name in ("red", "blue"):
        Image.new("RGB", (8, 8), name).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path


@pytest.fixture
def export(zoo, place):
    def run(*arguments):
        return zoo("export", "./net", "-o", "out", "--runtime", "pocket", *arguments)

    return run


def test_taps_are_compared_and_the_next_command_is_named(export, place):
    result = export("--data", "photos")
    assert result.code == 0, result.err
    assert "MAX DIFFERENCE" in result.out
    assert "1.0e-06" in result.out
    assert "photos: 2 of 2 inputs" in result.err
    assert "2 inputs of yours." in result.err
    assert "Wrote out:" in result.err
    assert "the same first label for 100.0 %" in result.err
    assert "Hint: zoo predict ./out DATA" in result.err
    assert (place / "out" / "zoo_export.json").exists()


def test_the_document(export):
    document = export("--json", "--taps", "head_input").document
    assert document["schema_version"] == 1
    assert (document["folder"], document["format"], document["precision"]) == (
        "out",
        "pocket",
        "fp32",
    )
    assert [each["tap"] for each in document["taps"]] == ["head_input", "logits"]


def test_what_a_precision_costs_is_a_warning(export):
    result = export("--precision", "int8")
    assert result.code == 0
    assert "Warning: int8 changes 5 %." in result.err
    said = export("--precision", "int8", "--data", "photos", "--force").err
    assert "Warning: int8 changes 5 %." in said
    assert "\n2 inputs of yours." in said


def test_the_folder_is_a_model_everywhere(zoo, export):
    assert export().code == 0
    shown = zoo("models", "show", "./out", "--json").document
    assert (shown["model"], shown["library"], shown["labels"]) == ("./out", "pocket", 3)
    added = zoo("registry", "add", "./out", "--registry", "mine.json")
    assert added.code == 0, added.err
    assert json.loads(Path("mine.json").read_text())["models"][0]["library"] == "pocket"
    assert zoo("registry", "verify", "--registry", "mine.json").code == 0
    predicted = zoo("predict", "./out", "photos", "-q")
    assert predicted.out.split() == ["blue", "red"]
    by_name = zoo("predict", "out", "photos", "-q", "--registry", "mine.json")
    assert by_name.out.split() == ["blue", "red"]
    assert "head_input" in zoo("taps", "./out").out


def test_a_damaged_graph_is_named_with_what_to_do(zoo, export, place):
    assert export().code == 0
    path = place / "out" / "graph.npz"
    path.write_bytes(path.read_bytes()[:-10])
    for arguments in (("predict", "./out", "photos"), ("models", "show", "./out")):
        result = zoo(*arguments)
        assert result.code == 1
        assert "graph.npz is damaged" in result.err
        assert "zoo export ./net -o ./out --force" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("--tolerance", "1e-9"), 1, "differs"),
        (("--taps", "nope"), 2, "no tap called 'nope'"),
        (("--data", "phots"), 2, "Did you mean 'photos'"),
        (("--precision", "bf16"), 2, "bf16"),
        (("--runtime", "torch"), 2, "'torch' does not export"),
        (("-o", "photos", "--force"), 2, "holds other things"),
        (("-o", "net/config.json"), 2, "is a file"),
    ],
)
def test_what_is_refused_leaves_nothing(export, place, arguments, code, word):
    before = sorted(place.rglob("*"))
    result = export(*arguments)
    assert result.code == code, result.err
    assert word in result.err
    assert [path for path in sorted(place.rglob("*")) if "__pycache__" not in path.parts] == [
        path for path in before if "__pycache__" not in path.parts
    ]


def test_an_export_that_exists_is_replaced_only_when_asked(export):
    assert export().code == 0
    again = export()
    assert again.code == 2
    assert "--force" in again.err
    assert export("--force").code == 0


def test_a_folder_has_to_be_named(zoo, place):
    result = zoo("export", "./net")
    assert result.code == 2
    assert "--output" in result.err
