# ruff: noqa: ARG002 - the contract names what it passes
"""Variational information distillation: how well the student predicts what its teacher computes.

Ahn, Hu, Damianou, Lawrence, Dai, "Variational Information Distillation for Knowledge Transfer",
CVPR 2019, arXiv 1904.05835. A Gaussian with a learnt mean and one variance a channel bounds the
mutual information from below; the loss is its negative logarithm, which may be below zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_distillation.grids import at_smaller
from zoo_distillation.pairing import by_stage_or_depth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair, Stage

#: Variance of every channel at the start, and the least that there can be.
VARIANCE, FLOOR = 5.0, 1e-5


class VariationalInformation:
    """Predict the teacher's features of every stage but the stem from the student's."""

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Pair the maps of all stages but the stem, or vectors at even depths.

        Raises:
            InputError: a network has no layer.
        """
        return by_stage_or_depth(teachers[0], student, "vid")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept what could be paired."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of the only loss."""
        return {"information": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make one Gaussian a stage."""
        return Predictions([_gaussian(stage) for stage in classroom.stages])


class Predictions(nn.Module):
    """The loss of one batch; see :class:`VariationalInformation`."""

    def __init__(self, gaussians: Sequence[Gaussian]) -> None:
        super().__init__()
        self.gaussians = nn.ModuleList(gaussians)

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Sum over the stages: ``information``, a scalar."""
        pairs = zip(self.gaussians, lesson.meetings, strict=True)
        losses = [gaussian(each.student, each.teachers[0]) for gaussian, each in pairs]
        return {"information": torch.stack(losses).sum()}


class Gaussian(nn.Module):
    """One stage: a regressor of the mean, and a variance for every channel of the teacher.

    Args:
        student: its channels C_s.
        teacher: its channels C_t, also those of the regressor's hidden layers.
        maps: whether features are (B, C, H, W), not (B, C).
    """

    def __init__(self, student: int, teacher: int, *, maps: bool = True) -> None:
        super().__init__()
        self.mean = nn.Sequential(
            _pointwise(student, teacher, maps=maps),
            nn.ReLU(),
            _pointwise(teacher, teacher, maps=maps),
            nn.ReLU(),
            _pointwise(teacher, teacher, maps=maps),
        )
        self.raw_variance = nn.Parameter(
            torch.full((teacher,), math.log(math.expm1(VARIANCE - FLOOR)))
        )

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Give the mean negative logarithm of the density, less its constant: a scalar.

        Args:
            student: (B, C_s, H, W) or (B, C_s).
            teacher: (B, C_t, H', W') or (B, C_t); the larger map is average-pooled.
        """
        if student.ndim == 4:
            student, teacher = at_smaller(student, teacher)
        variance = functional.softplus(self.raw_variance) + FLOOR
        squared = (self.mean(student) - teacher.detach()).square()
        errors = squared.mean([axis for axis in range(squared.ndim) if axis != 1])
        loss: Tensor = (errors / variance + variance.log()).mean() / 2
        return loss


def _gaussian(stage: Stage) -> Gaussian:
    (teacher,) = stage.teachers
    return Gaussian(stage.student.width, teacher.width, maps=teacher.grid is not None)


def _pointwise(inputs: int, outputs: int, *, maps: bool) -> nn.Module:
    if maps:
        return nn.Conv2d(inputs, outputs, 1, bias=False)
    return nn.Linear(inputs, outputs, bias=False)
