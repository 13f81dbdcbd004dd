from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.checks import check_features
from zoo.errors import InputError, NotApplicable
from zoo.types import Features


@pytest.fixture
def features():
    values = np.random.default_rng(0).standard_normal((12, 3))
    return Features(values=values, labels=np.arange(12) % 3)


def test_good_features_pass_as_they_are(features):
    assert check_features(features) is features


def test_nan_is_counted_and_the_first_place_is_named(features):
    features.values[4, 2] = np.nan
    features.values[9, 0] = np.inf
    with pytest.raises(InputError, match=r"2 features are NaN or infinite; .* \[4, 2\]"):
        check_features(features)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_features_whose_products_leave_the_range_of_a_float_are_refused(features, scale):
    with pytest.raises(InputError, match=r"the largest feature is .* no room in 64 bits"):
        check_features(replace(features, values=features.values * scale))
    check_features(replace(features, values=features.values * scale ** (38 / 200)))


def test_nan_can_be_dropped_sample_by_sample(features):
    features.values[4, 2] = np.nan
    checked = check_features(features, on_nonfinite="drop")
    assert checked.values.shape == (11, 3)
    assert np.array_equal(checked.labels, np.delete(features.labels, 4))


def test_nan_in_targets_or_logits_is_found_too(features):
    labels = np.arange(12.0)
    labels[1] = np.nan
    with pytest.raises(InputError, match=r"1 labels are NaN .* \[1\]"):
        check_features(replace(features, labels=labels, task="regression"))
    with pytest.raises(InputError, match="logits"):
        check_features(replace(features, logits=np.full((12, 2), np.nan)))


def _broken(shape):
    array = np.ones(shape)
    array[1] = np.nan
    return array


@pytest.mark.parametrize(
    ("extras", "sentence"),
    [
        ({"class_embeddings": _broken((3, 2, 1))}, r"2 values of class_embeddings .* \[1, 0, 0\]"),
        ({"Z": _broken((12, 2, 1))}, r"2 values of Z are NaN .* \[1, 0, 0\]"),
        ({"probs": _broken((12, 4))}, r"4 values of probs are NaN .* \[1, 0\]"),
        ({"feat.A.last": _broken((12, 4))}, r"4 values of feat.A.last are NaN .* \[1, 0\]"),
        ({"class_embeddings": np.ones((3, 2))}, r"class_embeddings has the shape \(3, 2\)"),
        ({"Z": np.ones((11, 2, 1))}, "12 samples and 11 rows of Z"),
        ({"attributions": np.ones((13, 2))}, "12 samples and 13 rows of attributions"),
        ({"class_embeddings": np.ones((2, 2, 1))}, "has 2 rows, one a class id"),
    ],
)
def test_arrays_of_other_methods_are_checked_too(features, extras, sentence):
    with pytest.raises(InputError, match=sentence):
        check_features(replace(features, extras=extras))


def test_a_sample_leaves_with_all_it_has(features):
    reference = Features(values=_broken((12, 2)), labels=features.labels)
    maps = np.full((12, 4), np.nan)
    maps[::3] = 1.0
    extras = {"Z": np.ones((12, 2, 1)), "attributions": maps, "other": np.ones(3)}
    extras["Z"][7] = np.inf
    checked = check_features(
        replace(features, extras=extras, reference=reference), on_nonfinite="drop"
    )
    assert checked.values.shape == (10, 3)
    assert checked.reference.values.shape == (10, 2)
    assert checked.extras["Z"].shape == (10, 2, 1)
    assert checked.extras["attributions"].shape == (10, 4)
    assert checked.extras["other"].shape == (3,)


def test_a_reference_of_other_samples_or_with_nan_is_refused(features):
    other = Features(values=np.ones((11, 2)), labels=np.zeros((11, 0)))
    with pytest.raises(InputError, match="12 samples of features and 11 of the reference"):
        check_features(replace(features, reference=other))
    broken = Features(values=_broken((12, 2)), labels=features.labels)
    with pytest.raises(InputError, match=r"2 reference features are NaN .* \[1, 0\]"):
        check_features(replace(features, reference=broken))


def test_gaps_between_class_ids_are_closed_and_the_ids_kept(features):
    checked = check_features(features.with_labels(features.labels * 5 + 2))
    assert sorted(set(checked.labels)) == [0, 1, 2]
    assert checked.extras["classes"].tolist() == [2, 7, 12]


def test_names_of_classes_become_ids(features):
    checked = check_features(features.with_labels(np.array(["cat", "ant", "bee"])[features.labels]))
    assert checked.extras["classes"].tolist() == ["ant", "bee", "cat"]
    assert checked.labels[:3].tolist() == [2, 0, 1]


def test_one_class_is_not_applicable(features):
    with pytest.raises(NotApplicable, match="at least 2 classes, and every label is 4"):
        check_features(features.with_labels(np.full(12, 4)))


def test_one_sample_is_not_applicable(features):
    with pytest.raises(NotApplicable, match="at least 2 samples"):
        check_features(features.rows(np.array([0])))


def test_constant_targets_are_dropped_and_all_constant_is_not_applicable(features):
    targets = np.stack([np.arange(12.0), np.ones(12)], axis=1)
    checked = check_features(replace(features, labels=targets, task="regression"))
    assert checked.labels.shape == (12, 1)
    with pytest.raises(NotApplicable, match="no target varies"):
        check_features(replace(features, labels=np.ones(12), task="regression"))
    with pytest.raises(NotApplicable, match="no label varies"):
        check_features(replace(features, labels=np.ones((12, 2)), task="multi-label"))


def test_a_dead_layer_is_not_applicable(features):
    with pytest.raises(NotApplicable, match="every activation"):
        check_features(replace(features, values=np.zeros((12, 3))))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": np.arange(11)}, "12 samples of features and 11 labels"),
        ({"logits": np.ones((5, 2))}, "12 samples of features and 5 of logits"),
        ({"values": np.ones(12)}, r"must be \(samples, width\)"),
        ({"labels": np.ones((12, 2))}, r"class labels must be \(samples,\)"),
        ({"values": np.array([[None]] * 12)}, "features are Python objects"),
    ],
)
def test_arrays_that_do_not_fit_are_explained(features, change, sentence):
    with pytest.raises(InputError, match=sentence):
        check_features(replace(features, **change))
