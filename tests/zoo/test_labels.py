from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.labels import groups, label_columns, shuffled, stacked_columns, stratified_folds


def test_classes_become_indicators_of_those_present():
    columns = label_columns(np.array([7, 3, 7]), "classification")
    assert columns.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_columns_that_never_vary_are_left_out():
    labels = np.array([[1.0, 0, 2], [1, 1, 2], [1, 0, 2]])
    assert label_columns(labels, "regression").tolist() == [[0], [1], [0]]


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_stacked_columns_are_the_columns_of_each_set_side_by_side(task):
    labels = np.arange(20) % 4 if task == "classification" else np.eye(4)[np.arange(20) % 4]
    sets = shuffled(labels, 3, seed=0)
    stacked = stacked_columns(sets, task)
    dense = stacked.toarray() if task == "classification" else stacked
    side_by_side = np.concatenate([label_columns(each, task) for each in sets], axis=1)
    assert np.array_equal(dense, side_by_side)


def test_shuffles_depend_on_the_seed_alone():
    labels = np.arange(30)
    again = shuffled(labels, 2, seed=5)
    for one, other in zip(shuffled(labels, 2, seed=5), again, strict=True):
        assert np.array_equal(one, other)
        assert sorted(one) == list(range(30))
    assert not np.array_equal(shuffled(labels, 1, seed=6)[0], again[0])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=80), st.integers(2, 12))
def test_folds_are_balanced_and_never_take_a_class_away(labels, count):
    labels = np.array(labels)
    folds = stratified_folds(labels, "classification", count, seed=0)
    _, ids, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    assert np.array_equal(folds == -1, (sizes[ids] == 1) | (min(count, len(labels) // 2) < 2))
    dealt = np.bincount(folds[folds >= 0])
    assert not len(dealt) or dealt.max() - dealt.min() <= 1
    for group in groups(folds):
        assert set(labels[~group]) == set(labels)


def test_numeric_targets_are_dealt_along_their_order():
    labels = np.random.default_rng(0).standard_normal(100)
    folds = stratified_folds(labels, "regression", 10, seed=0)
    assert np.bincount(folds).tolist() == [10] * 10
    means = [labels[folds == fold].mean() for fold in range(10)]
    assert np.std(means) < 0.15


def test_too_few_samples_have_no_folds():
    assert groups(stratified_folds(np.array([0, 1, 1]), "classification", 10, seed=0)) == []
    assert groups(stratified_folds(np.arange(9.0), "regression", 1, seed=0)) == []
