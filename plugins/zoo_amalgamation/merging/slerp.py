"""Spherical interpolation of two models: along the arc between their weights.

Shoemake, SIGGRAPH 1985, "Animating rotation with quaternion curves".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

#: Beyond this cosine the arc is a line, and dividing by its sine loses all digits.
_STRAIGHT = 0.9995


class Slerp:
    """``sin((1-t) W) / sin(W) * a + sin(t W) / sin(W) * b`` with W the angle between a and b.

    The angle is that of the flattened tensors; nearly parallel ones are interpolated linearly.

    Args:
        t: 0 is the first model, 1 the second.
    """

    needs_base: bool = False

    def __init__(self, *, t: float = 0.5) -> None:
        self._t = t

    def check(self, models: int) -> Sequence[str]:
        """Say what cannot work with so many models."""
        problems = []
        if models != 2:
            problems.append(f"an arc joins exactly 2 models, and there are {models}.")
        if not 0 <= self._t <= 1:
            problems.append(f"t is a place between 0 and 1, and {self._t:g} is none.")
        return problems

    def merge(self, name: str, tensors: Sequence[Tensor], base: Tensor | None) -> Tensor:
        """Interpolate between one tensor of the first model and that of the second."""
        del name, base
        first, second = tensors
        cosine = _cosine(first, second)
        if abs(cosine) > _STRAIGHT:
            return (1 - self._t) * first + self._t * second
        angle = math.acos(cosine)
        share = math.sin((1 - self._t) * angle), math.sin(self._t * angle)
        return share[0] / math.sin(angle) * first + share[1] / math.sin(angle) * second


def _cosine(first: Tensor, second: Tensor) -> float:
    """Of the flattened tensors, in float64; 0 where one is zero."""
    left, right = first.flatten().double(), second.flatten().double()
    length = float(torch.linalg.vector_norm(left) * torch.linalg.vector_norm(right))
    return float(left @ right) / length if length else 0.0
