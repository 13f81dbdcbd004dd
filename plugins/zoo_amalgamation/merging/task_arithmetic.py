"""Task arithmetic: the common ancestor, plus what each model changed in it.

Ilharco et al., ICLR 2023, arXiv 2212.04089.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_amalgamation.merging.weighting import combine, weight_problems, weights_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class TaskArithmetic:
    """``theta_0 + scale * sum(w_i * (theta_i - theta_0))``.

    Args:
        weights: one a model; 1 for each by default.
        normalize: divide the sum by that of the weights.
        scale: the lambda of the paper.
    """

    needs_base: bool = True

    def __init__(
        self, *, weights: tuple[float, ...] = (), normalize: bool = False, scale: float = 1.0
    ) -> None:
        self._weights, self._normalize, self._scale = tuple(weights), normalize, scale

    def check(self, models: int) -> Sequence[str]:
        """Say what cannot work with so many models."""
        return weight_problems(models, self._weights, normalize=self._normalize)

    def merge(self, name: str, tensors: Sequence[Tensor], base: Tensor | None) -> Tensor:
        """Add the changes of one tensor of every model to that of the base."""
        del name
        assert base is not None
        weights = weights_for(len(tensors), self._weights)
        changes = [tensor - base for tensor in tensors]
        return base + self._scale * combine(changes, weights, normalize=self._normalize)
