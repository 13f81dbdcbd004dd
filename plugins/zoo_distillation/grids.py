"""Maps of two networks on one grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def at_smaller(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool (B, C_s, H, W) and (B, C_t, H', W') to the smaller height and width."""
    grid = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    return pooled(student, grid), pooled(teacher, grid)


def pooled(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Average-pool (B, C, H, W) to a grid of any size; what is on it already stays as it is."""
    return maps if maps.shape[2:] == grid else functional.adaptive_avg_pool2d(maps, grid)
