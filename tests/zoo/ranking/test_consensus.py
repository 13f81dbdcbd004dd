from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.ranking.consensus import Contest, concordance
from zoo.ranking.jackknife import interval, standard_error

quick = settings(max_examples=40, deadline=None)
sizes = st.tuples(st.integers(1, 4), st.integers(2, 7), st.integers(2, 10), st.integers(0, 999))


def _contest(size, *, holes=False):
    estimators, candidates, folds, seed = size
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((estimators, candidates))
    noise = 0.2 * generator.standard_normal((estimators, candidates, folds))
    if holes:
        values[generator.random(values.shape) < 0.3] = np.nan
    folds = np.where(np.isnan(values)[:, :, None], np.nan, values[:, :, None] + noise)
    return Contest(values, folds)


@quick
@given(sizes)
def test_scores_are_shares_that_add_up_to_half_of_all_pairs(size):
    contest = _contest(size, holes=True)
    assert ((contest.scores >= 0) & (contest.scores <= 1)).all()
    assert contest.scores.sum() == pytest.approx(size[1] / 2)
    for score, (low, high) in zip(contest.scores, contest.intervals(), strict=True):
        assert 0 <= low <= score + 1e-12
        assert score - 1e-12 <= high <= 1


@quick
@given(sizes)
def test_the_order_of_candidates_and_of_estimators_does_not_matter(size):
    contest = _contest(size, holes=True)
    generator = np.random.default_rng(0)
    rows, columns = generator.permutation(size[0]), generator.permutation(size[1])
    moved = Contest(contest.values[rows][:, columns], contest.folds[rows][:, columns])
    assert moved.scores == pytest.approx(contest.scores[columns])
    assert np.array_equal(moved.tied(), contest.tied()[columns][:, columns])


@quick
@given(sizes, st.floats(0.01, 100), st.floats(-5, 5))
def test_the_scale_of_an_estimator_does_not_matter(size, factor, shift):
    contest = _contest(size)
    factors = np.ones(size[0])
    factors[0] = factor
    moved = Contest(
        contest.values * factors[:, None] + shift, contest.folds * factors[:, None, None] + shift
    )
    assert moved.scores == pytest.approx(contest.scores, abs=1e-6)


@quick
@given(sizes)
def test_ties_are_symmetric_and_never_with_oneself(size):
    tied = _contest(size, holes=True).tied()
    assert np.array_equal(tied, tied.T)
    assert not tied.diagonal().any()


@quick
@given(sizes)
def test_an_estimator_that_nobody_counts_for_changes_nothing(size):
    contest = _contest(size)
    more = Contest(
        np.concatenate([contest.values, np.full((1, size[1]), np.nan)]),
        np.concatenate([contest.folds, np.full((1, *size[1:3]), np.nan)]),
    )
    assert np.array_equal(more.scores, contest.scores)
    assert more.intervals() == contest.intervals()


@quick
@given(sizes)
def test_whoever_is_clearly_best_everywhere_wins(size):
    contest = _contest(size)
    values, folds = contest.values.copy(), contest.folds.copy()
    values[:, 0] += 100
    folds[:, 0] += 100
    contest = Contest(values, folds)
    assert contest.scores.argmax() == 0
    assert contest.scores[0] > 0.999
    assert not contest.tied()[0].any()


def test_equal_candidates_are_even_and_tied():
    folds = np.random.default_rng(0).standard_normal((2, 1, 10)).repeat(2, axis=1)
    contest = Contest(folds.mean(axis=2), folds)
    assert contest.scores.tolist() == [0.5, 0.5]
    assert contest.tied()[0, 1]


def test_a_difference_within_its_error_counts_little():
    noise = np.random.default_rng(0).standard_normal((1, 2, 10))
    values = np.array([[0.1, 0.0]])
    near = Contest(values, values[:, :, None] + noise)
    assert 0.5 < near.scores[0] < 0.6
    assert near.tied()[0, 1]
    far = Contest(values, values[:, :, None] + 1e-3 * noise)
    assert far.scores[0] > 0.999


def test_one_certain_estimator_does_not_outvote_three_doubtful_ones():
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((4, 2, 10))
    values = np.array([[1.0, 0], [0, 1], [0, 1], [0, 1]])
    scale = np.array([1e-9, 0.3, 0.3, 0.3])[:, None, None]
    contest = Contest(values, values[:, :, None] + scale * noise)
    assert contest.scores[1] > contest.scores[0]
    assert contest.tied()[0, 1]


def test_without_folds_there_is_an_order_and_no_certainty():
    contest = Contest(np.array([[3.0, 1.0, 1.0]]), np.empty((1, 3, 0)))
    assert contest.scores == pytest.approx([1.0, 0.25, 0.25])
    assert contest.intervals() == [(0.0, 1.0)] * 3
    assert contest.tied().tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_an_estimator_without_folds_decides_no_tie():
    noise = np.random.default_rng(0).standard_normal((1, 2, 10))
    values = np.array([[1.0, 0.0], [0.1, 0.0]])
    folds = np.concatenate([np.full((1, 2, 10), np.nan), values[1:, :, None] + noise])
    assert Contest(values, folds).tied()[0, 1]


def test_candidates_that_share_no_estimator_are_even():
    values = np.array([[1.0, np.nan], [np.nan, 1.0]])
    assert Contest(values, np.empty((2, 2, 0))).scores.tolist() == [0.5, 0.5]


def test_the_jackknife_error_of_a_mean_is_the_textbook_one():
    sample = np.random.default_rng(0).standard_normal(40)
    left_out = np.array([np.delete(sample, index).mean() for index in range(40)])
    assert standard_error(left_out) == pytest.approx(sample.std(ddof=1) / np.sqrt(40))


def test_intervals_respect_their_bounds():
    assert interval(99.0, [99.0, 98.0, 100.0], bounds=(0, 100))[1] == 100
    assert interval(99.0, [99.0]) is None


def test_concordance_is_one_for_one_order_and_low_for_opposite_ones():
    up = np.arange(5.0)
    assert concordance(np.stack([up, up * 2, up**3])) == pytest.approx(1.0)
    assert concordance(np.stack([up, -up])) == pytest.approx(0.0)
    assert concordance(np.stack([up])) is None
    assert concordance(np.stack([up, np.full(5, np.nan)])) is None


def test_concordance_equals_friedmans_statistic():
    from scipy.stats import friedmanchisquare

    values = np.random.default_rng(0).integers(0, 4, (6, 5)).astype(float)
    expected = friedmanchisquare(*values.T).statistic / (6 * 4)
    assert concordance(values) == pytest.approx(expected)
