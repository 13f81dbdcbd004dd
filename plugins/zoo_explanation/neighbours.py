"""Which class the other samples give each sample to, and whether two models differ in that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


def nearest_class(
    values: npt.NDArray[np.generic], labels: npt.NDArray[np.int64], classes: int
) -> npt.NDArray[np.int64]:
    """Give each sample to the class with the nearest mean, exactly as if it had no part in it.

    Rows are scaled to unit length first, as lengths say more of an image's contrast than of what
    is in it. Leaving x out of the mean m of its own n samples moves their distance from |x - m|
    to |x - m| n / (n - 1).

    Args:
        values: (N, D) features.
        labels: (N,) class ids below ``classes``.
        classes: C; those without a sample, or without another one, are no choice.

    Returns:
        (N,) class ids.
    """
    rows = np.asarray(values, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(length == 0, 1.0, length)
    counts = np.bincount(labels, minlength=classes)
    sums = np.zeros((classes, rows.shape[1]))
    np.add.at(sums, labels, rows)
    means = sums / np.maximum(counts, 1)[:, None]
    squares = (rows**2).sum(1)[:, None] + (means**2).sum(1)[None] - 2 * rows @ means.T
    squares = np.maximum(squares, 0.0)
    squares[:, counts == 0] = np.inf
    own, many = np.arange(len(rows)), counts[labels].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(many > 1, (many / (many - 1)) ** 2, np.inf)
        left_out = np.where(np.isinf(scale), np.inf, squares[own, labels] * scale)
    squares[own, labels] = left_out
    nearest: npt.NDArray[np.int64] = squares.argmin(axis=1)
    return nearest


def sign_tests(
    first: npt.NDArray[np.bool_],
    second: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.int64],
    classes: int,
) -> tuple[Array, Array]:
    """Test class by class whether two models are right on different samples by chance.

    McNemar's exact test, with the false-discovery rate over classes controlled.

    Returns:
        (C,) p and (C,) q; one where the two never differ.
    """  # fmt: skip
    only_first = np.bincount(labels[first & ~second], minlength=classes).tolist()
    only_second = np.bincount(labels[second & ~first], minlength=classes).tolist()
    p = np.array([two_sided(*counts) for counts in zip(only_first, only_second, strict=True)])
    return p, false_discovery_rates(p)


def two_sided(one: int, other: int) -> float:
    """Give how likely a split at least as uneven is, were either side as likely."""
    count = one + other
    tail = sum(math.comb(count, each) for each in range(min(one, other) + 1))
    return min(1.0, float(tail / 2 ** (count - 1)) if count else 1.0)


def false_discovery_rates(p: Array) -> Array:
    """Adjust p values (C,) for the number of tests (Benjamini and Hochberg, 1995)."""
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return q
