"""TIES: trim what each model changed, elect a sign, and merge the changes that agree with it.

Yadav et al., NeurIPS 2023, arXiv 2306.01708.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from zoo_amalgamation.merging.weighting import (
    combine_agreeing,
    densities_for,
    density_problems,
    weight_problems,
    weights_for,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Ties:
    """``theta_0 + scale * (mean of the trimmed changes that agree in sign)``.

    Args:
        weights: one a model; 1 for each by default.
        density: share of each change that is kept, the largest magnitudes; one, or one a model.
        normalize: divide each element by the weights of the models that agree on it.
        scale: the lambda of the paper.
        consensus: elect the sign by the weighted ``sum`` of the changes or by the ``count`` of
            their signs.
    """

    needs_base: bool = True

    def __init__(
        self,
        *,
        weights: tuple[float, ...] = (),
        density: float | tuple[float, ...] = 1.0,
        normalize: bool = True,
        scale: float = 1.0,
        consensus: Literal["sum", "count"] = "sum",
    ) -> None:
        self._weights, self._density = tuple(weights), density
        self._normalize, self._scale = normalize, scale
        self._count = consensus == "count"

    def check(self, models: int) -> Sequence[str]:
        """Say what cannot work with so many models."""
        # Their sum may be zero: it is the weights of those that agree which divide.
        return [
            *weight_problems(models, self._weights, normalize=False),
            *density_problems(models, self._density),
        ]

    def merge(self, name: str, tensors: Sequence[Tensor], base: Tensor | None) -> Tensor:
        """Add to one tensor of the base the changes on whose sign the models agree."""
        del name
        assert base is not None
        weights = weights_for(len(tensors), self._weights)
        densities = densities_for(len(tensors), self._density)
        changes = [
            trim(tensor - base, density) for tensor, density in zip(tensors, densities, strict=True)
        ]
        merged = combine_agreeing(changes, weights, count=self._count, normalize=self._normalize)
        return base + self._scale * merged


def trim(change: Tensor, density: float) -> Tensor:
    """Keep the ``int(density * n)`` elements of largest magnitude, at least one; zero the rest."""
    if density >= 1:
        return change
    flat = change.flatten()
    kept = torch.topk(flat.abs(), max(1, int(density * flat.numel())), sorted=False).indices
    return torch.zeros_like(flat).index_copy_(0, kept, flat[kept]).view_as(change)
