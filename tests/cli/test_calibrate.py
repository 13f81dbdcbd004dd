"""``zoo calibrate``, and ``zoo predict`` after it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a classifier and pictures in five folders."""
    monkeypatch.chdir(tmp_path)
    build_tiny_checkpoint("resnet", tmp_path / "net")
    draw = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "labelled" / f"LABEL_{number % 5}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
    shutil.copytree("labelled", "photos")
    return tmp_path


def test_a_folder_is_calibrated_judged_and_predicts(zoo, place):
    asked = ("--data", "photos", "--eval", "labelled", "--set", "size=40", "--device", "cpu")
    result = zoo("calibrate", "./net", *asked)
    assert result.code == 0, result.err
    head, own, after = result.out.splitlines()
    assert head.split() == ["PROBABILITIES", "ACCURACY", "ECE", "NLL", "BRIER"]
    assert own.startswith("the model's own")
    assert after.startswith("laplace")
    assert "10 choose and 10 judge" in result.err
    assert "On 10 samples that chose nothing" in result.err
    assert "prior_precision" in result.err
    assert json.loads((place / "net" / "calibration.json").read_text())["options"] == {"size": 40}
    assert (place / "net" / "calibration.safetensors").is_file()

    found = zoo("predict", "./net", "photos", "--device", "cpu", "--json")
    assert found.document["calibrated"] == "laplace"
    assert "Calibrated by laplace" in found.document["notes"][-1]
    assert "Calibrated by laplace" in found.err
    plain = zoo("predict", "./net", "photos", "--device", "cpu", "--no-calibration", "--json")
    assert plain.document["calibrated"] == ""
    assert "Calibrated" not in plain.err


def test_the_document_has_the_record(zoo, place):
    result = zoo("calibrate", "./net", "--data", "photos", "--device", "cpu", "--json")
    assert result.code == 0, result.err
    record = result.document["calibration"]
    assert (record["method"], record["samples"], record["before"]) == ("laplace", 20, None)
    assert "without labels nobody can say" in result.err
    assert record == json.loads((place / "net" / "calibration.json").read_text())


def test_a_calibration_of_other_weights_is_ignored_with_a_warning(zoo, place):
    zoo("calibrate", "./net", "--data", "photos", "--device", "cpu", "--set", "size=5")
    build_tiny_checkpoint("regnet", place / "other")
    for name in ("calibration.json", "calibration.safetensors"):
        shutil.copy(place / "net" / name, place / "other" / name)
    result = zoo("predict", "./other", "photos", "--device", "cpu", "-q")
    assert result.code == 0
    assert result.err.count("Warning:") == 1
    assert "other weights" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("./net",), "--data"),
        (("./net", "--data", "nowhere"), "there is no file or folder 'nowhere'"),
        (("./net", "--data", "photos", "--method", "platt"), "no calibrator called 'platt'"),
        (("./net", "--data", "photos", "--set", "size=9999"), "1 to 5000"),
        (("./net", "--data", "photos", "--set", "size"), "OPTION=VALUE"),
        (("./net", "--data", "photos", "--set", "subnet=first"), "subnet"),
        (("./net", "--data", "photos", "--device", "cuda:7"), "no device 'cuda:7'"),
        (("embedded:vit-digit-parity", "--data", "photos"), "is no folder"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(zoo, place, arguments, said):
    before = sorted(path.name for path in (place / "net").iterdir())
    result = zoo("calibrate", *arguments)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err
    assert sorted(path.name for path in (place / "net").iterdir()) == before
