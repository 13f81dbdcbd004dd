from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import sweeps
from zoo.checks import check_features
from zoo.errors import NotApplicable
from zoo.labels import classes_of, shuffled
from zoo.types import Features
from zoo_transferability import sfda as module
from zoo_transferability.sfda import SFDA

quick = settings(max_examples=25, deadline=None)
shapes = st.tuples(st.integers(8, 60), st.integers(1, 70), st.integers(2, 4), st.integers(0, 99))


def _features(shape, *, scale=0.3):
    samples, width, classes, seed = shape
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) + 2
    values += 0.7 * generator.standard_normal((classes, width))[labels]
    return Features(values=scale * values, labels=labels)


def _stage(values, labels, shrinkage=None):
    """One stage as the paper writes it, with an inverse and nothing shared."""
    samples, width = values.shape
    classes, counts = np.unique(labels, return_counts=True)
    within = sum(
        (values[labels == each] - values[labels == each].mean(axis=0)).T
        @ (values[labels == each] - values[labels == each].mean(axis=0))
        for each in classes
    )
    within = within / samples
    if shrinkage is None:
        row = within.sum(axis=1)
        for _ in range(3):
            column = within @ row / np.linalg.norm(within @ row)
            row = within @ column / np.linalg.norm(within @ column)
        shrinkage = max(np.exp(-5 * row @ within @ column), 1e-10)
    level = np.trace(within) / width
    inverse = np.linalg.inv((1 - shrinkage) * within + shrinkage * level * np.eye(width))
    means = np.stack([values[labels == each].mean(axis=0) for each in classes])
    logits = values @ inverse @ means.T - 0.5 * np.diag(means @ inverse @ means.T)
    logits += np.log(counts / samples)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True), means, shrinkage


def _naive(features):
    values, labels = features.values, features.labels
    rows = np.arange(len(labels))
    odds, means, shrinkage = _stage(values, labels)
    soft = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    sure = soft[rows, labels][:, None]
    others = np.stack([np.delete(means, each, axis=0).mean(axis=0) for each in labels])
    again, _, _ = _stage(sure * values + (1 - sure) * others, labels, shrinkage)
    return odds[rows, labels].mean(), again[rows, labels].mean(), shrinkage


@pytest.mark.golden
def test_golden_both_stages(golden_sfda, read_golden):
    case, features = golden_sfda[1], check_features(read_golden(golden_sfda))
    score = SFDA().score(features)
    first = case["stage1"]
    assert score.details["shrinkage"] == pytest.approx(first["shrinkage"], rel=1e-6)
    assert score.details["stage1"] == pytest.approx(first["mean_true_prob"], rel=1e-6)
    assert score.value == pytest.approx(case["sfda"]["value"], rel=1e-6)
    assert score.saturated >= (features.values.shape[1] >= len(features.labels))


@quick
@given(shapes)
def test_both_stages_are_their_definition(shape):
    features = _features(shape)
    first, second, shrinkage = _naive(features)
    score = SFDA().score(features)
    assert score.details["shrinkage"] == pytest.approx(shrinkage, rel=1e-7)
    assert score.details["stage1"] == pytest.approx(first, rel=1e-5)
    assert score.value == pytest.approx(second, rel=1e-5)


@pytest.mark.parametrize("width", [5, 150])
def test_shuffles_equal_scoring_from_scratch(make_features, width):
    features = make_features(width=width)
    sets = shuffled(features.labels, 3, seed=0)
    one_by_one = [SFDA().score(features.with_labels(each)).value for each in sets]
    assert SFDA().score_many(features, sets) == pytest.approx(one_by_one)


def test_the_size_of_the_blocks_changes_nothing(make_features, monkeypatch):
    features = make_features(samples=101, width=7)
    expected = SFDA().score(features).value
    monkeypatch.setattr(module, "BLOCK", 7 * 10)
    monkeypatch.setattr(sweeps, "BLOCK", 7 * 10)
    again = Features(values=features.values, labels=features.labels)
    assert SFDA().score(again).value == pytest.approx(expected, rel=1e-12)


def test_the_features_are_not_changed(make_features):
    features = make_features()
    before = features.values.copy()
    SFDA().score(features)
    assert np.array_equal(features.values, before)


def test_it_is_saturated_by_width_and_by_separate_classes(make_features):
    wide = SFDA().score(make_features(samples=40, width=40))
    assert wide.saturated
    assert "N <= D" in wide.note
    separate = SFDA().score(make_features(samples=90, width=10, signal=30.0))
    assert separate.saturated
    assert "separate" in separate.note
    assert not SFDA().score(make_features(samples=90, width=10, signal=0.1)).saturated


def test_classes_that_are_single_points_are_certain():
    labels = np.arange(12) % 3
    features = Features(values=np.eye(3)[labels], labels=labels)
    score = SFDA().score(features)
    assert score.value == 1.0
    assert score.saturated


def test_a_class_of_one_sample_and_a_dead_column_are_fine():
    generator = np.random.default_rng(0)
    values = generator.standard_normal((40, 5))
    values[:, 2] = 0.0
    labels = np.array([0] + [1] * 20 + [2] * 19)
    score = SFDA().score(Features(values=values, labels=labels))
    assert 0 < score.value < 1


def test_a_scatter_that_rounding_made_indefinite_is_solved_all_the_same():
    means, classes = np.array([[1.0, 0.0], [-1.0, 0.0]]), classes_of(np.arange(6) % 2)
    scatter = np.asfortranarray(np.diag([2.0, -1e-3]))
    weights, offsets = module._head(scatter, means, classes, 1e-10, 2)
    assert weights[0] == pytest.approx([0.5, -0.5])
    assert np.isfinite(offsets).all()


@pytest.mark.parametrize("shape", [(2, 2), (2, 5), (30, 4)])
def test_samples_that_are_all_one_point_are_no_separate_classes(shape):
    features = Features(values=np.full(shape, 0.1), labels=np.arange(shape[0]) % 2)
    with pytest.raises(NotApplicable, match="no feature varies"):
        SFDA().score(features)
