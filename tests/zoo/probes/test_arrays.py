"""Features that a person brings."""

from __future__ import annotations

import numpy as np
import pytest

RNG = np.random.default_rng(0)


@pytest.fixture
def save(tmp_path):
    def save(name="a.npz", **arrays):
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return save


def test_whole_labels_are_classes(read, save):
    features = RNG.normal(size=(30, 5))
    probe = read(save(X=features, y=np.arange(30) % 3 + 4))
    assert (probe.task, probe.modality) == ("classification", "features")
    assert probe.label_names == ("4", "5", "6")
    assert probe.labels.dtype == np.int64
    assert np.array_equal(probe.inputs, features)


def test_texts_are_classes_and_names_are_kept(read, save):
    probe = read(save(X=RNG.normal(size=(4, 2)), y=np.array(["b", "a", "b", "a"])))
    assert probe.label_names == ("a", "b")
    names = np.array(["no", "yes", "never"])
    probe = read(save(X=RNG.normal(size=(4, 2)), y=np.array([0, 1, 1, 0]), label_names=names))
    assert probe.label_names == ("no", "yes", "never")


def test_targets_and_marks_are_told_apart(read, save):
    features = RNG.normal(size=(20, 3))
    assert read(save(X=features, y=RNG.normal(size=20))).task == "regression"
    two = read(save(X=features, Y=RNG.normal(size=(20, 2))))
    assert (two.task, two.label_names) == ("regression", ("Y[0]", "Y[1]"))
    marks = read(save(X=features, Y=(RNG.random((20, 4)) > 0.5).astype(float)))
    assert (marks.task, marks.labels.shape) == ("multi-label", (20, 4))
    assert read(save(X=features, Y=RNG.normal(size=(20, 1)))).labels.shape == (20,)


def test_a_sample_is_nested_and_stratified(read, save):
    path = save(X=RNG.normal(size=(100, 3)), y=np.arange(100) % 4)
    small, large = read(path, samples=8), read(path, samples=40)
    assert np.bincount(small.labels).tolist() == [2, 2, 2, 2]
    rows = {row.tobytes() for row in large.inputs}
    assert all(row.tobytes() in rows for row in small.inputs)


def test_what_cannot_be_features_is_refused(refused, save, write):
    features, labels = RNG.normal(size=(6, 2)), np.arange(6) % 2
    assert "no array X" in refused(save(Z=features, y=labels))
    assert "no array 'y' of labels; it has 'X'" in refused(save(X=features))
    assert "both y and Y" in refused(save(X=features, y=labels, Y=features))
    assert "X of" in refused(save(X=features, y=labels[:4]))
    assert "has 6 rows, but y has 4" in refused(save(X=features, y=labels[:4]))
    assert "the shape (6,)" in refused(save(X=features[:, 0], y=labels))
    assert "no .npz file" in refused(write("b.npz", "no zip"))
    assert "Python objects" in refused(save(X=features, y=np.array([None] * 6, dtype=object)))
    assert "no texts, images or splits" in refused(save(X=features, y=labels), split="test")


def test_nan_is_counted_and_the_first_is_named(refused, save):
    features, labels = RNG.normal(size=(6, 2)), np.arange(6) % 2
    features[3, 1] = features[4, 0] = np.nan
    assert "2 values that are NaN or infinite; the first is X[3, 1]" in refused(
        save(X=features, y=labels)
    )
    targets = RNG.normal(size=6)
    targets[2] = np.inf
    message = refused(save(X=RNG.normal(size=(6, 2)), y=targets))
    assert "1 label that is NaN or infinite; the first is y[2]" in message


def test_degenerate_labels_are_refused(refused, save):
    features = RNG.normal(size=(6, 2))
    assert "of one class" in refused(save(X=features, y=np.zeros(6, int)))
    assert "class of its own" in refused(save(X=features, y=np.arange(6)))
    assert "target 'y'" in refused(save(X=features, y=np.full(6, 0.5)))
    assert "the same labels" in refused(save(X=features, Y=np.ones((6, 2))))
    assert "no multi-label" in refused(save(X=features, Y=features), task="multi-label")


@pytest.mark.golden
def test_the_golden_features_are_valid_input(read):
    import os
    from pathlib import Path

    root = Path(__file__).parents[4] / "shared" / "golden"
    folder = Path(os.environ.get("ZOO_GOLDEN", root)) / "transferability"
    if not folder.is_dir():
        pytest.skip(f"no golden files at {folder}")
    found = 0
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            if not {"X"} < set(arrays.files) or not {"y", "Y"} & set(arrays.files):
                continue
            rows = len(arrays["X"])
        assert read(path, samples=None).samples == rows
        found += 1
    assert found
