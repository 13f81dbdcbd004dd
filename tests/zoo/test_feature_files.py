from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import InputError
from zoo.feature_files import features_of, read_npz, reference_beside, with_reference

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


def test_embeddings_by_sample_without_labels_are_texts():
    table = np.random.default_rng(0).standard_normal((6, 4, 2))
    features = features_of({"X": X, "Z": table})
    assert features.task == "text"
    assert features.labels.tolist() == list(range(6))
    assert features.extras["class_embeddings"] is table
    labelled = features_of({"X": X, "Z": table, "y": np.arange(6) % 2})
    assert labelled.task == "classification"
    assert labelled.extras["Z"] is table


def test_features_alone_have_no_labels():
    features = features_of({"X": X})
    assert features.labels.shape == (6, 0)
    assert features.task == "classification"


@pytest.mark.parametrize("name", ["reference", "X_reference", "ref", "X_ref"])
def test_a_reference_may_lie_in_the_same_file(name):
    features = features_of({"X": X, "y": np.arange(6), name: X[:, :2]})
    assert features.reference.values.shape == (6, 2)
    assert name not in features.extras


def test_a_reference_brings_its_attributions():
    features = features_of({"X": X, "y": np.arange(6)})
    maps = np.ones((3, 4))
    both = with_reference(features, {"X": X, "attributions": maps, "y": X}, source="other")
    assert both.reference.extras == {"attributions": maps}
    with pytest.raises(InputError, match="reference other has no array X; it has Y"):
        with_reference(features, {"Y": X}, source="other")
    with pytest.raises(InputError, match="6 rows, and the reference other has 5"):
        with_reference(features, {"X": X[:5]}, source="other")


def test_the_file_beside_is_found_by_its_name(tmp_path):
    for name in ("cls_a.npz", "b.npz", "ref_a.npz", "ref_b.npz"):
        (tmp_path / name).touch()
    assert reference_beside(tmp_path / "cls_a.npz").name == "ref_a.npz"
    assert reference_beside(tmp_path / "b.npz").name == "ref_b.npz"
    assert reference_beside(tmp_path / "ref_a.npz") is None


def test_an_attribution_graph_needs_no_features():
    arrays = {
        "images": np.ones((5, 3, 2, 2)),
        "A.weight": np.ones((7, 2)),
        "feat.A.last": np.ones((5, 4)),
        "grad.A.last": np.ones((5, 3, 2, 2)),
        "feat.B.last": np.ones((5, 6)),
    }
    features = features_of(arrays)
    assert features.values.shape == (5, 0)
    assert features.labels.shape == (5, 0)
    assert features.extras.keys() == arrays.keys()
    with pytest.raises(InputError, match=r"feat.A.last of the arrays has 5 rows, .* has 4"):
        features_of({**arrays, "feat.B.last": np.ones((4, 6))})
    with pytest.raises(InputError, match="images has 4"):
        features_of({**arrays, "images": np.ones((4, 3, 2, 2))})
    with pytest.raises(InputError, match=r"feat.B.last of the arrays has the shape \(5,\)"):
        features_of({**arrays, "feat.B.last": np.ones(5)})


@pytest.mark.parametrize(
    ("probs", "sentence"),
    [
        ([[0.5, 0.5], [1.2, -0.2]], r"probs of the arrays is negative at \[1, 1\]"),
        ([[0.5, 0.5], [0.5, 0.9]], "row 1 of probs of the arrays sums to 1.4, not to 1"),
        ([[3.0, 1.0], [0.5, 0.5]], "row 0 of probs of the arrays sums to 4"),
    ],
)
def test_probabilities_are_probabilities(probs, sentence):
    with pytest.raises(InputError, match=sentence):
        features_of({"probs": np.array(probs), "y": np.arange(2)})
    with pytest.raises(InputError, match=sentence):
        features_of({"probs": np.array(probs), "logits": np.ones((2, 2)), "y": np.arange(2)})


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"X": X, "Z": np.ones((5, 2, 1))}, "X of the arrays has 6 rows, but Z has 5"),
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
