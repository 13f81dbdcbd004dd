"""``zoo predict`` with a runtime of numpy, and with the real one."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

LABELS = {f"LABEL_{number}" for number in range(5)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    build_tiny_checkpoint("resnet", folder / "resnet")
    build_tiny_checkpoint("bert", folder / "bert")
    build_tiny_checkpoint("vit", folder / "headless", head=False)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with three pictures and a table."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("a", "b", "deep/c"):
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(path)
    (tmp_path / "texts.csv").write_text("text,label\na good film,x\nan awful plot,y\n")
    return tmp_path


@pytest.fixture
def predict(zoo, models, place):
    def run(model, *arguments):
        return zoo("predict", models / model, *arguments, "--device", "cpu")

    return run


def test_images_get_labels_and_probabilities(predict):
    result = predict("resnet", "photos")
    assert result.code == 0, result.err
    head, *rows = result.out.splitlines()
    assert head.split() == ["INPUT", "LABEL", "PROBABILITY"]
    assert [row.split()[0] for row in rows] == ["photos/a.png", "photos/b.png", "photos/deep/c.png"]
    assert {row.split()[1] for row in rows} <= LABELS
    assert "3 inputs in" in result.err
    assert "torch on cpu" in result.err


def test_the_best_of_each_as_rows_for_programs(predict):
    found = predict("bert", "texts.csv", "--top", 3, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(found.out)))
    assert [(row["input"], row["rank"]) for row in rows] == [
        (f"texts.csv row {row}", str(rank)) for row in (2, 3) for rank in (1, 2, 3)
    ]
    assert float(rows[0]["probability"]) >= float(rows[1]["probability"])
    lines = predict("bert", "texts.csv", "--top", 3, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["label"] for line in lines] == [row["label"] for row in rows]


def test_the_document_has_everything(predict):
    document = predict("resnet", "photos", "--json", "--top", 2).document
    assert document["schema_version"] == 1
    assert document["kind"] == "classification"
    assert set(document["labels"]) == LABELS
    assert document["predictions"][0]["input"] == "photos/a.png"
    assert all(len(each["guesses"]) == 2 for each in document["predictions"])
    assert document["failures"] == []


def test_labels_alone_for_a_pipe(predict, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good\n\nbad\n")))
    result = predict("bert", "-", "-q")
    assert len(result.out.split()) == 2
    assert set(result.out.split()) <= LABELS
    assert result.err == ""


def test_an_unreadable_image_is_listed_and_the_others_go_on(predict):
    Path("photos/b.png").write_bytes(b"no image")
    result = predict("resnet", "photos", "--json")
    assert result.code == 3
    (failure,) = result.document["failures"]
    assert failure["input"] == "photos/b.png"
    assert len(result.document["predictions"]) == 2
    assert "photos/b.png" in result.err
    assert predict("resnet", "photos", "--strict").code == 1


def test_many_unreadable_images_do_not_flood_the_terminal(predict):
    for number in range(30):
        Path(f"photos/{number}.png").write_bytes(b"no image")
    result = predict("resnet", "photos")
    assert result.code == 3
    assert result.err.count("cannot read the image") == 10
    assert "30 inputs left out. 20 more; --json lists all." in result.err


@pytest.mark.parametrize(
    ("model", "data", "code", "words"),
    [
        ("headless", "photos", 1, ("has no head that predicts", "zoo recommend", "zoo taps")),
        ("resnet", "texts.csv", 2, ("reads images, but 'texts.csv' holds texts",)),
        ("resnet", "phots", 2, ("no file or folder 'phots'", "Did you mean 'photos'")),
        ("nothing", "photos", 2, ("nothing",)),
    ],
)
def test_bad_input_is_a_sentence_and_what_to_do(predict, model, data, code, words):
    result = predict(model, data)
    assert result.code == code, result.err
    assert all(word in result.err for word in words), result.err
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--top", 0), "--top"),
        (("--batch", "many"), "--batch"),
        (("--text", "nope"), "has no column 'nope'"),
        (("--runtime", "tourch"), "Did you mean 'torch'"),
    ],
)
def test_wrong_options_are_told_before_the_work(predict, arguments, word):
    result = predict("bert", "texts.csv", *arguments)
    assert result.code == 2
    assert word in result.err
