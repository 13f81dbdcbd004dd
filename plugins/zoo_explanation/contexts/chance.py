"""Chance: orders of the transfers that could have been, resampled targets, and what they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo_explanation.contexts.significance import Rules

    Vector = npt.NDArray[np.float64]
    Matrix = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.intp]


def within_ranks(values: Matrix, groups: Codes) -> Matrix:
    """Rank columns within groups, centred and divided by the size of the group.

    Args:
        values: (N, K).
        groups: (N,) non-negative integers.

    Returns:
        (N, K) in (-0.5, 0.5); ties share their mean rank.
    """
    from scipy.stats import rankdata

    _, code, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    # Ranks of (group, value) pairs count the smaller groups too: they are taken off again.
    dense = rankdata(values, method="dense", axis=0)
    ranks = rankdata(code[:, None] * (len(values) + 1.0) + dense, axis=0)
    before = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    places = ranks - before[code, None] - (sizes[code, None] + 1) / 2
    return np.asarray(places / sizes[code, None])


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """Orders of the transfers, see :func:`_orders`, and resamples of their targets.

    Attributes:
        targets: (N,) numbers without a gap; also the sources.
        counts: (R, T) how often each target is in each resample.
    """

    targets: Codes
    sources: Codes
    orders: list[Codes]
    counts: Matrix


def draws_of(targets: Codes, sources: Codes, rules: Rules, seed: int) -> Draws:
    """Draw for transfers, each given by the numbers of its target and of its source."""
    targets = np.unique(targets, return_inverse=True)[1]
    sources = np.unique(sources, return_inverse=True)[1]
    draw = np.random.default_rng(seed)
    clusters = int(targets.max()) + 1
    equal = np.full(clusters, 1 / clusters)
    return Draws(
        targets=targets,
        sources=sources,
        orders=_orders(targets, sources, rules.permutations, draw),
        counts=draw.multinomial(clusters, equal, size=rules.resamples).astype(float),
    )


def effect_of(rest: Vector, outcome: Vector, *, flag: bool) -> float:
    """Correlate what the controls leave: Spearman's rho, or for a flag the rank-biserial."""
    product, spread = rest @ outcome, rest @ rest
    # Of ranks divided by their number, twice the difference of the means is the rank-biserial.
    if flag:
        return float(np.clip(2 * product / spread, -1, 1))
    return float(product / np.sqrt(spread * (outcome @ outcome)))


def p_of(column: Vector, outcome: Vector, basis: Matrix, order: Codes) -> float:
    """Reorder the quantity, take out the controls again, and compare with what was seen.

    Reordering what the controls left of the outcome would be too lenient: a second time, they take
    more from the reordered than they took from the seen.

    Args:
        column: (N,) the quantity, without anything taken out.
        outcome: (N,) without what the controls account for.
        basis: (N, K) of the controls, orthonormal.
        order: (P, N), -1 for a transfer that was not recorded.
    """
    values, reach = column[order], outcome @ outcome
    if order.min() < 0:
        recorded = order >= 0
        values, reach = np.where(recorded, values, 0.0), recorded @ outcome**2
    spread = np.einsum("pn,pn->p", values, values) - ((values @ basis) ** 2).sum(axis=1)
    seen = effect_of(column - basis @ (basis.T @ column), outcome, flag=False)
    least = (abs(seen) - 1e-12) * np.sqrt(np.maximum(spread, 0.0) * reach)
    return float((1 + (np.abs(values @ outcome) >= least).sum()) / (1 + len(order)))


def interval_of(table: Matrix, draws: Draws, share: float, *, flag: bool) -> tuple[float, float]:
    """Resample the targets and give the interval of the effect.

    Args:
        table: (N, 2 + K) the quantity, the outcome and the controls, centred in each target.
        draws: how often each target is in each resample.
        share: of the effects that it holds, in percent.
        flag: whether the quantity is one.
    """
    products = np.zeros((draws.counts.shape[1], table.shape[1], table.shape[1]))
    np.add.at(products, draws.targets, table[:, :, None] * table[:, None, :])
    sums = np.tensordot(draws.counts, products, axes=1)
    own, cross, fixed = sums[:, :2, :2], sums[:, :2, 2:], sums[:, 2:, 2:]
    if table.shape[1] > 2:
        ridge = 1e-9 * np.eye(fixed.shape[1])
        own = own - cross @ np.linalg.solve(fixed + ridge, cross.transpose(0, 2, 1))
    across = np.maximum(own[:, 0, 0], 1e-30)
    if flag:
        effects = np.clip(2 * own[:, 0, 1] / across, -1, 1)
    else:
        effects = own[:, 0, 1] / np.sqrt(across * np.maximum(own[:, 1, 1], 1e-30))
    low, high = np.quantile(effects, [(1 - share / 100) / 2, (1 + share / 100) / 2])
    return float(low), float(high)


def centred(values: Vector, targets: Codes) -> Vector:
    """Take the mean of each target off."""
    sizes = np.bincount(targets)
    return np.asarray(values - (np.bincount(targets, weights=values) / sizes)[targets])


def _orders(
    targets: Codes, sources: Codes, permutations: int, draw: np.random.Generator
) -> list[Codes]:
    """Draw orders of the transfers.

    Inside each target, each on its own; and of whole sources, the same in all targets: a good
    model is good on many targets, and its transfers are not independent. The second is left out
    where fewer than half of the reordered transfers were recorded.

    Returns:
        (P, N) each: whose outcome a transfer is given; -1 for one that was not recorded.
    """
    count, models = len(targets), int(sources.max()) + 1
    start = np.argsort(targets, kind="stable")
    keys = targets[start] + draw.random((permutations, count))
    inside = np.empty((permutations, count), dtype=np.intp)
    inside[:, start] = start[np.argsort(keys, axis=1)]
    recorded = np.full((models, int(targets.max()) + 1), -1, dtype=np.intp)
    recorded[sources, targets] = np.arange(count)
    swapped = np.argsort(draw.random((permutations, models)), axis=1)
    whole = recorded[swapped[:, sources], targets[None, :]]
    return [inside, whole] if (whole >= 0).mean() >= 0.5 else [inside]
