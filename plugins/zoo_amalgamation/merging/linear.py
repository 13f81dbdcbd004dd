"""Model soup: the weighted mean of the weights.

Wortsman et al., ICML 2022, arXiv 2203.05482.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_amalgamation.merging.weighting import combine, weight_problems, weights_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Linear:
    """``sum(w_i * theta_i) / sum(w_i)``.

    Args:
        weights: one a model; 1 for each by default.
        normalize: divide by the sum of the weights.
    """

    needs_base: bool = False

    def __init__(self, *, weights: tuple[float, ...] = (), normalize: bool = True) -> None:
        self._weights, self._normalize = tuple(weights), normalize

    def check(self, models: int) -> Sequence[str]:
        """Say what cannot work with so many models."""
        return weight_problems(models, self._weights, normalize=self._normalize)

    def merge(self, name: str, tensors: Sequence[Tensor], base: Tensor | None) -> Tensor:
        """Average one tensor of every model."""
        del name, base
        weights = weights_for(len(tensors), self._weights)
        return combine(tensors, weights, normalize=self._normalize)
