"""How well scores order models whose fine-tuned results are known.

Every function takes scores and results of the same M models, higher better in both. Where a
measure is undefined, as for constant scores, it is NaN.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

#: Cells of the largest array of a permutation test.
_CELLS = 4_000_000


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
    return float(_weighted_taus(np.asarray(scores, float), np.asarray(results, float)[None])[0])


def null_weighted_taus(
    scores: Sequence[float], results: Sequence[float], *, shuffles: int = 10_000, seed: int = 0
) -> Array:
    """Weighted tau after shuffling the results: every order of few models, else so many drawn.

    Returns:
        (B,), B = M! where that is no more than ``shuffles``; empty where tau is not defined.
    """
    if _constant(scores, results):
        return np.empty(0)
    first, second = np.asarray(scores, float), np.asarray(results, float)
    count = len(first)
    if math.lgamma(count + 1) <= math.log(shuffles) + 1e-9:
        orders = np.array(list(itertools.permutations(range(count))))
    else:
        random = np.random.default_rng(seed)
        orders = random.permuted(np.tile(np.arange(count), (shuffles, 1)), axis=1)
    rows = max(1, _CELLS // count**2)
    parts = [
        _weighted_taus(first, second[orders[start : start + rows]])
        for start in range(0, len(orders), rows)
    ]
    return np.concatenate(parts)


def p_value(tau: float, null: Array, *, exact: bool) -> float:
    """Share of shuffles that come as high as ``tau``: one-sided; NaN without any.

    A drawn sample counts the order at hand as one of the shuffles, so that it is never 0.
    """
    if not len(null) or math.isnan(tau):
        return math.nan
    reached = int((null >= tau - 1e-12).sum())
    return reached / len(null) if exact else (reached + 1) / (len(null) + 1)


def tau_b(scores: Sequence[float], results: Sequence[float]) -> float:
    """Kendall's tau, corrected for ties."""
    from scipy.stats import kendalltau

    if _constant(scores, results):
        return math.nan
    return float(kendalltau(scores, results).statistic)


def pearson(scores: Sequence[float], results: Sequence[float]) -> float:
    """Linear correlation."""
    if _constant(scores, results):
        return math.nan
    one, other = (np.asarray(each, float) - np.mean(each) for each in (scores, results))
    # Scaled first: the squares of tiny or huge values would leave the range of a float.
    one, other = one / np.abs(one).max(), other / np.abs(other).max()
    found = float(one @ other / math.sqrt(float(one @ one) * float(other @ other)))
    return max(-1.0, min(1.0, found))


def rel_at_k(scores: Sequence[float], results: Sequence[float], k: int) -> float:
    """Best result among the k highest scores over the best of all; NaN if that is not above 0."""
    best = max(results)
    return _best_of_top(scores, results, k) / best if best > 0 else math.nan


def regret_at_k(scores: Sequence[float], results: Sequence[float], k: int) -> float:
    """What is lost by trying only the k highest scores, in units of the results."""
    return max(results) - _best_of_top(scores, results, k)


def average_ranks(values: Array) -> Array:
    """Ranks 1..M from the lowest up; equal values share the mean of their ranks."""
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    shared: Array = (np.cumsum(sizes) - (sizes - 1) / 2)[inverse]
    return shared


def _weighted_taus(scores: Array, results: Array) -> Array:
    """Weighted tau of (M,) scores with each row of (B, M) results."""
    signs = np.sign(scores[:, None] - scores[None, :])
    others = np.sign(results[:, :, None] - results[:, None, :])
    # One line a model: the weight of a pair is the sum of the weights of its two models.
    agree = np.einsum("ij,bij->bi", signs, others)
    own, other = np.abs(signs).sum(axis=1)[None], np.abs(others).sum(axis=2)
    sides = [
        _weights(np.broadcast_to(scores, results.shape), results),
        _weights(results, np.broadcast_to(scores, results.shape)),
    ]
    taus: Array = sum(
        (weights * agree).sum(axis=1)
        / np.sqrt((weights * own).sum(axis=1) * (weights * other).sum(axis=1))
        for weights in sides
    ) / np.float64(2)
    return taus


def _weights(first: Array, second: Array) -> Array:
    """1 / (place + 1) by ``first``, ties of it broken by ``second``; higher is better, (B, M)."""
    order = np.lexsort((second, first), axis=-1)[:, ::-1]
    weights = np.empty(first.shape)
    np.put_along_axis(weights, order, 1 / np.arange(1.0, first.shape[1] + 1)[None], axis=1)
    return weights


def _best_of_top(scores: Sequence[float], results: Sequence[float], k: int) -> float:
    top = np.argsort(-np.asarray(scores, dtype=float), kind="stable")[:k]
    return float(max(results[index] for index in top))


def _constant(scores: Sequence[float], results: Sequence[float]) -> bool:
    if len(scores) != len(results):
        raise InputError(f"there are {len(scores)} scores and {len(results)} results.")
    return len(set(scores)) < 2 or len(set(results)) < 2
