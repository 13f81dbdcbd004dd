from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from zoo.checks import check_features
from zoo.errors import InputError, NotApplicable
from zoo.labels import shuffled
from zoo.types import Features
from zoo_transferability.parc import PARC

quick = settings(max_examples=20, deadline=None)


def _pairs(matrix):
    return np.round(matrix[np.triu_indices(len(matrix), 1)], 10)


def _written_out(values, label_distances):
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return 100 * spearmanr(_pairs(1 - np.corrcoef(scaled)), _pairs(label_distances)).statistic


def _features(samples, width, classes, seed):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) + 0.5 * labels[:, None]
    values[:, 0] *= 1 - 2 * (labels == 0)
    return Features(values=values, labels=labels)


@pytest.mark.golden
def test_golden_rows_of_several_labels(golden_parc_rsa_dds_knn, read_golden):
    case = golden_parc_rsa_dds_knn[1]
    if "parc_exact_ties" in case:
        pytest.skip("classes have an exact number, which test_golden_score compares")
    features = check_features(read_golden(golden_parc_rsa_dds_knn, multi_label=True))
    # The reference ranks the rounding of equal label distances.
    assert PARC().score(features).value == pytest.approx(case["parc_fNone"]["value"], rel=2e-3)


@quick
@given(st.integers(8, 40), st.integers(3, 12), st.integers(2, 5), st.integers(0, 99))
def test_classes_give_the_rank_correlation_with_exact_ties(samples, width, classes, seed):
    features = _features(samples, width, classes, seed)
    labels = features.labels
    score = PARC().score(features)
    differ = (labels[:, None] != labels).astype(float)
    assert score.value == pytest.approx(_written_out(features.values, differ), abs=1e-9)
    assert abs(score.value) <= score.details["ceiling"] * (1 + 1e-2)
    far = _pairs(
        1 - np.corrcoef((features.values - features.values.mean(0)) / features.values.std(0))
    )
    same, other = far[_pairs(differ) == 0], far[_pairs(differ) == 1]
    wins = (other[:, None] > same).mean() + (other[:, None] == same).mean() / 2
    assert score.details["auc"] == pytest.approx(wins)


@quick
@given(st.integers(8, 40), st.integers(3, 12), st.integers(2, 5), st.integers(0, 99))
def test_order_ids_units_and_origin_do_not_matter(samples, width, classes, seed):
    features = _features(samples, width, classes, seed)
    generator = np.random.default_rng(seed)
    order = generator.permutation(samples)
    units = generator.uniform(0.1, 10, width)
    moved = Features(
        values=(features.values * units - 4)[order], labels=9 - 3 * features.labels[order]
    )
    assert PARC().score(moved).value == pytest.approx(PARC().score(features).value, abs=1e-7)


@pytest.mark.parametrize("task", ["multi-label", "regression"])
@pytest.mark.parametrize("columns", [1, 5])
def test_labels_and_targets_give_the_rank_correlation(make_features, task, columns):
    generator = np.random.default_rng(1)
    values = make_features().values
    labels = generator.standard_normal((90, columns)) + values[:, :columns]
    if task == "multi-label":
        labels = (labels > 0.7).astype(float)
        if columns > 1:
            labels[:, :2] = [0, 1]  # no row is constant
            labels[:, 2] = generator.integers(0, 2, 90)
    features = Features(values=values, labels=labels, task=task)
    scaled = (labels - labels.mean(axis=0)) / np.maximum(labels.std(axis=0), 1e-300)
    if columns == 1:
        distances = np.abs(scaled - scaled.T)
    else:
        distances = 1 - np.corrcoef(scaled if task == "regression" else labels)
    assert PARC().score(features).value == pytest.approx(_written_out(values, distances), abs=1e-6)


def test_texts_are_as_far_apart_as_their_embeddings(make_features):
    generator = np.random.default_rng(0)
    values = make_features(samples=30).values
    table = generator.standard_normal((10, 6, 2))
    labels = np.arange(30) % 10
    features = Features(
        values=values, labels=labels, task="text", extras={"class_embeddings": table}
    )
    distances = np.mean([1 - np.corrcoef(table[labels, :, k]) for k in range(2)], axis=0)
    assert PARC().score(features).value == pytest.approx(_written_out(values, distances))
    with pytest.raises(NotApplicable, match="label embeddings"):
        PARC().score(replace(features, extras={}, _memo={}))


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression", "text"])
def test_shuffles_equal_scoring_from_scratch(make_features, task):
    features = make_features(samples=40, task="classification" if task == "text" else task)
    if task == "text":
        table = np.random.default_rng(0).standard_normal((3, 4, 1))
        features = replace(features, task="text", extras={"class_embeddings": table})
    if task == "multi-label":
        third = np.random.default_rng(0).integers(0, 2, (40, 2))  # some rows are constant
        features = features.with_labels(np.concatenate([features.labels, third], axis=1))
    sets = shuffled(features.labels, 4, seed=0)
    assert PARC().score_many(features, sets) == pytest.approx(
        [PARC().score(features.with_labels(each)).value for each in sets], abs=1e-3
    )


def test_rows_without_variance_are_dropped_and_counted(make_features):
    features = make_features(samples=40)
    values = features.values.copy()
    flat = np.concatenate([values, np.full((1, 20), values.mean(axis=0))])
    dropped = PARC().score(Features(values=flat, labels=np.append(features.labels, 1)))
    assert dropped.details["dropped"] == 1
    labels = np.random.default_rng(0).integers(0, 2, (40, 4)).astype(float)
    labels[:3] = 1
    alike = int((labels == labels[:, :1]).all(axis=1).sum())
    score = PARC().score(Features(values=values, labels=labels, task="multi-label"))
    assert score.details["dropped"] == alike >= 3


def test_many_samples_are_cut_class_by_class(make_features):
    features = make_features(samples=90)
    score = PARC(samples=30).score(features)
    assert score.value != PARC().score(features).value
    assert score == PARC(samples=30).score(features)


def test_what_has_no_pairs_is_not_applicable(make_features):
    features = make_features(samples=12, width=1)
    with pytest.raises(NotApplicable, match="vary over their features"):
        PARC().score(features)
    alone = make_features(samples=12).with_labels(np.arange(12))
    with pytest.raises(NotApplicable, match="pairs of the same class"):
        PARC().score(alone)


def test_memory_for_the_pairs_of_one_class_gives_the_same(make_features, monkeypatch):
    features = make_features()
    sorted_all = PARC().score(features)
    monkeypatch.setattr("zoo_transferability.parc.MOST_SORTED", 0)
    blocked = PARC().score(features)
    assert blocked.value == pytest.approx(sorted_all.value, rel=1e-9)
    assert blocked.details == pytest.approx(sorted_all.details)


def test_two_features_hold_two_distances_and_no_rounding(make_features):
    features = make_features(width=2)
    labels = features.labels
    expected = _written_out(features.values, (labels[:, None] != labels).astype(float))
    assert PARC().score(features).value == pytest.approx(expected)


def test_an_option_out_of_range_is_named():
    with pytest.raises(InputError, match=r"parc\.samples"):
        PARC(samples=2)
