"""``zoo runs compare`` against measured results."""

from __future__ import annotations

import pytest

from zoo.runs import Request, start_run
from zoo.settings import resolve
from zoo.types.protocols import ProbeOptions


@pytest.fixture
def run(tmp_path, monkeypatch, ranking):
    """A finished run in a store of its own."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    run = start_run(resolve().settings.folder, Request(data="photos", probe=ProbeOptions()))
    run.mark("done", ranking)
    return run


def test_a_run_is_compared_with_measured_results(zoo, run, tmp_path, ranking):
    results = [(row.model, 1 - row.rank / 10) for row in ranking.ranking]
    lines = [f"{model},{value}" for model, value in results[:4]]
    (tmp_path / "truth.csv").write_text("\n".join(["model,accuracy", *lines]) + "\n")
    result = zoo("runs", "compare", run.name, "truth.csv", "--json")
    assert result.code == 0
    quality = {each["by"]: each for each in result.document["quality"]}
    assert quality["score"]["models"] == 4
    assert quality["score"]["weighted_tau"] == pytest.approx(1.0)
    assert "prior" in quality
    missing = result.document["missing"][0]
    assert len(missing["without_result"]) == 2
    same = zoo("evaluate", run.name, "truth.csv", "--json")
    assert same.document == result.document


def test_results_of_other_models_are_one_sentence(zoo, run, tmp_path):
    (tmp_path / "truth.csv").write_text("model,accuracy\nq,1\nr,2\n")
    result = zoo("runs", "compare", run.name, "truth.csv")
    assert result.code == 2
    assert "fewer than two models" in result.err
    assert "zoo runs show" in result.err
