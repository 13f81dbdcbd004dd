"""Distances between all pairs of samples, and their ranks with ties."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.labels import stratified_folds

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]

#: Pairs whose distances are computed at a time.
BLOCK = 1 << 22
#: Rows whose distances to later ones are computed at a time.
STEP = 256
BINS = 1 << 20
#: Decimals that tell two distances apart.
DECIMALS = 12


def standardised(values: npt.NDArray[Any]) -> Array:
    """Columns of mean 0 and variance 1; those that never vary become 0."""
    columns = values.astype(np.float64)
    constant = (columns == columns[:1]).all(axis=0)
    columns -= columns.mean(axis=0)
    spread = columns.std(axis=0)
    columns /= np.where(constant | (spread == 0), 1.0, spread)
    columns[:, constant] = 0.0
    return columns


def unit_rows(values: Array, *, centre: bool = True) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Scale rows to length 1, so that 1 - an inner product is a distance.

    Args:
        values: (N, D).
        centre: take each row's mean off first: correlation distance instead of cosine.

    Returns:
        The rows (N, D), and which have a direction at all, (N,): the others are 0.
    """
    lengths = np.linalg.norm(values, axis=1)
    rows = values - values.mean(axis=1, keepdims=True) if centre else values.copy()
    left = np.linalg.norm(rows, axis=1)
    directed = left > 1e-12 * lengths.max(initial=0.0)
    rows[directed] /= left[directed, None]
    rows[~directed] = 0.0
    return rows, directed


def apart(first: Array, second: Array) -> Array:
    """1 - the inner products of unit rows, (N, M), in units too coarse to see rounding."""
    found: Array = first @ second.T
    np.subtract(1.0, found, out=found)
    np.multiply(found, 10.0**DECIMALS, out=found)
    np.rint(found, out=found)
    return found


def distances(rows: Array) -> Array:
    """1 - the inner product of every pair i < j, (N (N - 1) / 2,), in the units of ``apart``."""
    samples = len(rows)
    parts = []
    for start in range(0, samples, STEP):
        block = apart(rows[start : start + STEP], rows[start:])
        later = np.arange(block.shape[1]) > np.arange(len(block))[:, None]
        parts.append(block[later])
    return np.concatenate(parts)


def part_of(features: Features, samples: int, seed: int) -> npt.NDArray[np.int64]:
    """Choose the samples that a method of all pairs can afford, equal for every model: (M,)."""
    count = len(features.labels)
    if count <= samples:
        return np.arange(count)
    if not features.labels.size:
        chosen = np.random.default_rng([seed, 3]).permutation(count)[:samples]
        return np.sort(chosen)
    parts = -(-count // samples)
    return np.flatnonzero(stratified_folds(features.labels, features.task, parts, seed) == 0)


def ranks(values: Array) -> Array:
    """Average ranks less their mean, (M,)."""
    from scipy.stats import rankdata

    found: Array = rankdata(values) - (len(values) + 1) / 2
    return found


class Binned:
    """Distances of all pairs i < j in a million bins: ranks without a sort, close to 1e-6.

    For resamples, which need no more.
    """

    def __init__(self, rows: Array) -> None:
        values = distances(rows)
        low, high = float(values.min()), float(values.max())
        scale = (BINS - 1) / (high - low) if high > low else 0.0
        self._samples = len(rows)
        self._bins = ((values - low) * scale).astype(np.int32)

    @cached_property
    def pairs(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Both samples of every pair, (M,) each."""
        first, second = np.triu_indices(self._samples, 1)
        return first, second

    @cached_property
    def ranks(self) -> Array:
        """Average ranks less their mean, (M,)."""
        return weighted_ranks(self._bins, None)

    def ranks_of(self, kept: npt.NDArray[np.bool_]) -> Array:
        """Average ranks among some pairs, less their mean; 0 for the others."""
        return np.where(kept, weighted_ranks(self._bins, kept.astype(np.float64)), 0.0)


def weighted_ranks(group: npt.NDArray[Any], weights: Array | None) -> Array:
    """Average ranks, less their mean; a value counts as often as it weighs.

    Args:
        group: (M,) number of each value among the distinct ones, ascending.
        weights: (M,) how often each occurs; None: once.
    """
    sizes = np.bincount(group, weights=weights).astype(np.float64)
    ends = np.cumsum(sizes)
    middle = ends - (sizes - 1.0) / 2 - (ends[-1] + 1.0) / 2
    found: Array = middle[group]
    return found


def cosine(first: Array, second: Array) -> float:
    """Correlation of two centred vectors; 0 where one never varies."""
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / length if length > 0 else 0.0
