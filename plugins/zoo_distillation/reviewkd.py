# ruff: noqa: ARG002 - the contract names what it passes
"""Knowledge review: every stage of the teacher, learnt from that of the student and all deeper.

Chen, Liu, Zhao, Jia, "Distilling Knowledge via Knowledge Review", CVPR 2021, arXiv 2104.09044, in
the form of its CIFAR code: a fused map takes the teacher's size before it goes on to the next
stage. That code has a table of sizes for every pair of networks; here they follow from the layers.
Its teachers give maps before the last activation of a stage; here they are the layers' outputs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn

from zoo.errors import InputError
from zoo_distillation.pairing import by_stage
from zoo_distillation.review_fusion import ReviewChain, hierarchical_loss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

#: Stages of two networks without which there is nothing to review.
FEWEST_STAGES = 2
#: Published share of the training in which the weight grows: 20 of 240 epochs.


class KnowledgeReview:
    """Review the student's stages, deep to shallow, against all stages of the teacher.

    Args:
        warmup: share of the training in which the loss grows from nothing to its full weight, 20
            of 240 epochs as published; 0 leaves it to the schedule, which has one of its own.
    """

    def __init__(self, *, warmup: float = 0.0) -> None:
        if not 0 <= warmup <= 1:
            raise InputError(f"reviewkd.warmup must be between 0 and 1, not {warmup}.")
        self.warmup = warmup

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Pair the maps of all stages but the stem; four depths where a grid never changes.

        Raises:
            InputError: the networks have vectors alone, or fewer than two stages in common.
        """
        return by_stage(teachers[0], student, "reviewkd", least=FEWEST_STAGES, stem=False)

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept what could be paired."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of the only loss."""
        return {"review": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make the chain of fusions for the sizes of all stages."""
        student = [(each.student.width, _grid(each.student)) for each in classroom.stages]
        teacher = [(each.teachers[0].width, _grid(each.teachers[0])) for each in classroom.stages]
        # Code that pools the last maps itself gets no second stage of one position.
        pool = math.prod((*student[-1][1], *teacher[-1][1])) > 1
        if pool:
            student.append((student[-1][0], (1, 1)))
            teacher.append((teacher[-1][0], (1, 1)))
        chain = ReviewChain([width for width, _ in student], teacher)
        return Review(chain, pool=pool, warmup=self.warmup)


class Review(nn.Module):
    """The loss of one batch; see :class:`KnowledgeReview`.

    Args:
        chain: the fusions.
        pool: the mean of the last maps is one stage more, the deepest.
        warmup: see :class:`KnowledgeReview`.
    """

    def __init__(self, chain: ReviewChain, *, pool: bool, warmup: float) -> None:
        super().__init__()
        self.chain = chain
        self.pool = pool
        self.warmup = warmup

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Sum over the stages, times the warm-up: ``review``, a scalar."""
        student = self._stages([each.student for each in lesson.meetings])
        teacher = self._stages([each.teachers[0].detach() for each in lesson.meetings])
        loss = hierarchical_loss(self.chain(student), teacher)
        return {"review": loss * self.factor(lesson.progress)}

    def factor(self, progress: float) -> float:
        """Share of the weight after this share of the training, both in [0, 1]."""
        return min(1.0, progress / self.warmup) if self.warmup else 1.0

    def _stages(self, maps: list[Tensor]) -> list[Tensor]:
        return [*maps, maps[-1].mean((2, 3), keepdim=True)] if self.pool else maps


def _grid(shape: FeatureShape) -> tuple[int, int]:
    assert shape.grid is not None, "maps alone are paired"
    return shape.grid
