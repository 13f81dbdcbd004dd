from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo.errors import InputError, NotApplicable
from zoo.labels import stratified_folds
from zoo.types import Features
from zoo_transferability.linear_probe import LinearProbe


def _predicted(features, labels):
    folds = stratified_folds(features.labels, features.task, 5, 0)
    head = LogisticRegression(C=10 / features.values.shape[1], max_iter=300)
    pipeline = make_pipeline(StandardScaler(), head)
    return cross_val_predict(pipeline, features.values, labels, cv=PredefinedSplit(folds))


def test_classes_get_the_cross_validated_accuracy(make_features):
    features = make_features(signal=0.4)
    expected = 100 * np.mean(_predicted(features, features.labels) == features.labels)
    score = LinearProbe().score(features)
    assert score.value == pytest.approx(expected)
    assert score.bounds == (0, 100)
    units = Features(values=features.values * 1e4 + 7, labels=3 * features.labels)
    assert LinearProbe().score(units).value == pytest.approx(expected, abs=3)


def test_labels_get_the_macro_f1(make_features):
    features = make_features(task="multi-label", signal=0.4)
    columns = [_predicted(features, column) for column in features.labels.T]
    expected = 100 * f1_score(features.labels, np.stack(columns, axis=1), average="macro")
    score = LinearProbe().score(features)
    assert score.value == pytest.approx(expected)
    assert 0 < score.details["accuracy"] <= 100


@pytest.mark.parametrize("shape", [(90, 2), (90, 1), (90,)])
def test_targets_get_r2(make_features, shape):
    features = make_features(task="regression")
    labels = features.labels[:, : shape[1] if len(shape) > 1 else 1].reshape(shape)
    assert 0.5 < LinearProbe().score(features.with_labels(labels)).value < 1


def test_noise_is_at_chance(make_features):
    features = make_features(samples=200, classes=4, signal=0.0)
    assert 10 < LinearProbe().score(features).value < 40


def test_the_only_sample_of_a_class_is_never_tested(make_features):
    features = make_features(signal=5.0)
    labels = features.labels.copy()
    labels[0] = 3
    assert LinearProbe().score(features.with_labels(labels)).value == 100
    with pytest.raises(NotApplicable, match="leave one out"):
        LinearProbe().score(features.with_labels(np.arange(90)))


@pytest.mark.parametrize("options", [{"folds": 1}, {"penalty": 0.0}, {"steps": 0}])
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(InputError, match=f"linear_probe.{next(iter(options))}"):
        LinearProbe(**options)
