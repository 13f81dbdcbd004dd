# ruff: noqa: ARG002 - the contract names what it passes
"""Neuron selectivity transfer: channels of the student look at what the teacher's look at.

Huang and Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer", 2017,
arXiv 1707.01219, with the polynomial kernel. The channels of a sample are a set of unit vectors
over the positions; the loss is the discrepancy (MMD) of two such sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_distillation.grids import at_smaller
from zoo_distillation.pairing import by_stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair


class NeuronSelectivity:
    """Draw the distribution of the channels of every stage but the stem to the teacher's."""

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Pair the maps of all stages but the stem; one position selects nothing.

        Raises:
            InputError: a network has no such map.
        """
        return by_stage(teachers[0], student, "nst", stem=False, places=2)

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept what could be paired."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of the only loss."""
        return {"selectivity": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make the loss; it has no parameters."""
        return Selectivities()


class Selectivities(nn.Module):
    """The loss of one batch; see :class:`NeuronSelectivity`."""

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Sum over the stages: ``selectivity``, a scalar."""
        losses = [selectivity(each.student, each.teachers[0]) for each in lesson.meetings]
        return {"selectivity": torch.stack(losses).sum()}


def selectivity(student: Tensor, teacher: Tensor) -> Tensor:
    """Measure the squared discrepancy of two sets of channels under the kernel (a . b)^2.

    The kernel is the inner product of a a^T and b b^T: where there are fewer positions than
    channels, the mean of these is compared, else the kernel's three matrices; the value is one.

    Args:
        student: (B, C_s, H, W).
        teacher: (B, C_t, H', W'); the larger map is average-pooled to the smaller.

    Returns:
        A scalar, the mean over the samples; gradients flow to the student.
    """
    own, other = (
        functional.normalize(each.flatten(2), dim=2)
        for each in at_smaller(student, teacher.detach())
    )
    positions, widest = own.shape[2], max(own.shape[1], other.shape[1])
    return _by_moments(own, other) if positions <= widest else _by_kernels(own, other)


def _by_moments(own: Tensor, other: Tensor) -> Tensor:
    """Compare (B, N, N) second moments of (B, C, N) unit rows."""
    apart = own.mT @ own / own.shape[1] - other.mT @ other / other.shape[1]
    return apart.square().sum((1, 2)).mean()


def _by_kernels(own: Tensor, other: Tensor) -> Tensor:
    """Average the kernel over (B, C, C') pairs of channels."""
    within, others_within, between = (
        (one @ two.mT).square().mean() for one, two in ((own, own), (other, other), (own, other))
    )
    return within + others_within - 2 * between
