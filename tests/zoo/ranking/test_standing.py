"""The order by evidence and prior together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import NotApplicable, PluginError
from zoo.ranking import ModelScores, rank
from zoo.ranking.consensus import log_odds, share_beaten
from zoo.ranking.standing import CLEAR
from zoo.types import ModelEntry, Score, ScoreRecord


class Sum:
    """Log odds of the evidence plus the prior."""

    def combine(self, contestants, evidence):
        odds = log_odds(evidence)
        return [
            Score(each.prior.value + float(odd))
            for each, odd in zip(contestants, odds, strict=True)
        ]


class Nothing:
    def combine(self, contestants, evidence):
        raise NotApplicable("no prior.")


class Broken:
    def combine(self, contestants, evidence):
        return [Score(math.nan)] * len(contestants)


def _model(name, value, noise=0.01):
    random = np.random.default_rng(len(name))
    record = ScoreRecord(
        model=name, layer="head", estimator="knn", value=value, z=9.0,
        folds=tuple(value + noise * random.standard_normal(10)),
    )  # fmt: skip
    entry = ModelEntry(ref=name, parameters=1000)
    return ModelScores(model=name, records=(record,), default_layer="head", entry=entry)


def _rank(models, priors, combiner=None):
    priors = {name: Score(value, note="size") for name, value in priors.items()}
    return rank(models, samples=500, priors=priors, combiner=combiner)


@pytest.fixture
def models():
    return [_model("a", 3.0), _model("bb", 2.0), _model("ccc", 1.0)]


def test_the_order_goes_by_the_combined_score_and_both_parts_are_shown(models):
    ranked = _rank(models, {"a": 0.0, "bb": 0.0, "ccc": 9.0}, Sum())
    assert [row.model for row in ranked.ranking] == ["ccc", "a", "bb"]
    first = ranked.ranking[0]
    assert first.evidence == pytest.approx(0.0, abs=1e-3)
    assert first.score > 0.95
    assert first.estimators["combined"].rank == 1
    assert first.estimators["combined"].z is None
    assert first.estimators["prior"].value == 9.0
    assert first.estimators["prior"].note == "size"
    assert first.interval[0] <= first.score <= first.interval[1]
    assert first.counted == 1


def test_the_score_is_the_expected_share_of_the_others_beaten(models):
    ranked = _rank(models, {"a": 0.0, "bb": 0.0, "ccc": 0.0}, Sum())
    values = {row.model: row.estimators["combined"].value for row in ranked.ranking}
    for row in ranked.ranking:
        others = [value for name, value in values.items() if name != row.model]
        chances = [1 / (1 + math.exp(other - values[row.model])) for other in others]
        assert row.score == pytest.approx(np.mean(chances))


@pytest.mark.parametrize("combiner", [None, Nothing()])
def test_without_a_combiner_that_applies_the_evidence_stands(models, combiner):
    priors = {"a": 0.0, "bb": 0.0, "ccc": 9.0}
    ranked = _rank(models, priors, combiner)
    assert [row.model for row in ranked.ranking] == ["a", "bb", "ccc"]
    assert all(row.score == row.evidence for row in ranked.ranking)
    assert "combined" not in ranked.ranking[0].estimators
    assert ranked.ranking[0].estimators["prior"].value == 0.0


def test_a_combiner_that_gives_nonsense_is_named(models):
    with pytest.raises(PluginError, match="combiner"):
        _rank(models, {"a": 0.0, "bb": 0.0, "ccc": 9.0}, Broken())


def test_a_tie_of_the_evidence_is_broken_by_a_prior_that_is_far_apart():
    models = [_model("a", 1.0, noise=1.0), _model("bb", 1.0, noise=1.0)]
    close = _rank(models, {"a": CLEAR / 2, "bb": 0.0}, Sum()).ranking
    assert all(row.tied for row in close)
    apart = _rank(models, {"a": 4 * CLEAR, "bb": 0.0}, Sum()).ranking
    assert not any(row.tied for row in apart)
    assert apart[0].model == "a"


def test_a_clear_difference_of_the_evidence_is_no_tie_whatever_the_prior(models):
    ranked = _rank(models, {"a": 0.0, "bb": 0.7, "ccc": 1.2}, Sum())
    assert not any(row.tied for row in ranked.ranking)


def test_uncertain_evidence_moves_the_order_less_than_certain_evidence():
    certain = [_model("a", 2.0), _model("bb", 1.0)]
    unsure = [_model("a", 2.0, noise=2.0), _model("bb", 1.0, noise=2.0)]
    priors = {"a": 0.0, "bb": 0.5}
    assert _rank(certain, priors, Sum()).ranking[0].model == "a"
    assert _rank(unsure, priors, Sum()).ranking[0].model == "bb"


def test_the_agreement_with_the_prior_is_that_of_the_evidence(models):
    ranked = _rank(models, {"a": 0.0, "bb": 5.0, "ccc": 9.0}, Sum())
    assert [row.model for row in ranked.ranking] == ["ccc", "bb", "a"]
    assert ranked.prior_agreement == pytest.approx(-1.0)


def test_a_lone_model_is_compared_with_shuffled_labels_and_not_combined():
    (row,) = _rank([_model("a", 1.0)], {"a": 1.0}, Sum()).ranking
    assert row.score == row.evidence
    assert "combined" not in row.estimators


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_log_odds_are_finite_rise_with_the_share_and_are_nought_in_the_middle(shares):
    odds = log_odds(np.array(shares))
    assert np.isfinite(odds).all()
    assert np.all(np.diff(odds[np.argsort(shares)]) >= -1e-12)
    assert log_odds(np.full(len(shares), 0.5)) == pytest.approx(0.0)


@given(st.lists(st.floats(-800, 800), min_size=2, max_size=12))
def test_shares_lie_between_nought_and_one_and_sum_to_half_the_pairs(values):
    shares = share_beaten(np.array(values))
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares.sum() == pytest.approx(len(values) / 2)
