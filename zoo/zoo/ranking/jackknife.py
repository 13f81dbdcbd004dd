"""Delete-a-group jack-knife: how far an estimate moves when each fold is left out in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

#: Half width of a 95 % interval, in standard errors.
NORMAL_95 = 1.959964


def standard_error(folds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute sqrt((K - 1) / K * sum (v_k - mean)^2) over the last axis: (..., K) -> (...)."""
    count = folds.shape[-1]
    spread = np.square(folds - folds.mean(axis=-1, keepdims=True)).sum(axis=-1)
    error: npt.NDArray[np.float64] = np.sqrt((count - 1) / count * spread)
    return error


def interval(
    value: float,
    folds: Sequence[float] | npt.NDArray[Any],
    *,
    bounds: tuple[float, float] | None = None,
) -> tuple[float, float] | None:
    """Give the 95 % interval of a value; None with fewer than two folds.

    Args:
        value: on all samples.
        folds: the same without each fold.
        bounds: what the value cannot leave.
    """
    array = np.asarray(folds, dtype=np.float64)
    if len(array) < 2:
        return None
    half = NORMAL_95 * float(standard_error(array))
    low, high = value - half, value + half
    if bounds:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return low, high
