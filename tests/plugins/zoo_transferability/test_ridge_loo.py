from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.labels import groups, label_columns, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.ridge_loo import RidgeLOO, left_out


def _refit(values, columns, index, ridge):
    """Predict one sample by a ridge regression with a free intercept that never saw it."""
    others, targets = np.delete(values, index, axis=0), np.delete(columns, index, axis=0)
    mean, offset = others.mean(axis=0), targets.mean(axis=0)
    centred = others - mean
    penalised = centred.T @ centred + ridge * np.eye(values.shape[1])
    weights = np.linalg.solve(penalised, centred.T @ (targets - offset))
    return (values[index] - mean) @ weights + offset


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 40), st.integers(1, 60), st.floats(0.01, 100), st.integers(0, 99))
def test_the_closed_form_equals_refitting_without_each_sample(samples, width, ridge, seed):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((samples, width)) + 2
    columns = generator.standard_normal((samples, 3))
    factorisation = Features(values=values, labels=columns).factorisation
    residuals = factorisation.ridge_residuals(ridge, columns)
    errors = left_out(residuals, factorisation.leverages(np.array([ridge]))[:, 0])
    brute = [columns[each] - _refit(values, columns, each, ridge) for each in range(samples)]
    assert errors == pytest.approx(np.array(brute), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("width", [6, 150])
def test_the_score_is_the_accuracy_of_those_refits(make_features, width):
    features = make_features(width=width, signal=0.5)
    score = RidgeLOO().score(features)
    columns = label_columns(features.labels, "classification")
    frequencies = columns.mean(axis=0)
    predicted = []
    for index in range(len(columns)):
        guess = _refit(features.values, columns, index, score.details["ridge"])
        others = np.delete(columns, index, axis=0).mean(axis=0)
        predicted.append((guess - others + frequencies).argmax())
    assert score.value == pytest.approx(100 * np.mean(predicted == features.labels))


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_numbers_are_judged_by_press_over_tss(make_features, task):
    features = make_features(task=task)
    score = RidgeLOO().score(features)
    labels = features.labels
    brute = [
        _refit(features.values, labels, each, score.details["ridge"]) for each in range(len(labels))
    ]
    press = np.square(labels - brute).sum(axis=0)
    tss = np.square(labels - labels.mean(axis=0)).sum(axis=0)
    assert score.value == pytest.approx((1 - press / tss).mean())


@pytest.mark.parametrize("width", [6, 150])
@pytest.mark.parametrize("task", ["classification", "regression", "multi-label"])
def test_resamples_equal_scoring_from_scratch(make_features, task, width):
    features = make_features(width=width, task=task)
    sets = shuffled(features.labels, 4, seed=0)
    assert RidgeLOO().score_many(features, sets) == pytest.approx(
        [RidgeLOO().score(features.with_labels(each)).value for each in sets]
    )
    folds = groups(stratified_folds(features.labels, task, 6, seed=0))
    fixed = RidgeLOO(ridge=RidgeLOO().score(features).details["ridge"])
    assert RidgeLOO().score_folds(features, folds) == pytest.approx(
        [fixed.score(features.rows(~group)).value for group in folds]
    )


def test_the_only_sample_of_a_class_does_not_count(make_features):
    features = make_features(signal=5.0)
    labels = features.labels.copy()
    labels[0] = 3
    score = RidgeLOO().score(Features(values=features.values, labels=labels))
    assert score.value == 100.0


def test_shuffled_labels_score_at_chance_also_when_there_are_few_samples(make_features):
    features = make_features(samples=120, width=400, classes=4, signal=0.0)
    null = RidgeLOO().score_many(features, shuffled(features.labels, 20, seed=1))
    assert 15 < null.mean() < 35


def test_one_target_of_large_units_does_not_decide_the_penalty(make_features):
    features = make_features(task="regression")
    scaled = features.with_labels(features.labels * np.array([1.0, 1e6]))
    assert RidgeLOO().score(scaled).value == pytest.approx(RidgeLOO().score(features).value)


@pytest.mark.parametrize("options", [{"penalties": 0}, {"ridge": 0.0}, {"ridge": -1.0}])
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(InputError, match=f"ridge_loo.{next(iter(options))}"):
        RidgeLOO(**options)
