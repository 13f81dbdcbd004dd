"""A device that is lent computes the same; torch's own CPU device runs the code of a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import algebra, scoring
from zoo.api import open_catalogue
from zoo.catalogue import build
from zoo.factorisation import Factorisation
from zoo.settings import Settings
from zoo.types import Features

torch = pytest.importorskip("torch")

#: What torch calls the processor; ``cpu`` alone is numpy.
TORCH = "cpu:0"


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    monkeypatch.setattr(algebra, "LEAST", 1)


def _values(samples, width, rank=None):
    generator = np.random.default_rng(samples)
    if rank is None:
        return generator.standard_normal((samples, width), dtype=np.float32) + 3
    return generator.standard_normal((samples, rank)) @ generator.standard_normal((rank, width))


def _both(values, ask):
    with algebra.lent(TORCH):
        lent = ask(Factorisation(values))
    return lent, ask(Factorisation(values))


def _calls(monkeypatch, names=("eigh", "cholesky")):
    seen = []
    for name in names:
        exact = getattr(torch.linalg, name)

        def noted(*arguments, exact=exact, name=name):
            seen.append(name)
            return exact(*arguments)

        monkeypatch.setattr(torch.linalg, name, noted)
    return seen


@pytest.mark.parametrize("shape", [(300, 40), (40, 300), (50, 50)])
def test_products_and_decompositions_agree_to_a_billionth(shape, monkeypatch):
    seen = _calls(monkeypatch)
    values, labels = _values(*shape), np.arange(shape[0]) % 3
    for ask in (
        lambda made: made.gram,
        lambda made: made.eigenvalues,
        lambda made: made.log_det(0.5),
        lambda made: made.left_vectors @ made.left_vectors.T,
        lambda made: made.left_classes(labels).T @ made.left_classes(labels),
        lambda made: made.squared_norms,
    ):
        lent, exact = _both(values, ask)
        np.testing.assert_allclose(lent, exact, rtol=1e-9, atol=1e-9 * np.abs(exact).max())
    assert set(seen) == {"eigh", "cholesky"}


@pytest.mark.parametrize("rank", [5, 20])
def test_noise_is_cut_off_at_the_same_rank(rank):
    lent, exact = _both(_values(200, 60, rank), lambda made: made.rank)
    assert lent == exact == rank


def test_small_matrices_stay_where_they_are(monkeypatch):
    monkeypatch.setattr(algebra, "LEAST", 41)
    seen = _calls(monkeypatch)
    lent, exact = _both(_values(300, 40), lambda made: made.eigenvalues)
    assert np.array_equal(lent, exact)
    assert not seen


@pytest.mark.parametrize("failure", [torch.OutOfMemoryError("CUDA out of memory"), AssertionError])
def test_a_device_without_room_leaves_the_work_to_the_processor(failure, monkeypatch):
    def fail(*_):
        raise failure

    monkeypatch.setattr(torch, "from_numpy", fail)
    values = _values(300, 40)
    for ask in (lambda made: made.left_vectors, lambda made: made.log_det(0.5)):
        lent, exact = _both(values, ask)
        assert np.array_equal(lent, exact)


def test_a_device_that_is_not_there_leaves_the_work_to_the_processor():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    values = _values(300, 40)
    with algebra.lent("cuda:0"):
        asked = Factorisation(values).eigenvalues
    assert np.array_equal(asked, Factorisation(values).eigenvalues)


def test_a_matrix_that_rounding_made_indefinite_still_has_a_log_determinant():
    with algebra.lent(TORCH):
        found = algebra.log_det(np.diag([1.0, -1e3]), 1e-3)
    assert found == pytest.approx(np.log(1 + 1e3))


def test_a_device_is_lent_until_the_end_even_of_a_failure():
    def fail():
        assert algebra.lends(1)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), algebra.lent(TORCH):
        fail()
    assert not algebra.lends(10**6)


@pytest.mark.parametrize("shape", [(120, 30), (60, 90)])
def test_no_score_null_or_fold_changes_by_more_than_rounding(shape):
    samples = shape[0]
    generator = np.random.default_rng(1)
    features = Features(
        values=_values(*shape),
        labels=np.arange(samples) % 3,
        logits=generator.standard_normal((samples, 7)),
        reference=Features(values=_values(samples, 20), labels=np.arange(samples) % 3),
        extras={"class_embeddings": generator.standard_normal((3, 8, 2))},
    )
    specs = open_catalogue(Settings()).specs("estimator").values()
    pairs = [(spec, build(spec)) for spec in specs if spec.reads_features]
    with algebra.lent(TORCH):
        lent, _ = scoring.score_layer(features, pairs, permutations=3, folds=3)
    exact, _ = scoring.score_layer(features, pairs, permutations=3, folds=3)
    assert sum(record.value is not None for record in exact) > 10
    for ours, theirs in zip(lent, exact, strict=True):
        assert ours.not_applicable == theirs.not_applicable
        if theirs.value is not None:
            assert ours.value == pytest.approx(theirs.value, rel=1e-8, abs=1e-9), ours.estimator
            assert ours.folds == pytest.approx(theirs.folds, rel=1e-6, abs=1e-8), ours.estimator
