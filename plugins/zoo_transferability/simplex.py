"""The probability simplex: projection onto it, and the least quadratic form on it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

#: Up to this many weights every support is tried.
_MOST_SUPPORTS = 6


def project(values: npt.NDArray[Any]) -> Array:
    """Project rows (..., n) onto the simplex: the nearest weights >= 0 that sum to 1 (sparsemax).

    Held et al., Mathematical Programming 1974; Martins and Astudillo, ICML 2016.
    """
    values = np.asarray(values, dtype=np.float64)
    # The projection does not change under a shift; sums of large numbers would lose digits.
    values = values - values.max(axis=-1, keepdims=True)
    falling = np.flip(np.sort(values, axis=-1), axis=-1)
    counts = np.arange(1, values.shape[-1] + 1)
    sums = falling.cumsum(axis=-1)
    support = (1.0 + counts * falling > sums).sum(axis=-1, keepdims=True)
    threshold = (np.take_along_axis(sums, support - 1, axis=-1) - 1.0) / support
    weights: Array = np.maximum(values - threshold, 0.0)
    return weights


def minimise(form: Array) -> Array:
    """Find the weights t (K,) on the simplex that make t' B t least.

    Args:
        form: B (K, K), symmetric and positive semidefinite but for rounding.

    Returns:
        A global minimiser; where several are, the one that solves the smallest support.
    """
    count = len(form)
    scale = float(np.trace(form))
    if count == 1 or scale <= 0:
        return np.full(count, 1.0 / count)
    form = form / scale
    return project(_by_supports(form) if count <= _MOST_SUPPORTS else _by_least_squares(form))


def _by_supports(form: Array) -> Array:
    """Solve on every support; the least of the solutions that are weights is the minimum."""
    count = len(form)
    best, least = np.full(count, 1.0 / count), np.inf
    for size in range(1, count + 1):
        for support in combinations(range(count), size):
            weights = np.zeros(count)
            weights[list(support)] = _stationary(form[np.ix_(support, support)])
            value = float(weights @ form @ weights)
            # Rounding must not trade a vertex for a larger support that is worth the same.
            if weights.min() >= -1e-12 and value < least - 1e-15:
                best, least = weights, value
    return best


def _stationary(form: Array) -> Array:
    """Minimise the form over weights that sum to 1, whatever their signs."""
    count = len(form)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = form
    system[count, count] = 0.0
    right = np.zeros(count + 1)
    right[count] = 1.0
    solution = np.linalg.lstsq(system, right, rcond=1e-13)[0]
    return np.asarray(solution[:count], dtype=np.float64)


def _by_least_squares(form: Array) -> Array:
    """Minimise t' B t + (1't - 1)^2 over t >= 0: the same direction, and a solved problem."""
    from scipy.optimize import nnls

    values, vectors = np.linalg.eigh(form)
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    rows = np.concatenate([root, np.ones((1, len(form)))])
    weights, _ = nnls(rows, np.r_[np.zeros(len(form)), 1.0])
    scaled: Array = weights / weights.sum()
    return scaled
