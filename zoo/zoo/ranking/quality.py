"""How well scores order models whose fine-tuned results are known.

Every function takes scores and results of the same M models, higher better in both. Where a
measure is undefined, as for constant scores, it is NaN.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


def rank_quality(scores: Sequence[float], results: Sequence[float]) -> dict[str, float]:
    """Measure everything below; ``rel@k`` and ``regret@k`` for k = 1 and 3."""
    return {
        "weighted_tau": weighted_tau(scores, results),
        "tau_b": tau_b(scores, results),
        "pearson": pearson(scores, results),
        "rel@1": rel_at_k(scores, results, 1),
        "rel@3": rel_at_k(scores, results, 3),
        "regret@1": regret_at_k(scores, results, 1),
        "regret@3": regret_at_k(scores, results, 3),
    }


def weighted_tau(scores: Sequence[float], results: Sequence[float]) -> float:
    """Kendall's tau with hyperbolic additive weights: mistakes at the top count most.

    Vigna, "A weighted correlation index for rankings with ties", WWW 2015, as LogME and its
    successors report it. Written out, because every warm start needs it and importing
    ``scipy.stats``, whose ``weightedtau`` it equals, takes longer than all the rest of one.
    """
    if _constant(scores, results):
        return math.nan
    first, second = np.asarray(scores, float), np.asarray(results, float)
    return (_one_sided_tau(first, second) + _one_sided_tau(second, first)) / 2


def tau_b(scores: Sequence[float], results: Sequence[float]) -> float:
    """Kendall's tau, corrected for ties."""
    from scipy.stats import kendalltau

    if _constant(scores, results):
        return math.nan
    return float(kendalltau(scores, results).statistic)


def pearson(scores: Sequence[float], results: Sequence[float]) -> float:
    """Linear correlation."""
    from scipy.stats import pearsonr

    if _constant(scores, results):
        return math.nan
    return float(pearsonr(scores, results).statistic)


def rel_at_k(scores: Sequence[float], results: Sequence[float], k: int) -> float:
    """Best result among the k highest scores, as a share of the best of all."""
    best = max(results)
    return _best_of_top(scores, results, k) / best if best else math.nan


def regret_at_k(scores: Sequence[float], results: Sequence[float], k: int) -> float:
    """What is lost by trying only the k highest scores, in units of the results."""
    return max(results) - _best_of_top(scores, results, k)


def average_ranks(values: Array) -> Array:
    """Ranks 1..M from the lowest up; equal values share the mean of their ranks."""
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    shared: Array = (np.cumsum(sizes) - (sizes - 1) / 2)[inverse]
    return shared


def _one_sided_tau(first: Array, second: Array) -> float:
    """Weights by the rank in ``first``, ties of it broken by ``second``; higher is better."""
    places = np.empty(len(first))
    places[np.lexsort((second, first))[::-1]] = np.arange(len(first))
    weights = 1 / (places[:, None] + 1) + 1 / (places[None, :] + 1)
    np.fill_diagonal(weights, 0.0)
    one, other = (np.sign(each[:, None] - each[None, :]) for each in (first, second))
    norm = math.sqrt((weights * one**2).sum() * (weights * other**2).sum())
    return float((weights * one * other).sum() / norm)


def _best_of_top(scores: Sequence[float], results: Sequence[float], k: int) -> float:
    top = np.argsort(-np.asarray(scores, dtype=float), kind="stable")[:k]
    return float(max(results[index] for index in top))


def _constant(scores: Sequence[float], results: Sequence[float]) -> bool:
    if len(scores) != len(results):
        raise InputError(f"there are {len(scores)} scores and {len(results)} results.")
    return len(set(scores)) < 2 or len(set(results)) < 2
