from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from zoo.checks import check_features
from zoo.errors import InputError
from zoo.labels import groups, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.knn import KNN


@pytest.mark.golden
def test_golden_one_neighbour(golden_parc_rsa_dds_knn, read_golden):
    case = golden_parc_rsa_dds_knn[1]
    if "knn_loo_k1" not in case:
        pytest.skip("this case has no kNN number")
    features = check_features(read_golden(golden_parc_rsa_dds_knn))
    assert KNN().score(features).value == pytest.approx(case["knn_loo_k1"]["value"], rel=1e-12)


@pytest.mark.golden
def test_golden_five_neighbours_with_the_published_rule_for_ties(
    golden_parc_rsa_dds_knn, read_golden
):
    case = golden_parc_rsa_dds_knn[1]
    if "knn_loo_k5" not in case:
        pytest.skip("this case has no kNN number")
    features = check_features(read_golden(golden_parc_rsa_dds_knn))
    value = KNN(k=5, ties="lowest").score(features).value
    assert value == pytest.approx(case["knn_loo_k5"]["value"], rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_accuracy_equals_a_brute_force_leave_one_out(make_features, k, metric):
    features = make_features(signal=0.4)
    right = []
    for index, (row, label) in enumerate(zip(features.values, features.labels, strict=True)):
        others = np.delete(features.values, index, axis=0)
        labels = np.delete(features.labels, index)
        if metric == "euclidean":
            distance = np.linalg.norm(others - row, axis=1)
        else:
            distance = -(others @ row) / np.linalg.norm(others, axis=1)
        votes = labels[np.argsort(distance)[:k]]
        most = max((votes == each).sum() for each in votes)
        right.append(next(each for each in votes if (votes == each).sum() == most) == label)
    value = KNN(k=k, metric=metric).score(features).value
    assert value == pytest.approx(100 * np.mean(right))


def test_one_neighbour_equals_scikit_learn(make_features):
    features = make_features(signal=0.4)
    predicted = cross_val_predict(
        KNeighborsClassifier(1), features.values, features.labels, cv=LeaveOneOut()
    )
    assert KNN().score(features).value == pytest.approx(100 * np.mean(predicted == features.labels))


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_numbers_get_the_r2_of_five_neighbours(make_features, task):
    features = make_features(task=task)
    predicted = cross_val_predict(
        KNeighborsRegressor(5), features.values, features.labels, cv=LeaveOneOut()
    )
    errors = np.square(features.labels - predicted).mean(axis=0)
    r2 = 1 - errors / features.labels.var(axis=0)
    assert KNN().score(features).value == pytest.approx(r2.mean())


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("k", [1, 3])
def test_resamples_equal_scoring_from_scratch(make_features, task, k):
    features = make_features(task=task)
    sets = shuffled(features.labels, 4, seed=0)
    folds = groups(stratified_folds(features.labels, task, 6, seed=0))
    estimator = KNN(k=k)
    assert estimator.score_many(features, sets) == pytest.approx(
        [estimator.score(features.with_labels(each)).value for each in sets]
    )
    assert estimator.score_folds(features, folds) == pytest.approx(
        [estimator.score(features.rows(~group)).value for group in folds]
    )


def test_a_fold_may_take_every_near_neighbour_away():
    values = np.concatenate([np.zeros(30), np.ones(10) * 50])[:, None]
    values = values + 1e-3 * np.arange(40)[:, None]
    features = Features(values=values, labels=np.arange(40) % 2)
    near = [values[:, 0] < 1]
    rest = features.rows(~near[0])
    assert KNN(k=3).score_folds(features, near) == pytest.approx([KNN(k=3).score(rest).value])


def test_more_neighbours_than_samples_are_all_the_others():
    features = Features(values=np.arange(4.0)[:, None], labels=np.array([0, 0, 1, 1]))
    assert KNN(k=50).score(features).details["k"] == 3


@pytest.mark.parametrize("options", [{"k": 0}, {"metric": "cosinus"}, {"ties": "random"}])
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(InputError, match=f"knn.{next(iter(options))}"):
        KNN(**options)
