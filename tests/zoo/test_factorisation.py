from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from zoo import sweeps as module
from zoo.factorisation import Factorisation
from zoo.labels import label_columns
from zoo.sweeps import log_det

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


@quick
@given(shapes, st.integers(2, 5), st.booleans())
def test_class_sums_and_the_gram_matrix_come_from_one_pass_in_any_order(shape, classes, before):
    values = _values(shape)
    labels = np.random.default_rng(shape[-1]).integers(0, classes, shape[0]) * 3
    made = Factorisation(values)
    centred = values - values.mean(axis=0)
    expected = centred @ centred.T if made.wide else centred.T @ centred
    if before:
        assert made.gram == pytest.approx(expected, abs=1e-8)
    indicators = label_columns(labels, "classification")
    assert made.class_sums(labels) == pytest.approx(indicators.T @ centred, abs=1e-8)
    assert made.gram == pytest.approx(expected, abs=1e-8)
    assert made.squared_norms == pytest.approx(np.square(centred).sum(axis=1))
    assert made.left_classes(labels) == pytest.approx(made.left(indicators), abs=1e-8)


def test_what_was_computed_for_one_label_array_is_not_given_for_another():
    values = np.random.default_rng(0).standard_normal((40, 3))
    made, one, other = Factorisation(values), np.arange(40) % 2, np.arange(40) % 3
    sums = made.class_sums(one)
    assert made.class_sums(one) is sums
    assert made.class_sums(other).shape == (3, 3)
    assert made.left_classes(other) == pytest.approx(Factorisation(values).left_classes(other))


@quick
@given(shapes, st.floats(1e-4, 10))
def test_the_log_determinant_is_the_same_from_spectrum_and_gram_matrix(shape, scale):
    values = _values(shape)
    centred = values - values.mean(axis=0)
    expected = np.linalg.slogdet(np.eye(shape[1]) + centred.T @ centred / scale)[1]
    made = Factorisation(values)
    assert made.log_det(scale) == pytest.approx(expected, rel=1e-9)
    assert made.rank
    assert made.log_det(scale) == pytest.approx(expected, rel=1e-9)


def test_a_matrix_that_rounding_made_indefinite_still_has_a_log_determinant():
    assert log_det(np.diag([1.0, -1e3]), 1e-3) == pytest.approx(np.log(1 + 1e3))


def test_features_are_read_in_blocks_and_never_copied_whole():
    values = np.random.default_rng(0).standard_normal((20000, 128), dtype=np.float32)
    labels = np.arange(20000) % 50
    tracemalloc.start()
    made = Factorisation(values)
    made.left_classes(labels)
    assert made.squared_norms.shape == (20000,)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.8 * 8 * values.size
