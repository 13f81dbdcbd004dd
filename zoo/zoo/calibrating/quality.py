"""How honest probabilities are: calibration error, log-likelihood, Brier score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.building.intervals import Share, share

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BINS = 15
#: 97.5 % point of the standard normal distribution.
_Z = 1.959963984540054
_SMALLEST = 1e-300


class Honesty(msgspec.Struct, frozen=True, kw_only=True):
    """How good probabilities are on labelled samples; lower is better but for the accuracy.

    Attributes:
        accuracy: how often the most probable label is right.
        ece: expected calibration error: how far the probability of the first label is from how
            often it is right, over 15 equal bins (Guo et al., ICML 2017, arXiv 1706.04599).
        nll: mean negative log-likelihood of the right label, in nats.
        brier: mean squared distance from the right label's indicator, in [0, 2].
    """

    accuracy: Share
    ece: float
    nll: float
    brier: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of something after less that before, on the same samples; below 0 is better.

    Attributes:
        value: the mean.
        low: end of the 95 % interval.
        high: the other.
    """

    value: float
    low: float
    high: float


def honesty(probabilities: Array, labels: Array) -> Honesty:
    """Judge (N, C) probabilities by (N,) right columns; N is at least 1."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    accuracy = share(right)
    assert accuracy is not None
    return Honesty(
        accuracy=accuracy,
        ece=_calibration_error(confidence, right),
        nll=float(losses(probabilities, labels).mean()),
        brier=float(_distances(probabilities, labels).mean()),
    )


def losses(probabilities: Array, labels: Array) -> Array:
    """Give the negative log-likelihood of every right label: (N,)."""
    own = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(own, _SMALLEST)))


def change(before: Array, after: Array, labels: Array) -> Change:
    """Compare the log-likelihoods of two (N, C) tables, sample by sample."""
    differences = losses(after, labels) - losses(before, labels)
    count, mean = len(differences), float(differences.mean())
    half = _Z * float(differences.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    return Change(value=mean, low=mean - half, high=mean + half)


def _calibration_error(confidence: Array, right: Array) -> float:
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _distances(probabilities: Array, labels: Array) -> Array:
    off = probabilities.copy()
    off[np.arange(len(labels)), labels] -= 1
    return np.asarray((off**2).sum(axis=1))
