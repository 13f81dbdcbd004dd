"""Moment exchange: samples of a batch lend one another the mean and deviation of one layer.

Li, Wu, Lim, Belongie, Weinberger, "On Feature Normalization and Data Augmentation", CVPR 2021,
arXiv 2002.11102. As in the authors' code the variance is the unbiased one. What the labels of both
samples are in the paper, the loss of both is here: with teachers no label is needed.
"""

from __future__ import annotations

import re
from math import inf, prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.errors import InputError, unknown_name
from zoo.types import Mixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types import FeatureShape

_GROUPED = re.compile(r"(gn|gpono)(-d)?([1-9]\d*)")
_NORMS = "pono, in, ln, gn<groups>, gn-d<channels>, gpono<groups> and gpono-d<channels>"
#: Published for PyramidNet on CIFAR; 1 and 0.9 for ResNet-50 on ImageNet.
PUBLISHED_PROBABILITY = 0.25
PUBLISHED_SHARE = 0.5


class MomentExchange:
    """Give features the moments of another sample, and the loss a share of that sample's.

    Args:
        norm: what the moments are taken over: ``pono`` the channels of each position, ``in`` the
            positions of each channel, ``ln`` both, ``gn4`` positions and channels in 4 groups,
            ``gpono4`` the channels of each position in 4 groups; with ``-d4`` groups have 4
            channels.
        probability: share of the batches that are mixed.
        share: lambda, of the loss that is a sample's own; the rest is that of the lender.
        epsilon: added to variances.
        layer: tap of the student; ``auto`` is its first layer.
    """

    def __init__(
        self,
        *,
        norm: str = "pono",
        probability: float = PUBLISHED_PROBABILITY,
        share: float = PUBLISHED_SHARE,
        epsilon: float = 1e-5,
        layer: str = "auto",
    ) -> None:
        for name, value in (("probability", probability), ("share", share)):
            if not 0 <= value <= 1:
                raise InputError(f"moex.{name} must be between 0 and 1, not {value}.")
        if not 0 < epsilon < inf:
            raise InputError(f"moex.epsilon must be above 0, not {epsilon}.")
        _parsed(norm)
        self.norm, self.share, self.epsilon, self.layer = norm, share, epsilon, layer
        self._probability = probability

    @property
    def probability(self) -> float:
        """Share of the batches that are mixed."""
        return self._probability

    def tap(self, student: Sequence[FeatureShape]) -> str:
        """Name the layer.

        Raises:
            InputError: there is none, or its features have no such moments.
        """
        by_name = {each.tap: each for each in student}
        if not by_name:
            raise InputError("the student has no layer whose moments moex can exchange.")
        if self.layer != "auto" and self.layer not in by_name:
            raise unknown_name("layer of the student", self.layer, by_name, "--set moex.layer=auto")
        chosen = student[0] if self.layer == "auto" else by_name[self.layer]
        grouped(chosen.width, chosen.grid, self.norm)
        return chosen.tap

    def mix(self, features: Tensor) -> Mixed:
        """Let every sample of (B, C, H, W) or (B, D) features borrow from one drawn at random."""
        # Drawn on the CPU: a GPU draws other numbers.
        order = torch.randperm(features.shape[0]).to(features.device)
        mixed = exchange_moments(features, order, self.norm, self.epsilon)
        return Mixed(features=mixed, order=order, share=self.share)


def exchange_moments(
    features: Tensor, order: Tensor, norm: str = "pono", epsilon: float = 1e-5
) -> Tensor:
    """Standardise every sample, and give it the deviation and the mean of its lender.

    Args:
        features: (B, C, H, W) or (B, D); the gradient passes through the moments too.
        order: (B,) int64; sample b borrows from sample ``order[b]``.
        norm: see :class:`MomentExchange`.
        epsilon: added to the unbiased variances.

    Returns:
        Of the shape and the type of the features; computed in float32 at least.

    Raises:
        InputError: no such norm, or the features have no such moments.
    """
    grid = (features.shape[2], features.shape[3]) if features.ndim == 4 else None
    groups, over = grouped(features.shape[1], grid, norm)
    exact = features if features.dtype == torch.float64 else features.float()
    parts = exact.reshape(-1, groups, features.shape[1] // groups, *(grid or ()))
    variance, mean = torch.var_mean(parts, dim=over, correction=1, keepdim=True)
    deviation = (variance + epsilon).sqrt()
    mixed = (parts - mean) * (deviation[order] / deviation) + mean[order]
    return mixed.reshape(features.shape).to(features.dtype)


def grouped(width: int, grid: tuple[int, int] | None, norm: str) -> tuple[int, tuple[int, ...]]:
    """Say how channels are grouped, and which axes of (B, G, C/G, ...) moments are taken over.

    Args:
        width: C channels, or D of a vector.
        grid: (H, W); None for vectors.
        norm: see :class:`MomentExchange`.

    Raises:
        InputError: no such norm, the groups do not divide the channels, or a single number would
            have a variance.
    """
    kind, groups, size = _parsed(norm)
    count = width if kind == "in" else groups or (size and width // size) or 1
    if width % count or (size and width % size):
        raise InputError(
            f"moex.norm is {norm!r}, and the layer has {width} channels: they do not divide into "
            f"groups of one size.",
            "--set moex.norm=pono",
        )
    space = tuple(range(3, 3 + len(grid or ())))
    channels = () if kind == "in" else (2,)
    over = channels if kind in {"pono", "gpono"} else channels + space
    shape = (0, count, width // count, *(grid or ()))
    if prod(shape[axis] for axis in over) < 2:
        where = f"{width} channels on a grid of {grid[0]}x{grid[1]}" if grid else f"{width} numbers"
        raise InputError(
            f"moex.norm is {norm!r}, and in a layer of {where} that is one number, which has no "
            f"variance.",
            "--set moex.norm=pono",
        )
    return count, over


def _parsed(norm: str) -> tuple[str, int, int]:
    """Give (kind, number of groups, channels of a group), 0 where it does not say."""
    if norm in {"pono", "in", "ln"}:
        return norm, 0, 0
    found = _GROUPED.fullmatch(norm)
    if found is None:
        raise InputError(f"moex.norm must be one of {_NORMS}, not {norm!r}.")
    kind, sized, number = found[1], found[2], int(found[3])
    return (kind, 0, number) if sized else (kind, number, 0)
