from __future__ import annotations

import msgspec
import numpy as np
import pytest

from zoo.ranking import ModelScores, rank
from zoo.types import ModelEntry, Score, ScoreRecord

ESTIMATORS = ("logme", "knn", "ridge_loo")


def _record(model, estimator, value, *, layer="head", seed=0, **fields):
    noise = 0.02 * np.random.default_rng([seed, len(model + layer + estimator)]).standard_normal(10)
    defaults = {"folds": tuple(value + noise), "z": 10.0, "null_mean": 0.0, "null_sd": value / 10}
    return ScoreRecord(
        model=model, layer=layer, estimator=estimator, value=value, **{**defaults, **fields}
    )


def _model(name, value, *, parameters=1000, **fields):
    return ModelScores(
        model=name,
        records=tuple(_record(name, each, value, **fields) for each in ESTIMATORS),
        default_layer="head",
        entry=ModelEntry(ref=name, parameters=parameters, license="mit", bytes=7),
        dimensions={"head": 64},
        seconds=1.5,
    )


@pytest.fixture
def models():
    return [_model("a", 1.0), _model("bb", 3.0), _model("ccc", 2.0)]


def test_the_best_model_comes_first_with_everything_known_of_it(models):
    ranked = rank(models, samples=500, classes=10)
    assert [row.model for row in ranked.ranking] == ["bb", "ccc", "a"]
    first = ranked.ranking[0]
    assert (first.rank, first.layer, first.dimension) == (1, "head", 64)
    assert (first.parameters, first.license, first.bytes, first.seconds) == (1000, "mit", 7, 1.5)
    assert first.score == pytest.approx(1.0, abs=1e-3)
    assert first.interval[0] <= first.score <= first.interval[1]
    assert not first.tied
    assert first.tied_with == ()
    assert (first.agree, first.counted) == (3, 3)
    assert first.estimators["knn"].rank == 1
    assert first.estimators["knn"].interval[0] < 3.0 < first.estimators["knn"].interval[1]
    assert ranked.agreement == pytest.approx(1.0)
    assert ranked.warnings == ()


def test_the_order_of_the_models_does_not_matter(models):
    assert rank(models[::-1], samples=500) == rank(models, samples=500)


def test_a_tie_names_both_sides_and_goes_to_the_smaller_model():
    models = [_model("a", 2.0, parameters=9), _model("b", 2.0, parameters=3), _model("cc", 0.5)]
    first, second, third = rank(models, samples=500).ranking
    assert (first.model, second.model) == ("b", "a")
    assert first.tied_with == ("a",)
    assert second.tied_with == ("b",)
    assert first.tied
    assert second.tied
    assert not third.tied


def test_a_saturated_estimator_is_shown_and_not_counted(models):
    def with_saturated(each, value):
        extra = _record(each.model, "hscore", value, saturated=True, note="saturated: N <= D")
        return ModelScores(
            model=each.model,
            records=(*each.records, extra),
            default_layer="head",
            entry=each.entry,
            dimensions=each.dimensions,
            seconds=each.seconds,
        )

    plain = rank(models, samples=500)
    more = rank([with_saturated(each, -each.records[0].value) for each in models], samples=500)
    for row, other in zip(plain.ranking, more.ranking, strict=True):
        assert (row.score, row.interval, row.counted) == (
            other.score,
            other.interval,
            other.counted,
        )
    cell = more.ranking[0].estimators["hscore"]
    assert cell.saturated
    assert cell.rank is None
    assert cell.value == -3.0


def test_an_estimator_that_does_not_apply_is_a_cell_with_a_reason(models):
    dash = ScoreRecord(model="a", layer="head", estimator="leep", not_applicable="needs logits")
    models[0] = ModelScores(model="a", records=(*models[0].records, dash), default_layer="head")
    row = next(row for row in rank(models, samples=500).ranking if row.model == "a")
    assert row.estimators["leep"].value is None
    assert row.estimators["leep"].note == "needs logits"
    assert row.counted == 3


def test_a_model_without_a_usable_score_is_left_out_with_the_reason(models):
    dash = ScoreRecord(model="x", layer="head", estimator="knn", not_applicable="dead layer.")
    silent = ModelScores(model="x", records=(dash,))
    empty = ModelScores(model="y", records=())
    ranked = rank([*models, silent, empty], samples=500)
    assert len(ranked.ranking) == 3
    reasons = {each.model: each.reason for each in ranked.unranked}
    assert reasons == {"x": "dead layer", "y": "it has no score"}


def test_nothing_measured_is_an_empty_ranking():
    ranked = rank([], samples=10)
    assert ranked.ranking == ()
    assert ranked.agreement is None


