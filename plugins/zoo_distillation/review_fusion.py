"""The trained part and the loss of knowledge review: fusion by attention, and context by pooling.

Chen, Liu, Zhao, Jia, "Distilling Knowledge via Knowledge Review", CVPR 2021, arXiv 2104.09044.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_distillation.grids import pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    Grid = tuple[int, int]

#: Most channels of a fused map.
WIDEST = 512
#: Sides of the grids on which maps are compared once more, where they are larger.
LEVELS = (4, 2, 1)


class Fusion(nn.Module):
    """One stage: fuse the student's map with what came from the deeper ones.

    Args:
        student: channels C_s of its map.
        width: C of a fused map.
        teacher: channels C_t of the teacher's map.
        grid: (height, width) of the teacher's map.
        deepest: there is nothing deeper to fuse with.
    """

    def __init__(
        self, student: int, width: int, teacher: int, grid: Grid, *, deepest: bool = False
    ) -> None:
        super().__init__()
        self.grid = grid
        embed = nn.Conv2d(student, width, 1, bias=False)
        project = nn.Conv2d(width, teacher, 3, padding=1, bias=False)
        for convolution in (embed, project):
            nn.init.kaiming_uniform_(convolution.weight, a=1)
        self.embed = nn.Sequential(embed, nn.BatchNorm2d(width))
        self.project = nn.Sequential(project, nn.BatchNorm2d(teacher))
        self.attend = None if deepest else nn.Conv2d(2 * width, 2, 1)

    def forward(self, maps: Tensor, deeper: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Fuse (B, C_s, H, W) with (B, C, H', W').

        Returns:
            (B, C_t, *grid), to be compared, and (B, C, *grid) for the next stage.
        """
        fused = self.embed(maps)
        if self.attend is not None:
            assert deeper is not None, "all stages but the deepest are fused"
            deeper = _resized(deeper, fused.shape[2:])
            shares = self.attend(torch.cat((fused, deeper), dim=1)).sigmoid()
            fused = fused * shares[:, :1] + deeper * shares[:, 1:]
        fused = _resized(fused, self.grid)
        return self.project(fused), fused


class ReviewChain(nn.Module):
    """Fusions from the deepest stage to the shallowest.

    Args:
        student: channels of its maps, shallow to deep.
        teacher: channels and grids of the teacher's, in the same order.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[tuple[int, Grid]]) -> None:
        super().__init__()
        width, deepest = min(WIDEST, student[-1]), len(student) - 1
        self.fusions = nn.ModuleList(
            Fusion(own, width, other, grid, deepest=depth == deepest)
            for depth, (own, (other, grid)) in enumerate(zip(student, teacher, strict=True))
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Give a map for each of the teacher's, shallow to deep as they come."""
        given: list[Tensor] = []
        fused: Tensor | None = None
        for fusion, features in zip(reversed(self.fusions), reversed(maps), strict=True):
            output, fused = fusion(features, fused)
            given.append(output)
        return given[::-1]


def hierarchical_loss(given: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Sum :func:`context_loss` over the stages: pairs of (B, C, H, W), a scalar."""
    losses = [context_loss(own, other) for own, other in zip(given, targets, strict=True)]
    return torch.stack(losses).sum()


def context_loss(given: Tensor, target: Tensor) -> Tensor:
    """Average the squared error on a map's own grid and on smaller ones, which weigh less.

    Each of the grids of :data:`LEVELS` that is smaller weighs half as much as the one before.

    Args:
        given: (B, C, H, W).
        target: of the same shape.
    """
    apart = given - target  # pooling is linear: one map is pooled, not two
    loss, weight, total = apart.square().mean(), 1.0, 1.0
    for level in LEVELS:
        if level < min(apart.shape[2:]):
            weight /= 2
            total += weight
            loss = loss + weight * pooled(apart, (level, level)).square().mean()
    return loss / total


def _resized(maps: Tensor, grid: Sequence[int]) -> Tensor:
    """Repeat or skip positions of (B, C, H, W) until it is on a grid."""
    return maps if maps.shape[2:] == tuple(grid) else functional.interpolate(maps, size=tuple(grid))
