from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.ranking.quality import pearson, rank_quality, regret_at_k, rel_at_k, tau_b, weighted_tau


@pytest.mark.golden
def test_golden_rank_quality(golden_rank_quality):
    _, case = golden_rank_quality
    found = rank_quality(case["scores"], case["truth"])
    compared = 0
    for name, value in found.items():
        expected = case.get(name)
        expected = expected["value"] if isinstance(expected, dict) else expected
        if isinstance(expected, str):
            assert math.isnan(value) == (expected == "nan")
        elif expected is not None:
            assert value == pytest.approx(expected, abs=1e-12)
            compared += 1
    assert compared


def test_a_mistake_at_the_top_costs_more_than_one_at_the_bottom():
    truth = [1.0, 2, 3, 4, 5]
    assert weighted_tau([1, 2, 3, 5, 4], truth) < weighted_tau([2, 1, 3, 4, 5], truth)


def test_regret_is_in_units_of_the_results():
    assert regret_at_k([3, 2, 1], [0.70, 0.95, 0.60], 1) == pytest.approx(0.25)
    assert regret_at_k([3, 2, 1], [0.70, 0.95, 0.60], 2) == 0


def test_there_is_no_share_of_a_best_result_that_is_not_above_zero():
    assert rel_at_k([3, 2, 1], [0.50, 0.95, 0.60], 1) == pytest.approx(0.50 / 0.95)
    assert math.isnan(rel_at_k([3, 2, 1], [-0.9, -0.5, -0.1], 1))


@pytest.mark.parametrize("measure", [weighted_tau, tau_b, pearson])
def test_constant_scores_have_no_correlation(measure):
    assert math.isnan(measure([1, 1, 1], [1, 2, 3]))


def test_scores_and_results_must_be_of_the_same_models():
    with pytest.raises(InputError, match="3 scores and 2 results"):
        rank_quality([1, 2, 3], [1, 2])


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=30))
def test_weighted_tau_equals_scipy_s_with_any_ties(pairs):
    from scipy.stats import weightedtau

    scores, results = ([float(each) for each in column] for column in zip(*pairs, strict=True))
    ours = weighted_tau(scores, results)
    if len(set(scores)) < 2 or len(set(results)) < 2:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(weightedtau(scores, results).statistic, abs=1e-12)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20))
def test_average_ranks_equal_scipy_s(values):
    from scipy.stats import rankdata

    from zoo.ranking.quality import average_ranks

    assert average_ranks(np.array(values, float)).tolist() == rankdata(values).tolist()
