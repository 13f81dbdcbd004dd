"""Export with the real exporter, then predict where no framework can be imported."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

#: Runs the command line where these cannot be imported, as where they are not installed.
HIDDEN = (
    "torch",
    "torchvision",
    "transformers",
    "timm",
    "datasets",
    "sklearn",
    "scipy",
    "pyarrow",
    "pandas",
    "onnx",
    "onnxscript",
    "matplotlib",
    "jinja2",
    "pebble",
    "huggingface_hub",
)
BARE = f"""
import sys
for name in {HIDDEN!r}:
    sys.modules[name] = None
from zoo_cli.main import run
sys.exit(run(sys.argv[1:]))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec("onnxscript") is None, reason="the extra [onnx] is not installed"),
]


@pytest.fixture
def bare(zoo):
    """Run a command where nothing but what a prediction needs can be imported."""

    def run(*arguments, **options):
        return subprocess.run(
            [sys.executable, "-c", BARE, *(str(each) for each in arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=zoo.environment(),
            timeout=200,
            **options,
        )

    return run


def labels(text):
    return [(row["input"], row["label"]) for row in csv.DictReader(io.StringIO(text))]


def test_every_tap_was_compared_on_real_inputs(exported):
    for name, samples in (("resnet", 60), ("bert", 60)):
        report = json.loads((exported / f"{name}.json").read_text())
        assert report["samples"] == samples
        assert report["agreement"] == 1
        assert {"head_input", "logits"} <= {each["tap"] for each in report["taps"]}
        assert max(each["relative"] for each in report["taps"]) <= report["tolerance"]
        assert set(report["files"]) <= {path.name for path in (exported / name).iterdir()}


def test_a_folder_of_images_without_any_framework(bare, zoo, exported, photos, checkpoints):
    plain = bare("predict", exported / "resnet", photos, "--format", "csv")
    assert plain.returncode == 0, plain.stderr
    assert "onnx on" in plain.stderr
    original = zoo("predict", checkpoints["resnet"], photos, "--format", "csv")
    assert labels(plain.stdout) == labels(original.stdout)
    assert len(labels(plain.stdout)) == 60


def test_texts_without_any_framework(bare, zoo, exported, reviews, checkpoints, tmp_path):
    lines = tmp_path / "reviews.txt"
    rows = reviews.read_text().splitlines()
    lines.write_text("".join(row.partition(",")[0] + "\n" for row in rows))
    plain = bare("predict", exported / "bert", lines, "--json", "--top", "5")
    assert plain.returncode == 0, plain.stderr
    original = zoo("predict", checkpoints["bert"], lines, "--json", "--top", "5")
    pairs = zip(json.loads(plain.stdout)["predictions"], original.json["predictions"], strict=True)
    for first, second in pairs:
        assert first["input"] == second["input"]
        shares = {each["label"]: each["probability"] for each in second["guesses"]}
        for guess in first["guesses"]:
            assert guess["probability"] == pytest.approx(shares[guess["label"]], abs=1e-4)


def test_standard_input_and_one_image(bare, exported, photos):
    image = photos / "red" / "3.png"
    first = bare("predict", exported / "resnet", image, "-q")
    second = bare("predict", exported / "resnet", "-", "-q", input=f"{image}\n")
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_taps_and_facts_without_any_framework(bare, exported):
    assert "head_input" in bare("taps", exported / "resnet").stdout
    shown = json.loads(bare("models", "show", exported / "resnet", "--json").stdout)
    assert shown["library"] == "onnx"


def test_a_table_needs_the_reader_of_tables_and_says_so(bare, exported, reviews):
    done = bare("predict", exported / "bert", reviews)
    assert done.returncode == 2
    assert "needs the package pyarrow" in done.stderr
    assert "pip install pyarrow" in done.stderr


def test_a_corrupted_graph_is_named(zoo, exported, photos, tmp_path):
    folder = shutil.copytree(exported / "resnet", tmp_path / "copy")
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-100])
    done = zoo("predict", folder, photos)
    assert done.code == 1
    assert "model.onnx is damaged" in done.stderr
    assert "--force" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_exported_folder_is_ranked_like_its_original(zoo, exported, photos, checkpoints):
    models = ("-m", exported / "resnet", "-m", checkpoints["resnet"])
    few = ("--device", "cpu", "--permutations", 3, "--folds", 3, "-e", "logme")
    done = zoo("recommend", photos, *models, *few, "--json")
    assert done.code == 0, done.stderr
    rows = {row["model"]: row for row in done.json["ranking"]}
    values = [row["estimators"]["logme"]["value"] for row in rows.values()]
    assert len(values) == 2
    assert values[0] == pytest.approx(values[1], rel=1e-3)


def test_an_interrupted_export_leaves_nothing(zoo, checkpoints, tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    command = zoo.command("export", checkpoints["vit"], "-o", place / "exported")
    process = subprocess.Popen(
        command, env=zoo.environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 100
    while process.poll() is None and not list(place.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 130, said
    assert list(place.iterdir()) == []
