# ruff: noqa: ARG002 - the contract names what it passes
"""Agglomeration: one student that gives the features of several extractors, without labels.

Ranzinger et al., "AM-RADIO: Agglomerative Vision Foundation Model", CVPR 2024, arXiv 2312.06709:
one small head a teacher on the student's features, which learns that teacher's standardised
features position by position. There is no common space and nobody needs a classifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_amalgamation.pairing import by_depth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.training import FeatureShape, Lesson, Stage


class Agglomerate:
    """Learn the features of every teacher through a head of its own.

    Args:
        hidden: width of the hidden layer of a head; 0 takes that of the student's features.
        stages: depths at which to compare, evenly spaced, the last one at the end of the networks.
    """

    def __init__(self, *, hidden: int = 0, stages: int = 1) -> None:
        if hidden < 0:
            raise InputError(f"agglomerate.hidden must be 0 or more, not {hidden}.")
        if stages < 1:
            raise InputError(f"agglomerate.stages must be 1 or more, not {stages}.")
        self.hidden = hidden
        self.stages = stages

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Pair the last layers, or those at ``stages`` relative depths."""
        return by_depth(teachers, student, self.stages, "agglomerate")

    def check(self, stages: Sequence[Stage], batch: int) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh both losses alike."""
        return {"cosine": 1.0, "smooth_l1": 1.0}

    def build(self, stages: Sequence[Stage]) -> nn.Module:
        """Make one head for every teacher of every stage."""
        return TeacherHeads(
            [
                [self._head(stage.student.width, each.width) for each in stage.teachers]
                for stage in stages
            ]
        )

    def _head(self, inputs: int, outputs: int) -> nn.Module:
        hidden = self.hidden or inputs
        return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


class TeacherHeads(nn.Module):
    """The losses of one batch; see :class:`Agglomerate`.

    Args:
        heads: for each stage one a teacher, (..., C_s) -> (..., C_i).
    """

    def __init__(self, heads: Sequence[Sequence[nn.Module]]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.ModuleList(each) for each in heads)

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Sum both losses over teachers and stages, unweighted: name -> scalar."""
        cosine, smooth = [], []
        for heads, meeting in zip(self.heads, lesson.meetings, strict=True):
            student = meeting.student.movedim(1, -1)
            assert isinstance(heads, nn.ModuleList)
            for head, teacher in zip(heads, meeting.teachers, strict=True):
                target = teacher.detach().movedim(1, -1)
                given = head(student).to(target.dtype)
                cosine.append(1 - functional.cosine_similarity(given, target, dim=-1).mean())
                smooth.append(functional.smooth_l1_loss(given, target))
        return {"cosine": torch.stack(cosine).sum(), "smooth_l1": torch.stack(smooth).sum()}
