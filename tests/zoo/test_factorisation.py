from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from zoo import factorisation as module
from zoo.factorisation import Factorisation

shapes = st.tuples(st.integers(3, 40), st.integers(1, 60), st.integers(0, 99))
quick = settings(max_examples=25, deadline=None)


def _values(shape):
    samples, width, seed = shape
    return np.random.default_rng(seed).standard_normal((samples, width)) + 5


@quick
@given(shapes)
def test_it_is_the_singular_value_decomposition_of_the_centred_features(shape):
    values = _values(shape)
    made = Factorisation(values)
    left, singular, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    assert made.rank == min(shape[0] - 1, shape[1])
    assert np.sqrt(made.eigenvalues[::-1]) == pytest.approx(singular[: made.rank])
    assert np.abs(made.left_vectors[:, ::-1].T @ left[:, : made.rank]) == pytest.approx(
        np.eye(made.rank), abs=1e-5
    )
    assert made.left_vectors.sum(axis=0) == pytest.approx(np.zeros(made.rank), abs=1e-8)
    assert made.squared_norms.sum() == pytest.approx(made.eigenvalues.sum())
    assert made.interpolates == (shape[1] >= shape[0] - 1)


@quick
@given(shapes)
def test_labels_are_projected_without_the_left_vectors(shape):
    made = Factorisation(_values(shape))
    columns = np.random.default_rng(0).standard_normal((shape[0], 3))
    expected = made.left_vectors.T @ columns
    assert made.left(columns) == pytest.approx(expected, abs=1e-8)
    assert made.left(csr_array(columns)) == pytest.approx(expected, abs=1e-8)


@quick
@given(shapes)
def test_the_mean_is_split_into_what_the_spread_reaches_and_the_rest(shape):
    values = _values(shape)
    made = Factorisation(values)
    inside, outside = made.mean_coordinates
    mean = values.mean(axis=0)
    basis = np.linalg.svd(values - mean, full_matrices=False)[2][: made.rank]
    assert inside @ inside == pytest.approx(np.square(basis @ mean).sum(), rel=1e-6)
    assert inside @ inside + outside == pytest.approx(mean @ mean, rel=1e-6)


@quick
@given(shapes, st.floats(0.01, 100))
def test_ridge_without_a_group_equals_a_fit_that_never_saw_it(shape, ridge):
    values = _values((shape[0] + 6, *shape[1:]))
    columns = np.random.default_rng(1).standard_normal((len(values), 2))
    group = np.arange(len(values)) % 4 == 1
    made, rest = Factorisation(values), Factorisation(values[~group])
    ridges = np.array([ridge])
    residuals, leverages = made.ridge_without(
        group, ridge, made.ridge_residuals(ridge, columns), made.leverages(ridges)[:, 0]
    )
    assert residuals == pytest.approx(rest.ridge_residuals(ridge, columns[~group]), abs=1e-7)
    assert leverages == pytest.approx(rest.leverages(ridges)[:, 0], abs=1e-7)


def test_dependent_dead_and_constant_columns_are_cut_off():
    generator = np.random.default_rng(0)
    three = generator.standard_normal((50, 3))
    values = np.concatenate(
        [
            three,
            three @ generator.standard_normal((3, 4)),
            np.zeros((50, 2)),
            np.full((50, 2), 1e7),
        ],
        axis=1,
    )
    assert Factorisation(values).rank == 3
    assert Factorisation(np.full((50, 4), 1e7 + 0.1)).rank == 0
    assert Factorisation(np.full((3, 40), 0.1)).rank == 0


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int64])
def test_any_number_type_is_computed_in_float64(kind):
    values = (np.random.default_rng(0).standard_normal((30, 5)) * 10).astype(kind)
    made = Factorisation(values)
    assert made.eigenvalues.dtype == np.float64
    assert made.eigenvalues == pytest.approx(
        Factorisation(values.astype(np.float64)).eigenvalues, rel=1e-12
    )


def test_a_large_matrix_is_read_in_blocks_with_the_same_result(monkeypatch):
    values = np.random.default_rng(0).standard_normal((101, 7)).astype(np.float32)
    columns = np.random.default_rng(1).standard_normal((101, 2))
    whole = Factorisation(values)
    expected = whole.left(columns), whole.squared_norms
    monkeypatch.setattr(module, "BLOCK", 7 * 10)
    blocked = Factorisation(values)
    assert np.abs(blocked.left(columns)) == pytest.approx(np.abs(expected[0]))
    assert blocked.squared_norms == pytest.approx(expected[1])
    assert blocked.left_vectors.shape == (101, 7)
