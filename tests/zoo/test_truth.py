"""What leaders are worth: planned before anybody leads, measured one by one, never lost."""

from __future__ import annotations

import msgspec
import pytest

from zoo.errors import CheckpointError, InputError
from zoo.evaluation import evaluate
from zoo.pipeline import Prepared
from zoo.plan import Plan, PlannedModel
from zoo.runs import Request, start_run
from zoo.settings import Settings
from zoo.truth import find_truth, plan_truth, recipe_of
from zoo.types.built import BuiltModel
from zoo.types.model import Candidate, ModelEntry
from zoo.types.protocols import ProbeOptions
from zoo.types.provenance import Provenance
from zoo.types.ranking import ProbeSummary, Ranking, RankingRow

MODELS = ("embedded:a", "embedded:b", "embedded:c")


def planned(model, seconds):
    candidate = Candidate(entry=ModelEntry(ref=model), base="")
    return PlannedModel(candidate=candidate, runtime="torch", download=0, seconds=seconds)


def make_plan(task="classification", rows=5000, **changes):
    probe = ProbeSummary(
        name="x",
        source="x",
        task=task,
        modality="image",
        samples=1000,
        classes=3,
        fingerprint="0",
        rows=rows,
    )
    models = tuple(planned(*each) for each in zip(MODELS, (1.0, 4.0, 2.0), strict=True))
    facts = {
        "models": models,
        "excluded": (),
        "failures": (),
        "estimators": (),
        "jobs": 2,
        "device": "cpu",
    }
    return Plan(probe=probe, registry="", **{**facts, **changes})


def question(top=2, **more):
    return Request(data="x", finetune_top=top, **more)


def test_nothing_is_planned_unless_it_is_asked_for():
    assert plan_truth(question(0), make_plan()) is None


def test_the_plan_says_what_the_most_expensive_leaders_would_take():
    found = plan_truth(question(), make_plan())
    assert (found.top, found.preset, found.samples, found.held_out) == (2, "quick", 2000, 400)
    assert found.steps == 6 * (1600 // 64)
    assert found.seconds == pytest.approx((4 + 2) / 1000 * (3 * 6 * 1600 + 400) / 2)
    assert plan_truth(question(9), make_plan(rows=100)).top == 3
    assert plan_truth(question(finetune_preset="balanced"), make_plan()).samples == 5000


def test_a_cost_that_nobody_knows_is_left_out():
    plan = make_plan(models=(planned("embedded:a", None), planned("embedded:b", 1.0)))
    assert plan_truth(question(), plan).seconds is None


@pytest.mark.parametrize("task", ["regression", "multi-label", "text"])
def test_labels_that_cannot_be_learned_are_refused_before_anything_is_run(task):
    with pytest.raises(InputError, match=f"one class a sample, and the labels of 'x' are {task}"):
        plan_truth(question(), make_plan(task))


def test_made_up_labels_and_unknown_presets_are_refused():
    with pytest.raises(InputError, match="--pretext puzzle does without"):
        plan_truth(question(pretext="puzzle"), make_plan())
    with pytest.raises(InputError, match="Did you mean 'quick'"):
        plan_truth(question(finetune_preset="quik"), make_plan())


def test_all_leaders_get_the_same_recipe_but_for_their_name():
    asked = question(probe=ProbeOptions(label=("stars",), seed=7), folder="/there")
    one, other = (recipe_of(model, asked) for model in MODELS[:2])
    assert one.pop("student") != other.pop("student")
    assert one == other
    assert (one["seed"], one["probe"]["label"], one["held_out"]) == (7, ("stars",), 0.2)


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Find the truth of three leaders with a training that does as it is told."""
    trained = []

    def row(rank, model):
        more = {"interval": (0, 1), "tied": False, "layer": "x", "estimators": {}}
        return RankingRow(model=model, rank=rank, score=1 / rank, **more)

    ranking = Ranking(
        run="r",
        probe=make_plan().probe,
        ranking=tuple(row(rank, model) for rank, model in enumerate(MODELS, start=1)),
        prior=(),
        excluded=(),
        failures=(),
        provenance=Provenance(command=(), started="", versions={}, seed=0, device="cpu"),
    )
    run = start_run(tmp_path, question(3))
    prepared = Prepared(request=question(3), probe=None, plan=make_plan())

    def go(outcomes):
        def train(model, request, settings, catalogue, place, *, on_event):
            trained.append(model)
            outcome = outcomes[model]
            if isinstance(outcome, BaseException):
                raise outcome
            share = {"value": outcome, "low": 0.1, "high": 1.0, "samples": 40}
            place.mkdir(exist_ok=True)
            return BuiltModel(
                folder=str(place),
                command="finetune",
                method="labels",
                teachers={},
                metrics={} if outcome is None else {"student": {"joint": share}},
                steps=9,
                seconds=1.5,
                interrupted=outcome == -1,
            )

        monkeypatch.setattr("zoo.truth._train", train)
        del trained[:]
        return find_truth(run, ranking, prepared, Settings(home=str(tmp_path)), None), trained

    return go


def test_every_leader_is_its_own_failure_domain(measure):
    outcomes = {
        MODELS[0]: 0.5,
        MODELS[1]: CheckpointError("its files are gone.", "pull"),
        MODELS[2]: None,
    }
    found, trained = measure(outcomes)
    assert trained == list(MODELS)
    assert [(each.model, each.accuracy, each.steps) for each in found.truth] == [
        (MODELS[0], 0.5, 9)
    ]
    assert [(each.model, each.stage) for each in found.failures] == [
        (MODELS[1], "finetune"),
        (MODELS[2], "finetune"),
    ]
    assert "nothing was held out" in found.failures[1].error


def test_what_was_measured_before_an_interruption_is_not_measured_again(measure):
    with pytest.raises(KeyboardInterrupt):
        measure({MODELS[0]: 0.5, MODELS[1]: -1})
    found, trained = measure({MODELS[1]: 0.75, MODELS[2]: 0.25})
    assert trained == list(MODELS[1:])
    assert [each.accuracy for each in found.truth] == [0.5, 0.75, 0.25]
    again, trained = measure({})
    assert again == found
    assert not trained


def test_a_ranking_is_evaluated_by_its_own_truth(measure):
    found, _ = measure(dict(zip(MODELS, (0.9, 0.5, 0.7), strict=True)))
    (quality,) = [each for each in evaluate(found).quality if each.by == "score"]
    assert (quality.models, quality.regret_1) == (3, 0.0)
    with pytest.raises(InputError, match="a result of one model only"):
        evaluate(msgspec.structs.replace(found, truth=found.truth[:1]))
    with pytest.raises(InputError, match="no results of their own"):
        evaluate({"score": {"a": 1.0}})
