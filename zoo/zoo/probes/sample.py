"""A stratified sample: deterministic for a seed, proportional, and nested.

Every row gets a place in one fixed queue; a sample of n rows is the first n of it. A sample of 500
is therefore part of the sample of 1000, which a draw for each size would not give. The places
follow Webster's divisor method, the proportional allocation that never takes a row back from a
class when the sample grows, after two rows a class.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_STRATA = 10
_FIRST = 2

Index = npt.NDArray[np.int64]


def choose(strata: Index, samples: int | None, seed: int) -> Index:
    """Choose rows, in their own order; (M,) with M = min(samples, N).

    Args:
        strata: (N,) non-negative stratum of each row, such as its class.
        samples: how many; None takes every row.
        seed: of the draw.
    """
    if samples is None or samples >= len(strata):
        return np.arange(len(strata))
    return np.sort(queue(strata, seed)[:samples])


def queue(strata: Index, seed: int) -> Index:
    """Order all rows by the size of the sample that first takes them; (N,)."""
    draw = np.random.Generator(np.random.PCG64(seed)).random(len(strata))
    counts = np.bincount(strata)
    grouped = np.lexsort((draw, strata))
    starts = np.cumsum(counts) - counts
    place = np.empty(len(strata), dtype=np.int64)
    place[grouped] = np.arange(len(strata)) - starts[strata[grouped]]
    turn = (place + 0.5) / counts[strata]
    return np.lexsort((draw, turn, np.minimum(place, _FIRST)))


def quantile_strata(target: npt.NDArray[np.float64]) -> Index:
    """Cut a regression target into tenths of its rows; (N,)."""
    strata = np.empty(len(target), dtype=np.int64)
    tenths = max(1, min(_STRATA, len(target) // _FIRST))
    strata[np.argsort(target, kind="stable")] = np.arange(len(target)) * tenths // len(target)
    return strata
