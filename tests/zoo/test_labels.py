from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError, NotApplicable
from zoo.labels import (
    classes_of,
    groups,
    label_columns,
    label_sets,
    shuffled,
    stacked_columns,
    stratified_folds,
    targets,
)
from zoo.types import Features


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


def _texts(samples=30, distinct=6):
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(samples) % distinct)
    table = generator.standard_normal((distinct, 4, 3))
    features = Features(
        values=generator.standard_normal((samples, 2)),
        labels=labels,
        task="text",
        extras={"class_embeddings": table},
    )
    return features, table


def test_texts_become_the_mean_of_their_embeddings():
    features, table = _texts()
    assert targets(features) == pytest.approx(table.mean(axis=2)[features.labels])
    order = np.random.default_rng(1).permutation(30)
    again = targets(features.with_labels(features.labels[order]))
    assert again == pytest.approx(targets(features)[order])


def test_a_dimension_in_which_all_texts_agree_is_left_out():
    features, table = _texts()
    table[:, 1] = 2.0
    assert targets(features).shape == (30, 3)


def test_texts_without_embeddings_do_not_apply():
    features, _ = _texts()
    with pytest.raises(NotApplicable, match="embeddings of the label texts"):
        targets(replace(features, extras={}))


def test_embeddings_that_are_no_numbers_are_refused():
    features, table = _texts()
    table[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="class_embeddings"):
        targets(features)


@pytest.mark.parametrize("most", [1, 7, 4096])
@pytest.mark.parametrize("task", ["classification", "text", "regression"])
def test_label_sets_come_in_pieces_and_none_is_lost(task, most):
    features, _ = _texts()
    if task == "regression":
        features = replace(features, task=task, labels=features.values)
    features = replace(features, task=task)
    sets = shuffled(features.labels, 5, seed=0)
    pieces = list(label_sets(features, sets, most))
    dense = [piece.toarray() if task == "classification" else piece for piece, _ in pieces]
    expected = [targets(features.with_labels(each)) for each in sets]
    assert np.concatenate(dense, axis=1) == pytest.approx(np.concatenate(expected, axis=1))
    assert {width for _, width in pieces} == {expected[0].shape[1]}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-3, 9), min_size=1, max_size=40))
def test_classes_are_sorted_out_without_forming_indicators(labels):
    labels = np.array(labels)
    classes = classes_of(labels)
    present = np.unique(labels)
    assert np.array_equal(present[classes.ids], labels)
    for label, count, members in zip(present, classes.counts, classes.members, strict=True):
        assert count == len(members)
        assert np.array_equal(members, np.flatnonzero(labels == label))
    dense = classes.indicators().toarray()
    assert np.array_equal(dense, label_columns(labels, "classification"))


def test_texts_that_are_all_embedded_alike_say_nothing():
    features = Features(
        values=np.eye(3),
        labels=np.arange(3),
        task="text",
        extras={"class_embeddings": np.ones((3, 4, 2))},
    )
    with pytest.raises(NotApplicable, match="every label text has the same embedding"):
        targets(features)
