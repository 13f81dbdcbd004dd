"""Ground truth for rank quality: measured once, resumed, compared with the rankings."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.errors import InputError

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "rank_quality"
MODELS = ["resnet-digits-0-4", "regnet-textures", "mobilenet-v2-hues"]


@pytest.fixture(autouse=True)
def _scripts_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


def script(name):
    return importlib.import_module(name)


@pytest.fixture
def data(tmp_path):
    """One data set: is the upper or the left half of the image bright?"""
    random = np.random.default_rng(0)
    for split, samples in (("train", 12), ("test", 6)):
        for place, label in enumerate(("left", "upper")):
            folder = tmp_path / "data" / "halves" / split / label
            folder.mkdir(parents=True)
            for number in range(samples):
                pixels = random.integers(0, 120, (32, 32, 3), dtype=np.uint8)
                half = pixels.swapaxes(0, place)[:16]
                half += 120
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "data"


@pytest.fixture
def registry(tmp_path):
    path = tmp_path / "registry.json"
    entries = [{"ref": f"embedded:{name}"} for name in MODELS]
    audio = {"ref": "./sounds", "modality": "audio", "library": "transformers"}
    path.write_text(json.dumps({"models": [*entries, audio]}))
    return path


@pytest.mark.exhaustive
def test_an_interrupted_measurement_goes_on_and_then_has_nothing_left_to_do(
    data, registry, tmp_path, monkeypatch, capsys
):
    table, truth, quality = script("truth_table"), script("truth"), script("quality")
    csv = tmp_path / "truth.csv"
    command = ["--registry", str(registry), "--data", str(data), "-o", str(csv), "--device", "cpu"]
    command += ["--seeds", "2"]
    short = replace(script("full").RECIPES["image"], epochs=1, steps=1)
    monkeypatch.setitem(script("full").RECIPES, "image", short)
    add = table.TruthTable.add

    def add_until_interrupted(self, row):
        add(self, row)
        if len(self.rows) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(table.TruthTable, "add", add_until_interrupted)
        assert truth.main(command) == 130
    assert len(table.read_rows(csv)) == 3
    assert "left out: sounds on halves: reads audio" in capsys.readouterr().out

    assert truth.main(command) == 0
    assert "9 new rows, 12 in all" in capsys.readouterr().out
    rows = table.read_rows(csv)
    assert {row.model for row in rows} == set(MODELS)
    assert {(row.recipe, row.seed) for row in rows} == {
        (recipe, seed) for recipe in ("head", "full") for seed in (0, 1)
    }
    assert all(0 <= row.value <= 1 and (row.train, row.test) == (18, 12) for row in rows)

    before = csv.read_bytes()
    assert truth.main(command) == 0
    assert "0 new rows, 12 in all" in capsys.readouterr().out
    assert csv.read_bytes() == before

    page = tmp_path / "quality.md"
    asked = [str(csv), "--registry", str(registry), "--data", str(data), "-o", str(page)]
    assert quality.main([*asked, "-e", "parc"]) == 0
    text = page.read_text()
    assert text in capsys.readouterr().out
    for expected in ("halves (3)", "### weighted tau", "### regret@1", "| score |", "| parc |"):
        assert expected in text


def test_samples_of_other_sizes_are_not_mixed_into_a_file(tmp_path):
    table = script("truth_table").TruthTable(tmp_path / "truth.csv")
    table.add(row_of("halves", "a", 0, 0.5))
    with pytest.raises(InputError, match="18 train and 12 test"):
        table.check_sizes("halves", "1", 30, 20)
    table.check_sizes("other", "1", 30, 20)


def test_a_damaged_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / "truth.csv"
    script("truth_table").TruthTable(path).add(row_of("halves", "a", 0, 0.5))
    path.write_text(path.read_text().replace("0.5", "half"))
    with pytest.raises(InputError, match="line 2"):
        script("truth_table").read_rows(path)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("../zoo/mobilenet_v1_0.25_128", "mobilenet_v1_0.25_128"),
        ("hub:org/name@main", "name"),
        ("embedded:vit-digit-parity", "vit-digit-parity"),
    ],
)
def test_a_model_is_named_by_the_last_part_of_its_reference(reference, name):
    assert script("truth_table").short_name(reference) == name


@pytest.mark.parametrize("width", [5, 200])
def test_a_head_learns_what_is_linear_whatever_the_width(width):
    random = np.random.default_rng(0)
    features = random.normal(size=(160, width))
    labels = (features[:, 0] > 0).astype(np.int64) + 2 * (features[:, 1] > 0)
    features[:, :2] *= 10
    measure = script("head").head_result
    halves = features[:80], labels[:80], features[80:], labels[80:]
    assert measure(*halves, task="classification", seed=0) > (0.85 if width == 5 else 0.3)
    targets = features[:, 0] - features[:, 1]
    halves = features[:80], targets[:80], features[80:], targets[80:]
    assert measure(*halves, task="regression", seed=0) > (0.9 if width == 5 else 0.2)


def test_the_report_names_the_sets_where_the_prior_wins():
    quality = script("quality")
    results = {"a": 0.9, "b": 0.7, "c": 0.5}
    rows = [
        row_of(name, model, seed, value + 0.01 * seed)
        for name in ("one", "two")
        for model, value in results.items()
        for seed in range(2)
    ]
    right, wrong = {"a": 3.0, "b": 2.0, "c": 1.0}, {"a": 1.0, "b": 2.0, "c": 3.0}
    orders = {
        "one": {"score": right, "combined": right, "prior": wrong, "logme": right},
        "two": {"score": wrong, "combined": right, "prior": right, "logme": {"a": 1.0}},
    }
    text = quality.report(orders, rows, "head")
    assert "`score` is behind the prior on: two." in text
    assert "`combined` is behind the prior on: no data set." in text
    assert "The prior is unbeaten on: two." in text
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line[:2] == "| "}
    assert lines["one seed"].count("0.000") == 3  # the last table is of regret
    assert "| logme | 1.00 | - | 1.00 |" in text
    assert "| static | 1.00 | 1.00 | 1.00 |" in text


def row_of(name, model, seed, value):
    return script("truth_table").TruthRow(
        set=name,
        model=model,
        recipe="head",
        version="1",
        seed=seed,
        metric="accuracy",
        value=value,
        train=18,
        test=12,
        seconds=0.1,
    )
