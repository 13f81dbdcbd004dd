from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from zoo.errors import InputError, NotApplicable
from zoo.labels import groups, stratified_folds
from zoo.types import Features
from zoo_transferability.similarity import DDS, RSA

quick = settings(max_examples=20, deadline=None)


def _two(samples=30, width=6, other=9, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((samples, width))
    mixed = values @ generator.standard_normal((width, other))
    mixed += generator.standard_normal((samples, other))
    return _beside(values, mixed)


def _beside(values, reference):
    labels = np.zeros((len(values), 0))
    return Features(
        values=values, labels=labels, reference=Features(values=reference, labels=labels)
    )


def _scaled(values):
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _rsa(first, second):
    pairs = np.triu_indices(len(first), 1)
    distances = [1 - np.corrcoef(_scaled(each))[pairs] for each in (first, second)]
    return 100 * spearmanr(*distances).statistic


def _dds(first, second):
    """Cosine kernels without their diagonals, U-centred, and the cosine between them."""
    kernels = []
    for values in (first, second):
        rows = _scaled(values)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        kernel = rows @ rows.T
        np.fill_diagonal(kernel, 0)
        samples = len(kernel)
        sums = kernel.sum(axis=0)
        kernel -= (sums[:, None] + sums) / (samples - 2)
        kernel += sums.sum() / (samples - 1) / (samples - 2)
        np.fill_diagonal(kernel, 0)
        kernels.append(kernel)
    products = [[(one * other).sum() for one in kernels] for other in kernels]
    return 100 * products[0][1] / np.sqrt(products[0][0] * products[1][1])


@quick
@given(st.integers(6, 40), st.integers(3, 12), st.integers(3, 50), st.integers(0, 99))
def test_both_are_their_definitions(samples, width, other, seed):
    features = _two(samples, width, other, seed)
    first, second = features.values, features.reference.values
    assert RSA().score(features).value == pytest.approx(_rsa(first, second), abs=1e-7)
    assert DDS().score(features).value == pytest.approx(_dds(first, second), abs=1e-7)


@quick
@given(st.integers(6, 40), st.integers(0, 99))
def test_order_units_and_the_side_do_not_matter(samples, seed):
    features = _two(samples, seed=seed)
    generator = np.random.default_rng(seed)
    order = generator.permutation(samples)
    units = generator.uniform(0.1, 10, features.values.shape[1])
    values = features.values * units + 5
    moved = _beside(features.reference.values[order], values[order])
    for estimator in (RSA(), DDS()):
        expected = estimator.score(features).value
        assert estimator.score(moved).value == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("estimator", [RSA(), DDS()])
def test_a_model_is_like_itself_and_unlike_noise(estimator):
    generator = np.random.default_rng(0)
    values = generator.standard_normal((80, 10))
    assert estimator.score(_beside(values, values)).value == pytest.approx(100)
    noise = generator.standard_normal((80, 10))
    assert abs(estimator.score(_beside(values, noise)).value) < 20


@pytest.mark.parametrize("estimator", [RSA(), DDS()])
def test_a_sample_without_direction_is_dropped_and_counted(estimator):
    generator = np.random.default_rng(0)
    values = generator.standard_normal((20, 5))
    reference = generator.standard_normal((20, 5))
    reference[0] = 0
    reference[1:] -= reference[1:].mean(axis=0)  # the mean is 0, and so is the first row
    features = _beside(values, reference)
    score = estimator.score(features)
    assert score.details["dropped"] == 1
    assert -100 <= score.value <= 100


@pytest.mark.parametrize("estimator", [RSA(), DDS()])
def test_too_few_samples_or_no_reference_is_not_applicable(estimator):
    with pytest.raises(NotApplicable, match="reference"):
        estimator.score(Features(values=np.eye(4), labels=np.arange(4)))
    few = np.random.default_rng(0).standard_normal((2, 3))
    with pytest.raises(NotApplicable, match="at least"):
        estimator.score(_beside(few, few))


def test_folds_equal_scoring_from_scratch():
    features = _two(samples=60)
    folds = groups(stratified_folds(np.arange(60) % 2, "classification", 6, seed=0))
    assert RSA().score_folds(features, folds) == pytest.approx(
        [RSA().score(features.rows(~group)).value for group in folds], abs=1e-2
    )


def test_many_samples_are_cut():
    features = _two(samples=60)
    score = RSA(samples=20).score(features)
    assert score.details["samples"] == 20
    with pytest.raises(InputError, match=r"rsa\.samples"):
        RSA(samples=2)
