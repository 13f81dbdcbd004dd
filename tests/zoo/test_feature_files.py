from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import InputError
from zoo.feature_files import features_of, read_npz

X = np.random.default_rng(0).standard_normal((6, 3))


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ({"y": np.arange(6) % 2}, "classification"),
        ({"y": (np.arange(6) % 2).astype(float)}, "classification"),
        ({"y": np.array(list("ababab"))}, "classification"),
        ({"y": np.linspace(0, 1, 6)}, "regression"),
        ({"Y": X[:, :1]}, "regression"),
        ({"Y": np.eye(6)[:, :2]}, "multi-label"),
    ],
)
def test_the_task_is_guessed_from_the_labels(labels, task):
    assert features_of({"X": X, **labels}).task == task


def test_the_person_may_say_otherwise():
    features = features_of({"X": X, "y": np.arange(6)}, task="regression")
    assert features.task == "regression"


def test_logits_come_as_they_are_or_from_probabilities():
    probs = np.array([[0.25, 0.75], [1.0, 0.0]] * 3)
    both = features_of({"probs": probs, "y": np.arange(6) % 2})
    assert np.exp(both.logits) == pytest.approx(probs)
    assert np.isfinite(both.logits).all()
    assert both.values.shape == (6, 0)
    assert np.array_equal(both.extras["probs"], probs)
    assert np.array_equal(features_of({"logits": X, "y": np.arange(6)}).logits, X)


def test_arrays_of_other_methods_are_kept():
    table = np.ones((2, 4, 1))
    features = features_of({"X": X, "y": np.arange(6) % 2, "class_embeddings": table})
    assert features.extras["class_embeddings"] is table


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"y": np.arange(6)}, "has no array X of features; it has y"),
        ({}, "it has nothing"),
        ({"X": X, "y": np.arange(5)}, "X of the arrays has 6 rows, but y has 5"),
        ({"X": X[:, 0], "y": np.arange(6)}, r"X of the arrays has the shape \(6,\)"),
        ({"X": X.astype(str), "y": np.arange(6)}, "must be numbers"),
        ({"X": X, "y": np.arange(6), "Y": X}, "both y and Y"),
        ({"X": X, "y": np.array([None] * 6)}, "y of the arrays holds Python objects"),
        ({"X": X, "y": np.zeros((6, 2, 2))}, "does not fit"),
        ({"X": np.zeros((0, 3)), "y": np.zeros(0)}, "shape"),
    ],
)
def test_arrays_that_make_no_sense_are_explained(arrays, sentence):
    with pytest.raises(InputError, match=sentence):
        features_of(arrays)


def test_multi_label_needs_zeros_and_ones():
    with pytest.raises(InputError, match="other values than 0 and 1"):
        features_of({"X": X, "Y": X}, task="multi-label")


def test_a_task_nobody_knows_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'regression'"):
        features_of({"X": X, "y": np.arange(6)}, task="regresion")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        read_npz(tmp_path / "absent.npz")
    text = tmp_path / "text.npz"
    text.write_text("hello")
    with pytest.raises(InputError, match=r"no \.npz file, or is damaged"):
        read_npz(text)
    plain = tmp_path / "plain.npy"
    np.save(plain, X)
    with pytest.raises(InputError, match=r"no \.npz file"):
        read_npz(plain)
    np.savez(tmp_path / "good.npz", X=X)
    half = tmp_path / "half.npz"
    half.write_bytes((tmp_path / "good.npz").read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        read_npz(half)
    np.savez(tmp_path / "pickled.npz", X=np.array([None], dtype=object))
    with pytest.raises(InputError, match="Python objects"):
        read_npz(tmp_path / "pickled.npz")
