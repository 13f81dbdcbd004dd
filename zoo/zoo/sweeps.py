"""Passes over a large feature matrix: a cache-sized block at a time, centred, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zoo.labels import Classes

    Array = npt.NDArray[np.float64]
    Rows = slice | npt.NDArray[np.int64]

#: Numbers in a block: 4 MB, which a core's cache and the matrix kernels both like.
BLOCK = 1 << 19


def row_blocks(
    values: npt.NDArray[Any],
    mean: Array,
    *,
    order: npt.NDArray[np.int64] | None = None,
    least: int = 1,
) -> Iterator[tuple[Rows, Array]]:
    """Go through the rows once: which rows, and these less the mean, (n, D).

    Args:
        values: (N, D).
        mean: (D,).
        order: (M,) rows to visit, in this order; None visits all as they lie.
        least: rows a block at least, for consumers whose own result is as large.
    """
    samples, width = len(values) if order is None else len(order), values.shape[1]
    step = max(least, BLOCK // max(1, width), 1)
    for start in range(0, samples, step):
        rows: Rows = slice(start, min(start + step, samples))
        if order is not None:
            rows = order[rows]
        yield rows, np.subtract(values[rows], mean, dtype=np.float64)


def add_product(lower: Array, block: Array) -> Array:
    """Add block' block to a Fortran-ordered Gram matrix, in place, its lower triangle only."""
    from scipy.linalg.blas import dsyrk

    product: Array = dsyrk(1.0, block.T, beta=1.0, c=lower, lower=1, overwrite_c=1)
    return product


def gram_of(values: npt.NDArray[Any], mean: Array) -> Array:
    """Compute the Gram matrix of the centred features on the smaller side, full and exact.

    (N, N) where N <= D, a block of columns at a time; else (D, D), a block of rows at a time.
    """
    samples, width = values.shape
    size = min(samples, width)
    lower = np.zeros((size, size), order="F")
    if samples > width:
        for _, block in row_blocks(values, mean):
            lower = add_product(lower, block)
        return symmetric(lower)
    step = max(1, BLOCK // samples)
    for start in range(0, width, step):
        columns = slice(start, start + step)
        block = np.subtract(values[:, columns].T, mean[columns, None], dtype=np.float64, order="C")
        lower = add_product(lower, block)
    return symmetric(lower)


def add_class_sums(
    sums: Array,
    classes: Classes,
    rows: npt.NDArray[np.int64],
    block: Array,
    weights: Array | None = None,
) -> None:
    """Add rows to the sums of their classes, in place; the rows come in the order of classes."""
    from scipy.sparse import csr_array

    ids = classes.ids[rows]
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    bounds = np.append(starts, len(ids))
    entries = (np.ones(len(ids)) if weights is None else weights, np.arange(len(ids)), bounds)
    sums[ids[starts]] += csr_array(entries, shape=(len(starts), len(ids))) @ block


def small_gram(block: Array) -> Array:
    """Compute block block' of a few rows, its lower triangle only."""
    from scipy.linalg.blas import dsyrk

    product: Array = dsyrk(1.0, block.T, trans=1, lower=1)
    return product


def symmetric(lower: Array) -> Array:
    """Fill the upper triangle of a Gram matrix, in place."""
    lower += np.tril(lower, -1).T
    return lower


def log_det(gram: Array, scale: float) -> float:
    """Compute ln det(I + gram / scale) of a positive semi-definite matrix; reads the lower half."""
    from scipy.linalg.lapack import dpotrf

    shifted = gram * (1.0 / scale)
    shifted.flat[:: len(gram) + 1] += 1.0
    factor, status = dpotrf(shifted, lower=1, clean=0, overwrite_a=1)
    if status:  # rounding alone can push an eigenvalue of the sum below zero
        values = np.linalg.eigvalsh(gram)
        return float(np.log1p(np.maximum(values, 0.0) / scale).sum())
    return 2.0 * float(np.log(np.diagonal(factor)).sum())
