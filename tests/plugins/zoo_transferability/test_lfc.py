from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.labels import groups, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.lfc import LFC

quick = settings(max_examples=20, deadline=None)
shapes = st.tuples(st.integers(6, 40), st.integers(1, 50), st.integers(2, 4), st.integers(0, 99))


def _features(shape):
    samples, width, classes, seed = shape
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) + labels[:, None] + 2
    return Features(values=values, labels=labels)


@quick
@given(shapes)
def test_it_is_the_correlation_of_both_kernels(shape):
    features = _features(shape)
    kernel = (features.values @ features.values.T).ravel()
    signs = np.where(features.labels[:, None] == features.labels, 1.0, -1.0).ravel()
    expected = np.corrcoef(kernel, signs)[0, 1]
    assert LFC().score(features).value == pytest.approx(expected, abs=1e-9)


@quick
@given(shapes, st.floats(1e-3, 1e3))
def test_order_ids_scale_and_rotation_do_not_matter(shape, factor):
    features = _features(shape)
    generator = np.random.default_rng(0)
    width = features.values.shape[1]
    rotation, _ = np.linalg.qr(generator.standard_normal((width, width)))
    order = generator.permutation(len(features.labels))
    moved = Features(
        values=factor * (features.values @ rotation)[order], labels=7 - features.labels[order]
    )
    assert LFC().score(moved).value == pytest.approx(LFC().score(features).value, abs=1e-9)


@pytest.mark.parametrize("width", [8, 150])
def test_resamples_equal_scoring_from_scratch(make_features, width):
    features = make_features(width=width)
    sets = shuffled(features.labels, 4, seed=0)
    folds = groups(stratified_folds(features.labels, "classification", 6, seed=0))
    assert LFC().score_many(features, sets) == pytest.approx(
        [LFC().score(features.with_labels(each)).value for each in sets]
    )
    assert LFC().score_folds(features, folds) == pytest.approx(
        [LFC().score(features.rows(~group)).value for group in folds]
    )


def test_constant_features_correlate_with_nothing():
    features = Features(values=np.full((12, 3), 2.0), labels=np.arange(12) % 3)
    assert LFC().score(features).value == 0.0
