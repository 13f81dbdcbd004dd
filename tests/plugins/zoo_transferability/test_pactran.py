from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.types import Features
from zoo_transferability.pactran import PACTran


def _trained(values, labels, precision):
    """Minimise the penalised cross-entropy by plain gradient descent with a backtracking step."""
    onehot = np.eye(labels.max() + 1)[labels]
    design = np.concatenate([values - values.mean(axis=0), np.ones((len(values), 1))], axis=1)
    penalty = np.append(np.full(values.shape[1], precision), 0.0)[:, None]

    def probabilities(weights):
        logits = design @ weights
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def loss(weights):
        fit = -np.log((probabilities(weights) * onehot).sum(axis=1)).mean()
        return fit + (penalty * weights**2).sum() / 2

    weights, step = np.zeros((design.shape[1], onehot.shape[1])), 1.0
    for _ in range(4000):
        slope = design.T @ (probabilities(weights) - onehot) / len(design) + penalty * weights
        while loss(weights - step * slope) > loss(weights) - step * (slope**2).sum() / 2:
            step /= 2
            if step < 1e-9:
                break
        weights, step = weights - step * slope, min(step * 2, 1e3)
        if np.abs(slope).max() < 1e-7:
            break
    return loss(weights), probabilities(weights), design


def test_the_bound_is_fit_and_flatness(make_features):
    features = make_features(samples=60, width=5, signal=0.5)
    loss, probabilities, design = _trained(features.values, features.labels, 1 / 60)
    hessian = np.square(design).T @ (probabilities * (1 - probabilities)) / 60
    hessian[:-1] += 1 / 60
    penalty = 0.5 * 3 * 10 / 60 * np.log(hessian.sum() * 60 / (3 * 5))
    score = PACTran().score(features)
    assert score.details["loss"] == pytest.approx(loss, rel=1e-5)
    assert score.value == pytest.approx(-(loss + penalty), rel=1e-4)


@settings(max_examples=8, deadline=None)
@given(st.integers(20, 60), st.integers(2, 8), st.integers(2, 3), st.integers(0, 99))
def test_order_ids_rotation_and_origin_do_not_matter(samples, width, classes, seed):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) + 0.5 * labels[:, None]
    rotation, _ = np.linalg.qr(generator.standard_normal((width, width)))
    order = generator.permutation(samples)
    score = PACTran().score(Features(values=values, labels=labels))
    moved = Features(values=(values @ rotation)[order] + 2, labels=4 - 2 * labels[order])
    assert PACTran().score(moved).value == pytest.approx(score.value, rel=1e-3)


def test_separable_classes_score_above_noise(make_features):
    clear, noise = (make_features(signal=each) for each in (2.0, 0.0))
    assert PACTran().score(clear).value > PACTran().score(noise).value


def test_training_that_ends_early_is_said(make_features):
    assert "not trained" in PACTran(steps=2).score(make_features()).note
    assert PACTran().score(make_features()).note == ""


@pytest.mark.parametrize("option", ["prior", "flatness", "steps"])
def test_an_option_out_of_range_is_named(option):
    with pytest.raises(InputError, match=f"pactran.{option}"):
        PACTran(**{option: 0})
