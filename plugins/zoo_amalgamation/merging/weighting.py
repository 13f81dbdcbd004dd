"""One weight a model: the mean and the sum of what models differ in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

#: Sums of weights nearer to zero than this divide nothing.
_NOTHING = 1e-8


def weights_for(models: int, weights: Sequence[float]) -> list[float]:
    """One weight a model; 1 for each where none is given."""
    return [float(weight) for weight in weights] or [1.0] * models


def weight_problems(models: int, weights: Sequence[float], *, normalize: bool) -> list[str]:
    """Say what is wrong with the weights of so many models."""
    given = weights_for(models, weights)
    if len(given) != models:
        return [f"{len(given)} weights were given for {models} models; give one for each."]
    if not all(abs(weight) < float("inf") for weight in given):
        return [f"weights have to be finite numbers, and these are {given}."]
    if normalize and abs(sum(given)) < _NOTHING:
        return [f"the weights {given} sum to 0, so their mean has no meaning: normalize=false."]
    return []


def density_problems(models: int, density: float | Sequence[float]) -> list[str]:
    """Say what is wrong with the shares that are kept."""
    given = densities_for(models, density)
    if len(given) != models:
        return [f"{len(given)} densities were given for {models} models; give one, or one each."]
    return [
        f"a density is a share above 0 and up to 1, and {each:g} is none."
        for each in dict.fromkeys(given)
        if not 0 < each <= 1
    ]


def densities_for(models: int, density: float | Sequence[float]) -> list[float]:
    """One density a model."""
    return [float(density)] * models if isinstance(density, int | float) else list(density)


def combine(tensors: Sequence[Tensor], weights: Sequence[float], *, normalize: bool) -> Tensor:
    """Weighted sum of tensors of one shape; divided by the sum of the weights if ``normalize``."""
    total = torch.zeros_like(tensors[0])
    for tensor, weight in zip(tensors, weights, strict=True):
        total.add_(tensor, alpha=weight)
    return total.div_(sum(weights)) if normalize else total


def combine_agreeing(
    tensors: Sequence[Tensor], weights: Sequence[float], *, count: bool, normalize: bool
) -> Tensor:
    """Weighted sum, element by element, of the tensors whose sign is that of the majority.

    The majority is the sign of the weighted sum, or of the sum of signs if ``count``; a sum of
    zero counts as positive, and zeros never agree. ``normalize`` divides each element by the
    weights of those that agree. Yadav et al., NeurIPS 2023, arXiv 2306.01708, algorithm 1.
    """
    pairs = list(zip(tensors, weights, strict=True))
    balance = torch.zeros_like(tensors[0])
    for tensor, weight in pairs:
        weighted = tensor * weight
        balance.add_(weighted.sign() if count else weighted)
    majority = torch.where(balance >= 0, 1, -1).to(balance.dtype)
    total, divisor = torch.zeros_like(balance), torch.zeros_like(balance)
    for tensor, weight in pairs:
        agrees = (tensor * weight).sign() == majority
        total.add_(tensor * agrees, alpha=weight)
        divisor.add_(agrees, alpha=weight)
    return total / divisor.masked_fill(divisor.abs() < _NOTHING, 1) if normalize else total
