from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zoo_transferability.simplex import minimise, project

ROWS = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 8)), elements=st.floats(-1e3, 1e3)
)


@pytest.mark.golden
def test_golden_projections_are_met(golden_sparsemax):
    _, case = golden_sparsemax
    assert project(case["input_values"]) == pytest.approx(np.array(case["value"]), abs=1e-12)


@given(ROWS)
def test_a_projection_lies_on_the_simplex_and_is_the_nearest_point(values):
    weights = project(values)
    assert (weights >= 0).all()
    assert weights.sum(axis=-1) == pytest.approx(1, abs=1e-9)
    # KKT: what is kept lost the same amount; what was dropped would have lost less.
    for row, kept in zip(values, weights, strict=True):
        lost = (row - kept)[kept > 0]
        assert np.ptp(lost) <= 1e-9 * max(1.0, np.abs(row).max())
        assert (row[kept == 0] <= lost.max() + 1e-9 * max(1.0, np.abs(row).max())).all()


@given(ROWS, st.floats(-100, 100))
def test_a_projection_ignores_a_shift_and_repeats_itself(values, shift):
    weights = project(values)
    assert project(values + shift) == pytest.approx(weights, abs=1e-9)
    assert project(weights) == pytest.approx(weights, abs=1e-12)


def quadratic(count, rank, seed):
    factor = np.random.default_rng(seed).standard_normal((rank, count))
    return factor.T @ factor


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 999), st.floats(1e-9, 1e9))
def test_the_least_form_fulfils_its_optimality_conditions(count, rank, seed, scale):
    form = scale * quadratic(count, rank, seed)
    weights = minimise(form)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    gradient, value = form @ weights, weights @ form @ weights
    # No vertex is downhill: the gradient is nowhere less than its mean under the weights.
    assert (gradient >= value - 1e-7 * np.trace(form)).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(1, 8), st.integers(0, 999))
def test_it_equals_a_general_solver(count, rank, seed):
    from scipy.optimize import minimize

    form = quadratic(count, rank, seed)
    form /= np.trace(form)
    found = minimize(
        lambda weights: weights @ form @ weights,
        np.full(count, 1 / count),
        jac=lambda weights: 2 * form @ weights,
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    weights = minimise(form)
    assert weights @ form @ weights <= found.fun + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_three_weights_equal_a_search_of_the_whole_simplex(seed):
    form = quadratic(3, 3, seed)
    grid = [
        np.array([a, b, 100 - a - b]) / 100
        for a, b in product(range(101), repeat=2)
        if a + b <= 100
    ]
    weights = minimise(form)
    least = min(point @ form @ point for point in grid)
    assert least - 1e-3 * np.trace(form) <= weights @ form @ weights <= least + 1e-12


@pytest.mark.parametrize("count", [4, 8])
def test_an_encoder_listed_in_another_place_keeps_its_weight(count):
    form = quadratic(count, count + 3, 5)
    order = np.random.default_rng(0).permutation(count)
    assert minimise(form[np.ix_(order, order)]) == pytest.approx(minimise(form)[order], abs=1e-7)


@pytest.mark.parametrize("form", [np.zeros((3, 3)), -1e-13 * np.eye(3)])
def test_where_nothing_is_left_all_weights_are_equal(form):
    assert minimise(form) == pytest.approx(np.full(3, 1 / 3))
