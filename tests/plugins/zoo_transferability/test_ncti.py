from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import NotApplicable
from zoo.labels import groups, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.ncti import Collapse

quick = settings(max_examples=20, deadline=None)
shapes = st.tuples(st.integers(8, 40), st.integers(2, 50), st.integers(2, 4), st.integers(0, 99))


def _features(shape):
    samples, width, classes, seed = shape
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) + labels[:, None] + 2
    return Features(values=values, labels=labels)


def _scatters(values, labels):
    centred = values - values.mean(axis=0)
    means = np.stack([centred[labels == label].mean(axis=0) for label in labels])
    inside = centred - means
    return means.T @ means, inside.T @ inside


@quick
@given(shapes)
def test_it_is_the_ratio_of_the_scatters_and_nc1_its_reverse(shape):
    features = _features(shape)
    between, within = _scatters(features.values, features.labels)
    score = Collapse().score(features)
    assert score.value == pytest.approx(np.trace(between) / np.trace(within))
    classes = len(np.unique(features.labels))
    collapse = np.trace(within @ np.linalg.pinv(between, rcond=1e-9)) / classes
    assert score.details["nc1"] == pytest.approx(collapse, rel=1e-6)


@quick
@given(shapes, st.floats(1e-3, 1e3))
def test_order_ids_scale_rotation_and_origin_do_not_matter(shape, factor):
    features = _features(shape)
    generator = np.random.default_rng(0)
    width = features.values.shape[1]
    rotation, _ = np.linalg.qr(generator.standard_normal((width, width)))
    order = generator.permutation(len(features.labels))
    moved = Features(
        values=factor * (features.values @ rotation)[order] - 5, labels=7 - features.labels[order]
    )
    assert Collapse().score(moved).value == pytest.approx(Collapse().score(features).value)


def test_collapsed_classes_form_a_simplex():
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3
    values = 10 * np.eye(3)[labels] + 1e-3 * generator.standard_normal((60, 3))
    score = Collapse().score(Features(values=values, labels=labels))
    assert score.value > 1e5
    assert score.details["nearest_mean"] == 100
    assert max(score.details[name] for name in ("nc1", "equinorm", "equiangle")) < 1e-3


@pytest.mark.parametrize("width", [8, 150])
def test_resamples_equal_scoring_from_scratch(make_features, width):
    features = make_features(width=width)
    sets = shuffled(features.labels, 4, seed=0)
    folds = groups(stratified_folds(features.labels, "classification", 6, seed=0))
    assert Collapse().score_many(features, sets) == pytest.approx(
        [Collapse().score(features.with_labels(each)).value for each in sets]
    )
    assert Collapse().score_folds(features, folds) == pytest.approx(
        [Collapse().score(features.rows(~group)).value for group in folds]
    )


def test_classes_of_one_sample_have_nothing_within():
    features = Features(values=np.eye(4), labels=np.arange(4))
    with pytest.raises(NotApplicable, match="same point"):
        Collapse().score(features)
