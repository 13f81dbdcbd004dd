"""The amalgamation benchmark: which runs there are, how they are resumed, what is made of them."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def script():
    return importlib.import_module("amalgamation")


@pytest.fixture
def summary():
    return importlib.import_module("amalgamating.summary")


def share(value, samples=400):
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "samples": samples}


def answer(seed, *, cfl=0.7, kd=0.8, teachers=2, targets="standardised", preset="quick"):
    """Give what a run is remembered as."""
    tasks = {"a": share(0.9, 200), "b": share(0.6, 200)}
    judged = {"inside": share(0.85), "tasks": tasks}
    metrics = {
        "student": {"joint": share(cfl), **judged},
        "kd": {"joint": share(kd), **judged},
        "ensemble": {"joint": share(0.75), **judged},
        "teachers": {each: {"tasks": {each: share(0.8, 200)}} for each in "ab"},
        "differences": [{"against": "kd", "of": "joint accuracy", **share(cfl - kd)}],
    }
    return {
        "teachers": teachers,
        "targets": targets,
        "preset": preset,
        "seed": seed,
        "seconds": 60.0,
        "metrics": metrics,
    }


def test_an_interval_is_wider_where_seeds_differ_and_one_seed_has_that_of_its_samples(summary):
    one = summary.interval([0.8], 400)
    assert one["high"] - 0.8 == pytest.approx(1.96 * (0.8 * 0.2 / 400) ** 0.5, rel=1e-3)
    same, spread = summary.interval([0.8] * 3, 400), summary.interval([0.75, 0.8, 0.85], 400)
    assert same["high"] == pytest.approx(one["high"])
    over_seeds = 4.303 * 0.05 / 3**0.5
    assert spread["high"] - 0.8 == pytest.approx(
        ((one["high"] - 0.8) ** 2 + over_seeds**2) ** 0.5, rel=1e-3
    )


def test_a_difference_is_paired_within_each_seed(summary):
    found = summary.paired([share(-0.1), share(-0.1), share(-0.1)])
    assert (found["value"], found["low"], found["high"]) == pytest.approx((-0.1, -0.15, -0.05))


def test_the_table_has_a_row_a_model_and_targets_and_says_where_cfl_loses(summary):
    runs = [answer(seed) for seed in range(3)] + [answer(0, targets="gated")]
    runs.append(answer(0, targets="concat", preset="paper"))
    text = summary.tables(summary.summarise(runs))
    assert "| teacher a |  | - | - | 80.0 ± 5.5 | - |" in text
    assert text.count("| teacher a |") == 1
    assert "| CFL | standardised | 70.0 ± 4.5 |" in text
    assert "| CFL (preset paper) | concat | 70.0 ± 4.5 |" in text
    assert "| KD | gated | 80.0 ± 3.9 |" in text
    assert "| CFL less | kd: joint |" in text
    assert "| standardised | -10.0 (-15.0 to -5.0) |" in text


def test_numbers_and_table_lie_side_by_side(summary, tmp_path):
    runs = [answer(0)]
    results = {"runs": runs, "summary": summary.summarise(runs)}
    summary.write(results, tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text())["runs"][0]["seed"] == 0
    assert "| KD | standardised |" in (tmp_path / "found.md").read_text()


def test_every_setting_has_every_seed_and_the_paper_one_run(script):
    options = argparse.Namespace(teachers=[2, 4], seeds=3, epochs=None, paper=True)
    runs = script.runs_of(options)
    assert len(runs) == len({each.name for each in runs}) == 2 * 2 * 3 + 1
    assert [each.preset for each in runs].count("paper") == 1


def test_a_run_is_started_gone_on_with_or_left_alone(script, tmp_path, monkeypatch):
    asked = []

    def zoo(_work, words):
        asked.append("plan" if "--dry-run" in words else words[0])
        if asked[-1] != "plan":
            out.mkdir(exist_ok=True)
            (out / "metrics.json").write_text(json.dumps(answer(0)["metrics"]))
        return {"seconds": 1.0, "peak_bytes": 2, "notes": [], "parameters": 3}

    monkeypatch.setattr(script, "zoo", zoo)
    run = script.Run(2, "gated", 0, 15)
    out = tmp_path / "runs" / run.name
    out.parent.mkdir()
    script.carry_out(run, tmp_path)
    assert asked == ["plan", "amalgamate"]
    script.carry_out(run, tmp_path)
    assert asked == ["plan", "amalgamate"]
    (tmp_path / "runs" / f"{run.name}.json").unlink()
    (out / "training").mkdir()
    assert script.carry_out(run, tmp_path)["parameters"] == 3
    assert asked == ["plan", "amalgamate", "resume"]


def test_a_run_names_its_teachers_the_unlabelled_data_and_its_seed(script, tmp_path):
    words = script.Run(4, "standardised", 1, 15, samples=2000).command(tmp_path, tmp_path / "out")
    assert words.count("--teacher") == 4
    assert words[words.index("--data") + 1].endswith("data-4/unlabelled")
    assert words[words.index("--seed") + 1] == "1"