def test_a_lone_model_is_compared_with_its_own_shuffled_labels():
    (row,) = rank([_model("a", 1.0)], samples=500).ranking
    assert row.score > 0.99
    assert not row.tied
    (row,) = rank([_model("a", 0.01, z=0.1, null_sd=0.1)], samples=500).ranking
    assert 0.4 < row.score < 0.7
    assert not row.signal


def _layers(values, default="head"):
    records = [
        _record("a", name, value, layer=layer) for layer, value in values for name in ESTIMATORS
    ]
    return ModelScores(model="a", records=tuple(records), default_layer=default)


def test_a_clearly_better_layer_is_chosen_and_said_so(models):
    ranked = rank([_layers([("stem", 1.0), ("block", 4.0), ("head", 2.0)])], samples=500)
    (row,) = ranked.ranking
    assert row.layer == "block"
    assert [each.layer for each in row.layers] == ["stem", "block", "head"]
    assert row.layers[1].score > 0.99
    assert row.estimators["knn"].value == 4.0
    assert any("best of several layers" in warning for warning in ranked.warnings)


def test_the_usual_layer_stays_when_no_other_is_clearly_better():
    ranked = rank([_layers([("block", 2.001), ("head", 2.0)])], samples=500)
    assert ranked.ranking[0].layer == "head"
    assert not any("layers" in warning for warning in ranked.warnings)


def test_a_usual_layer_without_scores_gives_way_to_the_last_that_has_some():
    ranked = rank([_layers([("stem", 2.0), ("block", 2.0)], default="gone")], samples=500)
    assert ranked.ranking[0].layer == "block"


def test_the_prior_stands_beside_the_ranking(models):
    priors = {"a": Score(6.0, note="1 M"), "bb": Score(8.0, note="100 M"), "ccc": Score(7.0)}
    ranked = rank(models, samples=500, priors=priors)
    assert [(row.model, row.rank) for row in ranked.prior] == [("bb", 1), ("ccc", 2), ("a", 3)]
    assert ranked.prior[0].reason == "100 M"
    assert ranked.prior_agreement == pytest.approx(1.0)
    reverse = {name: Score(-score.value) for name, score in priors.items()}
    against = rank(models, samples=500, priors=reverse)
    assert against.prior_agreement == pytest.approx(-1.0)
    assert any("contradicts" in warning for warning in against.warnings)
    close = {name: Score(-score.value / 10) for name, score in priors.items()}
    alike = rank(models, samples=500, priors=close)
    assert alike.prior_agreement == pytest.approx(-1.0)
    assert not alike.warnings


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"samples": 40}, "only 40 samples"),
        ({"samples": 400, "classes": 100}, "400 samples for 100 classes"),
        ({"samples": 400, "smallest_class": 1}, "a single sample"),
        ({"samples": 64}, "saturated estimators are left out"),
    ],
)
def test_thin_data_is_said_to_be_thin(models, facts, words):
    assert any(words in warning for warning in rank(models, **facts).warnings)


def test_scores_that_shuffled_labels_reach_too_are_no_signal():
    models = [_model("a", 1.0, z=1.0), _model("b", 2.0, z=2.9)]
    ranked = rank(models, samples=500)
    assert not any(row.signal for row in ranked.ranking)
    assert any("shuffled ones" in warning for warning in ranked.warnings)
    mixed = rank([models[0], _model("b", 2.0)], samples=500)
    assert any(warning.startswith("1 model's features say no more") for warning in mixed.warnings)


def test_a_ranking_where_everything_is_tied_says_so():
    ranked = rank([_model("a", 1.0), _model("bb", 1.001)], samples=500)
    assert any("No model is clearly better" in warning for warning in ranked.warnings)


def test_estimators_that_disagree_are_reported():
    models = [_model("a", 1.0), _model("b", 2.0)]
    flipped = [
        msgspec.structs.replace(record, value=-record.value, folds=tuple(-f for f in record.folds))
        if record.estimator == "knn"
        else record
        for each in models
        for record in each.records
    ]
    ranked = rank(
        [
            ModelScores(model=name, records=tuple(r for r in flipped if r.model == name))
            for name in "ab"
        ],
        samples=500,
    )
    assert ranked.agreement < 0.5
    assert any("disagree" in warning for warning in ranked.warnings)


def test_scores_without_nulls_or_folds_still_rank():
    models = [
        _model("a", 1.0, folds=(), z=None, null_mean=None, null_sd=None),
        _model("b", 2.0, folds=(), z=None, null_mean=None, null_sd=None),
    ]
    first, second = rank(models, samples=500).ranking
    assert (first.model, first.score, first.interval) == ("b", pytest.approx(1.0), first.interval)
    assert second.estimators["knn"].interval is None
    assert first.signal
