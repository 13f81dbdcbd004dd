"""``zoo recommend --finetune-top``: what it would cost, and what is shown; a journey trains."""

from __future__ import annotations

import msgspec
import pytest

from zoo.types.ranking import Truth

MODEL = "embedded:resnet-digits-0-4"
TOP = ("recommend", "--demo", "-m", MODEL, "--finetune-top", "2", "--dry-run")


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


def with_truth(ranking):
    facts = {"interval": (0.7, 0.95), "samples": 60, "steps": 12, "seconds": 4.0, "folder": "/f"}
    known = [
        Truth(model=row.model, accuracy=0.9 - 0.2 * number, **facts)
        for number, row in enumerate(ranking.ranking[:2])
    ]
    return msgspec.structs.replace(ranking, truth=tuple(known))


def test_a_dry_run_says_what_fine_tuning_the_leaders_takes(zoo):
    said = zoo(*TOP)
    assert said.code == 0, said.err
    assert "then: the first is fine-tuned (quick) on 899 samples, 180 of them held out" in said.err
    document = zoo(*TOP, "--finetune-preset", "balanced", "--json").document
    assert document["truth"]["preset"] == "balanced"
    assert document["truth"]["steps"] == 330
    assert zoo("recommend", "--demo", "-m", MODEL, "--dry-run", "--json").document["truth"] is None


def test_what_leaders_reached_stands_below_the_ranking(zoo, ranking, tmp_path):
    from zoo.runs import Request, start_run

    run = start_run(tmp_path / "home", Request(data="photos/", finetune_top=2))
    known = with_truth(ranking)
    run.mark("done", known)
    shown = zoo("runs", "show", run.name)
    assert "Fine-tuned, judged on 60 held-out samples:" in shown.out
    assert "0.700 to 0.950" in shown.out
    assert "Fine-tuned" in zoo("runs", "show", run.name, "--format", "md").out
    document = zoo("runs", "show", run.name, "--json").document
    assert [each["accuracy"] for each in document["truth"]] == [0.9, pytest.approx(0.7)]
    judged = zoo("evaluate", run.name, "--json")
    assert judged.code == 0, judged.err
    (score,) = [each for each in judged.document["quality"] if each["by"] == "score"]
    assert (score["models"], score["regret@1"]) == (2, 0.0)


def test_a_run_without_truth_needs_a_file_of_it(zoo, ranking, tmp_path):
    from zoo.runs import Request, start_run

    run = start_run(tmp_path / "home", Request(data="photos/"))
    run.mark("done", ranking)
    result = zoo("evaluate", run.name)
    assert result.code == 2
    assert "no results of their own: name TRUTH.csv" in result.err
    assert "--finetune-top" in result.err
