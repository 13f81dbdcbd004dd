from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import NotApplicable
from zoo.types import Features
from zoo_transferability.leep import LEEP, NCE

quick = settings(max_examples=20, deadline=None)


def _head(samples=60, sources=5, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    logits = 2 * generator.standard_normal((samples, sources))
    logits[np.arange(samples), labels % sources] += 1.5
    return Features(values=np.zeros((samples, 0)), labels=labels, logits=logits)


def _written_out(logits, labels):
    """LEEP and NCE as the papers write them, by loops."""
    theta = np.exp(logits - logits.max(axis=1, keepdims=True))
    theta /= theta.sum(axis=1, keepdims=True)
    samples, sources = theta.shape
    classes = range(labels.max() + 1)
    joint = np.array([[theta[labels == y, z].sum() / samples for z in range(sources)]
                      for y in classes])  # fmt: skip
    conditional = joint / joint.sum(axis=0)
    leep = np.mean([np.log(conditional[y] @ row) for y, row in zip(labels, theta, strict=True)])
    hard, nce = theta.argmax(axis=1), 0.0
    for y in classes:
        for z in range(sources):
            both = np.mean((labels == y) & (hard == z))
            if both:
                nce += both * np.log(both / np.mean(hard == z))
    return leep, nce


@pytest.mark.golden
def test_golden_mean_expected_probability(golden_leep_nce):
    folder, case = golden_leep_nce
    with np.load(folder / case["input"]) as arrays:
        labels, logits = arrays["y"], arrays["logits"]
    features = Features(values=np.zeros((len(labels), 0)), labels=labels, logits=logits)
    found = LEEP().score(features).details["mean_eep"]
    assert found == pytest.approx(case["mean_expected_prob_no_log"]["value"], rel=1e-9)


@quick
@given(st.integers(10, 60), st.integers(2, 12), st.integers(2, 5), st.integers(0, 99))
def test_both_are_their_definitions_whatever_the_order_and_the_ids(samples, sources, classes, seed):
    features = _head(samples, sources, classes, seed)
    leep, nce = _written_out(features.logits, features.labels)
    assert LEEP().score(features).value == pytest.approx(leep)
    assert NCE().score(features).value == pytest.approx(nce)
    generator = np.random.default_rng(seed)
    order, columns = generator.permutation(samples), generator.permutation(sources)
    moved = Features(
        values=features.values,
        labels=5 * (classes - features.labels[order]),
        logits=features.logits[order][:, columns] + 100,
    )
    assert LEEP().score(moved).value == pytest.approx(leep)
    assert NCE().score(moved).value == pytest.approx(nce)
    assert max(leep, nce) <= 1e-12


def test_a_head_that_knows_the_labels_scores_zero():
    labels = np.arange(30) % 3
    logits = np.where(np.arange(4) == labels[:, None], 50.0, -50.0)
    features = Features(values=np.zeros((30, 0)), labels=labels, logits=logits)
    assert LEEP().score(features).value == pytest.approx(0)
    assert NCE().score(features).value == pytest.approx(0)
    assert NCE().score(features).bounds == (-np.log(3), 0)


def test_source_classes_without_mass_change_nothing():
    features = _head()
    dead = np.full((60, 3), -np.inf)
    more = Features(
        values=features.values,
        labels=features.labels,
        logits=np.concatenate([features.logits, dead], axis=1),
    )
    for estimator in (LEEP(), NCE()):
        assert estimator.score(more).value == pytest.approx(estimator.score(features).value)


@pytest.mark.parametrize("estimator", [LEEP(), NCE()])
def test_a_regression_head_has_no_classes(estimator):
    features = Features(values=np.zeros((4, 0)), labels=np.arange(4), logits=np.ones((4, 1)))
    with pytest.raises(NotApplicable, match="one output, no classes"):
        estimator.score(features)
