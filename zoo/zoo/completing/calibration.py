"""Scores into probabilities: a sigmoid with a temperature and a shift, fitted on held-out links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_STEPS = 50


class Sigmoid(msgspec.Struct, frozen=True, kw_only=True):
    """``1 / (1 + exp(-(score / temperature + shift)))``."""

    temperature: float
    shift: float

    def probability(self, scores: Array) -> Array:
        """Turn raw scores into probabilities of the same shape."""
        raised = np.clip(scores / self.temperature + self.shift, -60.0, 60.0)
        return np.asarray(1 / (1 + np.exp(-raised)))


def fit_sigmoid(scores: Array, answers: Array) -> Sigmoid:
    """Fit by maximum likelihood over every candidate of held-out queries (Platt, 1999).

    Args:
        scores: (Q, N) raw; minus infinity is no candidate, the answer neither.
        answers: (Q,) the node of each row that is true.
    """
    truth = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(truth, answers[:, None], values=True, axis=1)
    kept = np.isfinite(scores)
    values, wanted = scores[kept], truth[kept].astype(np.float64)
    # Platt's targets keep the fit finite where scores part the two completely.
    positives, negatives = wanted.sum(), (1 - wanted).sum()
    goal = np.where(wanted > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    middle, spread = values.mean(), values.std() or 1.0
    scaled = (values - middle) / spread
    weight, bias = _newton(scaled, goal, np.log((positives + 1) / (negatives + 1)))
    weight = max(weight, 1e-6)  # a score that says nothing, or less, must not be turned around
    return Sigmoid(temperature=float(spread / weight), shift=float(bias - weight * middle / spread))


def _newton(values: Array, goal: Array, bias: float) -> tuple[float, float]:
    found = np.array([0.0, bias])
    loss = _loss(values, goal, found)
    for _ in range(_STEPS):
        expected = _expected(values, found)
        error, curve = expected - goal, expected * (1 - expected) + 1e-12
        gradient = np.array([(error * values).sum(), error.sum()])
        across = (curve * values).sum()
        hessian = np.array([[(curve * values**2).sum(), across], [across, curve.sum()]])
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        while (tried := _loss(values, goal, found - step)) > loss and np.abs(step).max() > 1e-9:
            step = step / 2
        if loss - tried < 1e-9 * abs(loss):
            break
        found, loss = found - step, tried
    return float(found[0]), float(found[1])


def _expected(values: Array, line: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(values * line[0] + line[1], -60.0, 60.0))))


def _loss(values: Array, goal: Array, line: Array) -> float:
    raised = values * line[0] + line[1]
    return float((np.logaddexp(0.0, raised) - goal * raised).sum())
