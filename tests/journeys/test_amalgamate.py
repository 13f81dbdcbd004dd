"""From teachers and unlabelled data to a model that every other command takes."""

from __future__ import annotations

import json
import shutil

import pytest

#: What is asked of a finished folder, where nothing but transformers is needed.
LOAD = """
import sys, warnings
warnings.simplefilter("ignore")
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification
network = AutoModelForImageClassification.from_pretrained("built")
processor = AutoImageProcessor.from_pretrained("built")
inputs = processor(Image.open("pictures/00.png").convert("RGB"), return_tensors="pt")
logits = network.eval()(**inputs).logits
print(tuple(logits.shape), network.config.id2label[logits.argmax().item()])
"""
MORE_CHECKPOINTS = """
import torch
from pathlib import Path
from safetensors.torch import load_file, save_file
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
build_tiny_checkpoint("resnet", "resnet", head=False)
build_tiny_checkpoint("vit", "vit", head=False)
build_tiny_checkpoint("distilbert", "distilbert")
for number in range(2):
    torch.manual_seed(number)
    for name, source in (("soup", "resnet-soup"), ("words", "bert")):
        folder = build_tiny_checkpoint(source.partition("-")[0], f"{name}-{number}")
        weights = load_file(folder / "model.safetensors")
        moved = {
            key: each + 0.01 * torch.rand_like(each) if each.is_floating_point() else each
            for key, each in weights.items()
        }
        save_file(moved, folder / "model.safetensors", metadata={"format": "pt"})
"""
DIGITS, PARITY = "embedded:resnet-digits-0-4", "embedded:vit-digit-parity"
LABELS = ("0", "1", "2", "3", "4", "even", "odd")


@pytest.fixture(scope="session")
def bench(shared_bench):
    """The one that ``built`` is in."""
    return shared_bench


@pytest.fixture(scope="module")
def shelf(bench):
    """Tiny checkpoints beside the pictures: headless ones, texts, and two to be merged."""
    done = bench.run(cwd=bench.folder, code=MORE_CHECKPOINTS)
    assert done.code == 0, done.stderr
    lines = [
        f"the {word} film is {word} and the plot was {number}"
        for number in range(20)
        for word in ("good", "bad")
    ]
    (bench.folder / "lines.txt").write_text("\n".join(lines) + "\n")
    return bench.folder


def document(bench, place):
    return json.loads((bench.folder / place / "metrics.json").read_bytes())


def test_the_folder_holds_a_model_and_its_whole_story(bench, built):
    place = bench.folder / "built"
    assert sorted(path.name for path in place.iterdir()) == [
        "README.md",
        "config.json",
        "label_map.yaml",
        "metrics.json",
        "model.safetensors",
        "preprocessor_config.json",
        "run.yaml",
        "skipped.txt",
        "training.jsonl",
        "training.png",
    ]
    config = json.loads((place / "config.json").read_bytes())
    assert tuple(config["id2label"].values()) == LABELS
    assert [each["alias"] for each in config["zoo_label_spaces"]] == ["digits", "parity"]
    metrics = document(bench, "built")
    for name in ("student", "ensemble", "kd"):
        assert metrics[name]["joint"]["samples"] == 12, name
    assert metrics["student"]["agreement"]["samples"] == 4
    assert set(metrics["teachers"]) == {"digits"}  # the labelled data has no parity
    assert [line["step"] for line in bench.losses("built")] == [1, 2, 3, 4, 5, 6]


def test_what_cannot_be_read_is_listed_and_left_out(bench, built):
    name, reason = (bench.folder / "built" / "skipped.txt").read_text().rstrip().split("\t")
    assert name == "pictures/40.png"
    assert reason == "its bytes are no known image format"
    assert "1 input of the data cannot be read and was left out: pictures/40.png" in built.stderr


def test_a_person_is_told_what_goes_on(built):
    said = built.stderr
    for words in (
        "teacher digits  embedded:resnet-digits-0-4",
        "6 steps of 16, 3 epochs (balanced) on cpu",
        "teacher digits: asked about 4 held-out and 12 labelled samples",
        "training student and kd on 36 samples: 6 steps",
        "Wrote built",
        "zoo predict ./built DATA | zoo registry add ./built",
    ):
        assert words in said, said
    assert said.count("opening") == 2
    header, *rows = built.stdout.splitlines()
    assert header.split()[:2] == ["MODEL", "JOINT"]
    assert [row.split("  ")[0] for row in rows] == ["student", "kd", "ensemble", "teacher digits"]


def test_transformers_alone_loads_it(bench, built):
    done = bench.run(cwd=bench.folder, code=LOAD)
    assert done.code == 0, done.stderr
    shape, label = done.stdout.rsplit(maxsplit=1)
    assert shape == "(1, 7)"
    assert label in LABELS


def test_it_predicts_and_is_a_candidate_like_any_other(bench, built):
    done = bench("predict", "./built", "pictures/00.png", "--json")
    assert done.code == 0, done.stderr
    assert any(f'"{label}"' in done.stdout for label in LABELS)
    done = bench("registry", "add", "./built", "--registry", "mine.json")
    assert done.code == 0, done.stderr
    done = bench("recommend", "labelled", "--registry", "mine.json", "--json", "--offline")
    assert done.code == 0, done.stderr
    (row,) = done.json["ranking"]
    assert row["model"].endswith("built")


