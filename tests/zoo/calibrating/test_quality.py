"""Calibration error, log-likelihood and Brier score against sums written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.calibrating.labelled import halves
from zoo.calibrating.quality import change, honesty


def test_the_numbers_of_four_samples():
    table = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    found = honesty(table, np.array([0, 1, 0, 1]))
    assert found.accuracy.value == 0.75
    # 0.9 twice and right once; 0.6 and 0.7 right, each in a bin of its own.
    assert found.ece == pytest.approx((2 * 0.4 + 0.4 + 0.3) / 4)
    assert found.nll == pytest.approx(-np.log([0.9, 0.1, 0.6, 0.7]).mean())
    assert found.brier == pytest.approx((0.02 + 1.62 + 0.32 + 0.18) / 4)


def test_a_certain_right_answer_is_perfect_and_a_wrong_one_is_still_finite():
    right, wrong = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    perfect = honesty(right, np.array([0]))
    assert (perfect.ece, perfect.nll, perfect.brier) == (0.0, 0.0, 0.0)
    assert math.isfinite(honesty(wrong, np.array([0])).nll)


@given(st.integers(0, 1000), st.integers(2, 30))
def test_a_change_is_the_difference_of_the_means_inside_its_interval(seed, count):
    draw = np.random.default_rng(seed)
    before, after = draw.dirichlet([1, 1, 1], count), draw.dirichlet([2, 1, 1], count)
    labels = draw.integers(0, 3, count)
    found = change(before, after, labels)
    expected = honesty(after, labels).nll - honesty(before, labels).nll
    assert found.value == pytest.approx(expected)
    assert found.low <= found.value <= found.high


@given(st.integers(0, 1000), st.integers(2, 60))
def test_halves_share_every_label_and_no_row(seed, count):
    columns = np.random.default_rng(seed).integers(0, 4, count)
    rows = list(range(0, count, 1))
    one, two = halves(rows, columns, seed)
    assert sorted([*one, *two]) == rows
    for label in range(4):
        counts = [int((columns[each] == label).sum()) for each in (one, two)]
        assert abs(counts[0] - counts[1]) <= 1
    assert halves(rows, columns, seed) == (one, two)
