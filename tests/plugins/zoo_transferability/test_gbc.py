from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.checks import check_features
from zoo.errors import InputError
from zoo.labels import groups, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.gbc import GBC

quick = settings(max_examples=20, deadline=None)


def _written_out(values, labels, floor=1e-4):
    """The equations, pair by pair, in float64."""
    total = 0.0
    for first in np.unique(labels):
        for second in np.unique(labels):
            if first == second:
                continue
            a, b = values[labels == first], values[labels == second]
            va, vb = np.maximum(a.var(axis=0), floor), np.maximum(b.var(axis=0), floor)
            mean = (va + vb) / 2
            gap = ((a.mean(axis=0) - b.mean(axis=0)) ** 2 / mean).sum() / 8
            total -= np.exp(-gap - 0.5 * np.log(mean / np.sqrt(va * vb)).sum())
    return total


@pytest.mark.golden
def test_golden_spherical_overlap_as_published(golden_others, read_golden):
    case, features = golden_others[1], check_features(read_golden(golden_others))
    value = GBC(covariance="spherical").score(features).value
    assert value == pytest.approx(case["gbc_spherical_as_coded"]["value"], rel=1e-6)


@quick
@given(st.integers(6, 40), st.integers(1, 8), st.integers(2, 4), st.integers(0, 99))
def test_it_is_its_definition_whatever_the_order_ids_and_origin(samples, width, classes, seed):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) + labels[:, None]
    score = GBC().score(Features(values=values, labels=labels))
    assert score.value == pytest.approx(_written_out(values, labels))
    assert score.bounds[0] <= score.value <= 0
    order = generator.permutation(samples)
    moved = Features(values=values[order] + 3, labels=(classes - labels[order]) * 7)
    assert GBC().score(moved).value == pytest.approx(score.value)


def test_classes_far_apart_keep_a_logarithm(make_features):
    near, far = (make_features(signal=each, classes=2) for each in (40.0, 80.0))
    first, second = GBC().score(near), GBC().score(far)
    assert first.saturated
    assert first.value == second.value == 0.0
    assert second.details["log_overlap"] < first.details["log_overlap"] < -700
    assert "no two classes overlap" in first.note


def test_a_class_of_one_sample_has_the_least_variance():
    values = np.array([[0.0], [0.1], [0.05]])
    features = Features(values=values, labels=np.array([0, 0, 1]))
    assert GBC().score(features).value == pytest.approx(_written_out(values, features.labels))


def test_principal_components_are_those_of_the_covariance(make_features):
    features = make_features()
    centred = features.values - features.values.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:5]
    expected = _written_out(centred @ directions.T, features.labels)
    assert GBC(components=5).score(features).value == pytest.approx(expected)


@pytest.mark.parametrize("covariance", ["diagonal", "spherical"])
def test_resamples_equal_scoring_from_scratch(make_features, covariance):
    features, estimator = make_features(), GBC(covariance=covariance)
    sets = shuffled(features.labels, 4, seed=0)
    folds = groups(stratified_folds(features.labels, "classification", 6, seed=0))
    assert estimator.score_many(features, sets) == pytest.approx(
        [estimator.score(features.with_labels(each)).value for each in sets]
    )
    assert estimator.score_folds(features, folds) == pytest.approx(
        [estimator.score(features.rows(~group)).value for group in folds]
    )


@pytest.mark.parametrize("options", [{"covariance": "full"}, {"components": 0}])
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(InputError, match=f"gbc.{next(iter(options))}"):
        GBC(**options)