@pytest.mark.exhaustive
def test_its_recipe_makes_the_very_same_again(bench, built):
    shutil.copy(bench.folder / "built" / "run.yaml", bench.folder / "again.yaml")
    done = bench("amalgamate", "--config", "again.yaml", "--yes", "-o", "again", "-q")
    assert done.code == 0, done.stderr
    assert bench.weights("again") == bench.weights("built")
    assert bench.losses("again") == bench.losses("built")


def test_a_folder_that_exists_is_refused_before_anything_is_read(bench, built):
    done = bench.build("built")
    assert done.code == 2
    assert "'built' holds a finished model" in done.stderr


@pytest.mark.parametrize(
    ("data", "words"), [("none", "none of the 2 inputs of 'none' can be read")], ids=["unreadable"]
)
def test_an_early_failure_leaves_nothing(bench, data, words):
    folder = bench.folder / data
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.png").write_bytes(b"no picture")
    done = bench(
        *("amalgamate", "--teacher", DIGITS, "--teacher", PARITY, "--method", "ensemble"),
        *("--data", data, "--yes", "-o", "deep/failed"),
    )
    assert done.code == 2, done.stderr
    assert words in done.stderr
    assert not (bench.folder / "deep").exists()


def test_one_teacher_and_some_of_its_labels(bench):
    done = bench(
        *("amalgamate", "--teacher", f"digits={DIGITS}", "--student", "embedded:regnet-textures"),
        *("--data", "pictures", "--keep", "0", "--keep", "3", "--batch", 16, "--epochs", 1),
        *("--yes", "-o", "two"),
    )
    assert done.code == 0, done.stderr
    config = json.loads((bench.folder / "two" / "config.json").read_bytes())
    assert list(config["id2label"].values()) == ["0", "3"]
    assert "one teacher" in done.stderr


def test_two_text_encoders_teach_a_third(bench, shelf):
    done = bench(
        *("amalgamate", "--teacher", "a=./words-0", "--teacher", "b=./words-1"),
        *("--student", "./distilbert", "--data", "lines.txt", "--method", "cfl"),
        *("--labels", "separate", "--batch", 16, "--epochs", 1, "--yes", "-o", "read"),
    )
    assert done.code == 0, done.stderr
    config = json.loads((shelf / "read" / "config.json").read_bytes())
    assert len(config["id2label"]) == 10
    assert (shelf / "read" / "tokenizer.json").exists()
    done = bench("predict", "./read", "lines.txt", "--json")
    assert done.code == 0, done.stderr


def test_teachers_without_heads_make_an_extractor(bench, shelf):
    done = bench(
        *("amalgamate", "--teacher", "a=./resnet", "--teacher", "b=./vit"),
        *("--student", "embedded:regnet-textures", "--data", "pictures", "--batch", 16),
        *("--epochs", 1, "--yes", "-o", "extractor"),
    )
    assert done.code == 0, done.stderr
    assert "agglomerate" in done.stderr
    config = json.loads((shelf / "extractor" / "config.json").read_bytes())
    assert "zoo_label_spaces" not in config
    assert not (shelf / "extractor" / "label_map.yaml").exists()


@pytest.mark.parametrize("data", [(), ("--data", "pictures")], ids=["blind", "with data"])
def test_weights_of_one_architecture_are_merged(bench, shelf, data):
    place = "-".join(["merged", *data[1:]])
    done = bench(
        *("amalgamate", "--teacher", "a=./soup-0", "--teacher", "b=./soup-1"),
        *("--method", "merge-linear", "--labels", "union", *data, "--yes", "-o", place),
    )
    assert done.code == 0, done.stderr
    config = json.loads((shelf / place / "config.json").read_bytes())
    assert len(config["id2label"]) == 5
    wanted = "were re-estimated on the data" if data else "--data FOLDER re-estimates them"
    assert wanted in done.stderr
    if data:
        assert document(bench, place)["student"]["agreement"]["samples"] == 4


def test_an_ensemble_is_judged_and_nothing_is_made(bench):
    done = bench(
        *("amalgamate", "--teacher", f"digits={DIGITS}", "--teacher", f"parity={PARITY}"),
        *("--method", "ensemble", "--eval", "labelled", "--yes", "-o", "together"),
    )
    assert done.code == 0, done.stderr
    found = document(bench, "together")
    assert found["ensemble"]["joint"]["samples"] == 12
    assert not found.get("student")
    assert sorted(path.name for path in (bench.folder / "together").iterdir()) == [
        "metrics.json",
        "run.yaml",
    ]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_graph_is_added_and_compared(bench):
    done = bench.build("graph", "--method", "kd", "--onnx")
    assert done.code == 0, done.stderr
    assert "onnx/ differs from PyTorch by at most" in done.stderr
    assert (bench.folder / "graph" / "onnx" / "model.onnx").exists()
    assert "onnx" in (bench.folder / "graph" / "README.md").read_text()
