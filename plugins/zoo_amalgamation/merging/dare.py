"""DARE: drop what each model changed at random, and rescale the rest.

Yu et al., ICML 2024, arXiv 2311.03099.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import torch

from zoo_amalgamation.merging.weighting import (
    combine,
    combine_agreeing,
    densities_for,
    density_problems,
    weight_problems,
    weights_for,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Rescale = Literal["l1", "l2", "linf", "inverse", "none"]

_ORDERS = {"l1": 1.0, "l2": 2.0, "linf": float("inf")}


class Dare:
    """``theta_0 + scale * sum(w_i * rescaled(mask_i * (theta_i - theta_0)))``.

    Args:
        weights: one a model; 1 for each by default.
        density: chance of each element to be kept; one, or one a model. (mergekit keeps all
            unless told otherwise, and so drops nothing.)
        normalize: divide the sum by that of the weights.
        scale: a factor for the merged change.
        rescale: ``l1``, ``l2`` or ``linf`` gives what is kept the norm of the whole; ``inverse``
            divides it by the density, as the paper does; ``none`` leaves it.
        consensus: ``ties`` keeps only the changes that agree in sign.
        seed: decides, with the name of the tensor and the place of the model, what is dropped.
    """

    needs_base: bool = True

    def __init__(
        self,
        *,
        weights: tuple[float, ...] = (),
        density: float | tuple[float, ...] = 0.5,
        normalize: bool = False,
        scale: float = 1.0,
        rescale: Rescale = "l1",
        consensus: Literal["none", "ties"] = "none",
        seed: int = 0,
    ) -> None:
        self._weights, self._density = tuple(weights), density
        self._normalize, self._scale = normalize, scale
        self._rescale: Rescale = rescale
        self._agree, self._seed = consensus == "ties", seed

    def check(self, models: int) -> Sequence[str]:
        """Say what cannot work with so many models."""
        normalize = self._normalize and not self._agree
        return [
            *weight_problems(models, self._weights, normalize=normalize),
            *density_problems(models, self._density),
        ]

    def merge(self, name: str, tensors: Sequence[Tensor], base: Tensor | None) -> Tensor:
        """Add to one tensor of the base what is kept of the changes of the models."""
        assert base is not None
        weights = weights_for(len(tensors), self._weights)
        densities = densities_for(len(tensors), self._density)
        changes = [
            self._drop(tensor - base, density, name, model)
            for model, (tensor, density) in enumerate(zip(tensors, densities, strict=True))
        ]
        if self._agree:
            merged = combine_agreeing(changes, weights, count=False, normalize=self._normalize)
        else:
            merged = combine(changes, weights, normalize=self._normalize)
        return base + self._scale * merged

    def _drop(self, change: Tensor, density: float, name: str, model: int) -> Tensor:
        if density >= 1:
            return change
        kept = draw_mask(change, density, f"{self._seed}/{model}/{name}")
        return rescale_masked(change, kept, density, self._rescale)


def draw_mask(like: Tensor, density: float, key: str) -> Tensor:
    """Draw one 0 or 1 an element, 1 with the chance ``density``; equal for an equal key."""
    digest = hashlib.sha256(key.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    # Always in float32, so that the same elements are kept whatever the models are stored in.
    return (torch.rand(like.shape, generator=generator) < density).to(like.dtype)


def rescale_masked(change: Tensor, mask: Tensor, density: float, rescale: Rescale) -> Tensor:
    """Mask a change and make up for what was dropped; a mask that drops all leaves zeros."""
    kept = change * mask
    if rescale == "none":
        return kept
    if rescale == "inverse":
        return kept / density
    whole, left = (torch.linalg.vector_norm(each, _ORDERS[rescale]) for each in (change, kept))
    return kept * (whole / left) if left > 0 else kept
