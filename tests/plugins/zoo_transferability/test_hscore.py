from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf

from zoo.checks import check_features
from zoo.labels import groups, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.hscore import HScore, RegularisedHScore, ledoit_wolf
from zoo_transferability.logme import LogME

shapes = st.tuples(st.integers(12, 60), st.integers(2, 80), st.integers(2, 4), st.integers(0, 99))
quick = settings(max_examples=20, deadline=None)


def _features(shape):
    samples, width, classes, seed = shape
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) * generator.uniform(0.5, 4, width)
    values += generator.standard_normal((classes, width))[labels] + 3
    return Features(values=values, labels=labels)


def _naive(values, labels, covariance):
    """Trace of covariance^-1 times the covariance of the class means, as the paper writes it."""
    means = np.stack([values[labels == label].mean(axis=0) for label in labels])
    return float(np.trace(np.linalg.pinv(covariance) @ np.cov(means, rowvar=False)))


@pytest.mark.golden
def test_golden_regularised_h_score(golden_hscore, read_golden):
    case, features = golden_hscore[1], check_features(read_golden(golden_hscore))
    score = RegularisedHScore().score(features)
    assert score.details["shrinkage"] == pytest.approx(case["ledoit_wolf_shrinkage"], rel=1e-9)
    assert score.value <= case["upper_bound"] * len(features.labels) / (len(features.labels) - 1)
    if "regularized_h_score" in case:
        assert score.value == pytest.approx(case["regularized_h_score"]["value"], rel=1e-9)


@pytest.mark.golden
def test_golden_plain_h_score(golden_hscore, read_golden):
    case, features = golden_hscore[1], check_features(read_golden(golden_hscore))
    score = HScore().score(features)
    samples, width = features.values.shape
    assert score.saturated == (samples <= width)
    assert score.value <= case["upper_bound"] + 1e-9
    if "h_score" in case:
        assert score.value == pytest.approx(case["h_score"]["value"], rel=1e-9)


@quick
@given(shapes)
def test_the_regularised_score_is_its_definition(shape):
    features = _features(shape)
    covariance, shrinkage = sklearn_ledoit_wolf(features.values)
    naive = (1 - shrinkage) * _naive(features.values, features.labels, covariance)
    score = RegularisedHScore().score(features)
    assert score.details["shrinkage"] == pytest.approx(shrinkage, abs=1e-9)
    assert score.value == pytest.approx(naive, rel=1e-7, abs=1e-9)


@quick
@given(shapes)
def test_the_plain_score_is_its_definition_and_bounded(shape):
    features = _features(shape)
    score = HScore().score(features)
    covariance = np.atleast_2d(np.cov(features.values, rowvar=False))
    naive = _naive(features.values, features.labels, covariance)
    assert score.value == pytest.approx(naive, rel=1e-6)
    assert -1e-9 <= score.value <= min(shape[1], shape[2] - 1) + 1e-9


@quick
@given(shapes, st.floats(1e-2, 1e2))
def test_shifting_scaling_and_rotating_the_features_changes_nothing(shape, factor):
    features = _features(shape)
    width = features.values.shape[1]
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))
    moved = Features(values=factor * features.values @ rotation - 7, labels=features.labels)
    for estimator in (HScore(), RegularisedHScore()):
        assert estimator.score(moved).value == pytest.approx(estimator.score(features).value)


def _projector(columns):
    centred = columns - columns.mean(axis=0)
    return centred @ np.linalg.pinv(centred, rcond=1e-10)


@quick
@given(shapes)
def test_the_plain_score_is_the_trace_of_two_projectors(shape):
    features = _features(shape)
    indicators = np.eye(shape[2])[features.labels]
    both = _projector(features.values) @ _projector(indicators)
    assert HScore().score(features).value == pytest.approx(np.trace(both), rel=1e-7)


@quick
@given(shapes, st.integers(1, 4))
def test_for_targets_it_is_the_sum_of_squared_canonical_correlations(shape, count):
    features = _features(shape)
    generator = np.random.default_rng(shape[-1])
    mixed = features.values[:, :1] + generator.standard_normal((shape[0], count))
    # A constant target and one twice over add nothing.
    targets = np.concatenate([mixed, mixed[:, :1] * 2, np.full((shape[0], 1), 0.1)], axis=1)
    numbers = Features(values=features.values, labels=targets, task="regression")
    both = _projector(features.values) @ _projector(mixed)
    value = HScore().score(numbers).value
    assert value == pytest.approx(np.trace(both), rel=1e-6)
    assert -1e-9 <= value <= min(count, shape[1]) + 1e-9
    assert 0 <= RegularisedHScore().score(numbers).value <= value * shape[0] / (shape[0] - 1) + 1e-9


@pytest.mark.parametrize("estimator", [HScore(), RegularisedHScore()])
def test_two_exclusive_labels_score_as_two_classes(make_features, estimator):
    features = make_features(classes=2)
    labels = np.eye(2)[features.labels]
    numbers = Features(values=features.values, labels=labels, task="multi-label")
    assert estimator.score(numbers).value == pytest.approx(estimator.score(features).value)


@quick
@given(st.integers(6, 40), st.integers(2, 5), st.integers(0, 99))
def test_with_fewer_samples_than_features_the_plain_score_says_nothing(samples, classes, seed):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    features = Features(values=generator.standard_normal((samples, samples + 5)), labels=labels)
    score = HScore().score(features)
    assert score.saturated
    assert score.value == pytest.approx(classes - 1)
    assert RegularisedHScore().score(features).value < classes - 1


@pytest.mark.parametrize("width", [8, 84, 150])
@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
@pytest.mark.parametrize("estimator", [HScore(), RegularisedHScore()])
def test_resamples_equal_scoring_from_scratch(make_features, width, task, estimator):
    features = make_features(width=width, task=task)
    sets = shuffled(features.labels, 4, seed=0)
    folds = groups(stratified_folds(features.labels, task, 6, seed=0))
    assert estimator.score_many(features, sets) == pytest.approx(
        [estimator.score(features.with_labels(each)).value for each in sets]
    )
    assert estimator.score_folds(features, folds) == pytest.approx(
        [estimator.score(features.rows(~group)).value for group in folds]
    )


def test_a_feature_that_only_one_fold_has_is_left_out_with_it():
    generator = np.random.default_rng(0)
    values = generator.standard_normal((40, 3))
    values[:, 2] = np.arange(40) == 5
    features = Features(values=values, labels=np.arange(40) % 2)
    group = np.arange(40) < 8
    expected = HScore().score(features.rows(~group)).value
    assert HScore().score_folds(features, [group]) == pytest.approx([expected])


def test_many_classes_are_scored_without_a_column_each():
    generator = np.random.default_rng(0)
    samples, classes = 20000, 2000
    values = generator.standard_normal((samples, 16), dtype=np.float32)
    features = Features(values=values, labels=np.arange(samples) % classes)
    tracemalloc.start()
    for estimator in (HScore(), RegularisedHScore(), LogME()):
        estimator.score(features)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * 8 * samples * classes


def test_features_without_structure_shrink_all_the_way():
    values = np.concatenate([np.eye(6), -np.eye(6)])
    features = Features(values=values, labels=np.arange(12) % 2)
    assert ledoit_wolf(features.factorisation)[0] == 1.0
    assert RegularisedHScore().score(features).value == 0.0
