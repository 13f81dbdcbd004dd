"""``zoo evaluate``: text, JSON, CSV and the page."""

from __future__ import annotations

import csv
import io
import json
import re

import msgspec
import pytest

SCORES = "set,model,logme,knn\n" + "".join(
    f"{name},{model},{place},{-place}\n"
    for name in ("x", "y$1")
    for place, model in enumerate(("a", "b", "hub:org/c@main"))
)
TRUTH = "set,model,recipe,seed,value\n" + "".join(
    f"{name},{model},{recipe},{seed},0.{place + 1}{seed}\n"
    for name in ("x", "y$1")
    for place, model in enumerate(("a", "b", "c", "d<e"))
    for recipe in ("head", "full")
    for seed in (0, 1)
)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    (tmp_path / "scores.csv").write_text(SCORES)
    (tmp_path / "truth.csv").write_text(TRUTH)
    return tmp_path


def test_every_score_has_a_line_a_data_set_and_a_mean(zoo):
    result = zoo("evaluate", "scores.csv", "truth.csv", "--where", "recipe=head")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].split()[:5] == ["SET", "BY", "MODELS", "TAU_W", "P"]
    assert [line.split()[1] for line in lines[1:4]] == ["logme", "knn", "static"]
    assert lines[1].split()[3] == "1.000"
    assert lines[-1].startswith("mean of 2")
    assert "Without a score (x): d<e." in result.err


def test_json_has_the_measures_under_their_names(zoo):
    arguments = ("evaluate", "scores.csv", "truth.csv", "--where", "recipe=full", "--json")
    document = zoo(*arguments).document
    first = document["quality"][0]
    assert (first["by"], first["set"], first["models"]) == ("logme", "x", 3)
    assert {"weighted_tau", "tau_b", "pearson", "p", "rel@1", "rel@3", "regret@1", "regret@3"} <= (
        set(first)
    )
    assert {each["by"] for each in document["means"]} == {"logme", "knn", "static"}
    assert document["missing"][0]["without_score"] == ["d<e"]
    assert document["schema_version"] == 1
    assert document == zoo(*arguments).document


def test_csv_has_numbers_and_gaps(zoo, files):
    (files / "flat.csv").write_text("model,flat\na,1\nb,1\nc,1\n")
    result = zoo("evaluate", "flat.csv", "truth.csv", "--where", "recipe=head", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert rows[0]["by"] == "flat"
    assert rows[0]["weighted_tau"] == ""
    assert float(rows[0]["regret@1"]) == pytest.approx(0.2)


def test_the_page_asks_for_nothing_and_has_a_plot_a_score(zoo, files):
    options = ("--where", "recipe=head", "--html", "quality.html")
    assert zoo("evaluate", "scores.csv", "truth.csv", *options).code == 0
    page = (files / "quality.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<script" not in page
    assert "d&lt;e" in page
    assert "d<e" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "var(--accent)" in page


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("scores.csv", "truth.csv"), "more than one recipe: head, full"),
        (("scores.csv", "gone.csv"), "gone.csv cannot be read"),
        (("gone.csv", "truth.csv"), "gone.csv cannot be read"),
        (("scores.csv", "truth.csv", "--where", "recipe"), "not of the form COLUMN=VALUE"),
        (("nobody", "truth.csv"), "nobody"),
        (("other.csv", "truth.csv", "--where", "recipe=head"), "fewer than two models"),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence(zoo, files, arguments, sentence):
    (files / "other.csv").write_text("model,logme\nq,1\nr,2\n")
    result = zoo("evaluate", *arguments)
    assert result.code == 2
    assert sentence in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_a_page_that_cannot_be_written_is_one_sentence(zoo):
    options = ("--where", "recipe=head", "--html", "no/such/folder.html")
    result = zoo("evaluate", "scores.csv", "truth.csv", *options)
    assert result.code == 2
    assert "cannot be written" in result.err


def test_a_ranking_is_evaluated_with_its_prior_and_every_estimator(zoo, files, ranking):
    (files / "ranking.json").write_bytes(msgspec.json.encode(ranking))
    models = [row.model for row in ranking.ranking]
    lines = [f"{model},{1 - place / 10}" for place, model in enumerate(models)]
    (files / "results.csv").write_text("\n".join(["model,accuracy", *lines]) + "\n")
    document = zoo("evaluate", "ranking.json", "results.csv", "--json").document
    quality = {each["by"]: each for each in document["quality"]}
    assert list(quality)[:2] == ["score", "prior"]
    assert quality["score"]["weighted_tau"] == pytest.approx(1.0)
    assert quality["score"]["p"] == pytest.approx(1 / 720)
    assert quality["ridge_loo"]["models"] == 5
    assert json.dumps(document)


def test_a_ranking_of_another_data_set_has_to_be_pointed_at_it(zoo, files, ranking):
    (files / "ranking.json").write_bytes(msgspec.json.encode(ranking))
    lines = [f"x,{row.model},{row.score}" for row in ranking.ranking]
    (files / "results.csv").write_text("\n".join(["set,model,value", *lines]) + "\n")
    result = zoo("evaluate", "ranking.json", "results.csv")
    assert result.code == 2
    assert "the results are of: x" in result.err
    assert zoo("evaluate", "ranking.json", "results.csv", "--where", "set=x").code == 0
