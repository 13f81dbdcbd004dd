# ruff: noqa: ARG002 - the contract names what it passes
"""Hints: one feature map of the student, through a regressor, is that of its teacher.

Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv 1412.6550. The paper trains
towards the hint first and distils then; here, as in all published code, both go on together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.grids import pooled
from zoo_distillation.pairing import by_stage_or_depth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

Which = Literal["middle", "last"]

#: Largest side of a kernel that brings a map to the teacher's size; the parameters grow with its
#: square, and a student that is much larger is pooled instead.
WIDEST_KERNEL = 7


class Hint:
    """Draw one map, or vector, of the student through a regressor to the teacher's.

    Args:
        relu: end the regressor with a ReLU, as published. Maps before an activation, of
            transformers and of networks with GELU have negative numbers, which it cannot give.
        stage: where: the ``middle`` or the ``last`` of the stages after the stem, or which one,
            counted from 1.
    """

    def __init__(self, *, relu: bool = False, stage: Which | int = "middle") -> None:
        if stage not in {"middle", "last"} and not (isinstance(stage, int) and stage >= 1):
            raise InputError(
                f"fitnet.stage must be middle, last or a number from 1, not {stage!r}."
            )
        self.relu = relu
        self.stage = stage

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Pair the maps of one stage, or vectors of one depth.

        Raises:
            InputError: a network has no layer, or there is no such stage.
        """
        pairs = by_stage_or_depth(teachers[0], student, "fitnet")
        numbers = {"middle": (len(pairs) + 1) // 2, "last": len(pairs)}
        number = self.stage if isinstance(self.stage, int) else numbers[self.stage]
        if number > len(pairs):
            raise InputError(
                f"fitnet.stage is {number}, and student and teacher meet at {len(pairs)}.",
                f"--set fitnet.stage={len(pairs)}",
            )
        return (pairs[number - 1],)

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept what could be paired."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of the only loss."""
        return {"hint": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make the regressor for the sizes of the only stage."""
        (stage,) = classroom.stages
        return Hints(Regressor(stage.student, stage.teachers[0], relu=self.relu))


class Hints(nn.Module):
    """The loss of one batch; see :class:`Hint`."""

    def __init__(self, regressor: Regressor) -> None:
        super().__init__()
        self.regressor = regressor

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Compare every number: ``hint``, a scalar."""
        (meeting,) = lesson.meetings
        given = self.regressor(meeting.student)
        return {"hint": functional.mse_loss(given, self.regressor.target(meeting.teachers[0]))}


class Regressor(nn.Module):
    """Bring features to the teacher's size: a layer, batch normalisation, and maybe a ReLU.

    Half and twice the size take strided convolutions; a slightly larger map one without padding;
    everything else is first pooled to the smaller height and width, on both sides.

    Args:
        student: its map or vector.
        teacher: likewise.
        relu: whether there is one at the end.
    """

    def __init__(self, student: FeatureShape, teacher: FeatureShape, *, relu: bool) -> None:
        super().__init__()
        self.student_grid, self.teacher_grid = student.grid, teacher.grid
        if student.grid is None or teacher.grid is None:
            self.layer: nn.Module = nn.Linear(student.width, teacher.width)
            self.norm: nn.Module = nn.BatchNorm1d(teacher.width)
        else:
            layer = _resizing(student.width, teacher.width, student.grid, teacher.grid)
            if layer is None:
                pairs = zip(student.grid, teacher.grid, strict=True)
                height, width = (min(pair) for pair in pairs)
                self.student_grid = self.teacher_grid = (height, width)
                layer = nn.Conv2d(student.width, teacher.width, 1)
            self.layer = layer
            self.norm = nn.BatchNorm2d(teacher.width)
        self.last = nn.ReLU() if relu else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Regress (B, C_s, H, W) or (B, C_s) of the student."""
        found: Tensor = self.last(self.norm(self.layer(_placed(features, self.student_grid))))
        return found

    def target(self, features: Tensor) -> Tensor:
        """Give the teacher's features as they are compared, without a gradient."""
        return _placed(features.detach(), self.teacher_grid)


def _resizing(
    inputs: int, outputs: int, own: tuple[int, int], other: tuple[int, int]
) -> nn.Module | None:
    """Make the published convolution from one grid to another; None where there is none."""
    if all(mine == 2 * its for mine, its in zip(own, other, strict=True)):
        return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
    if all(2 * mine == its for mine, its in zip(own, other, strict=True)):
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    height, width = (1 + mine - its for mine, its in zip(own, other, strict=True))
    if min(height, width) >= 1 and max(height, width) <= WIDEST_KERNEL:
        return nn.Conv2d(inputs, outputs, (height, width))
    return None


def _placed(features: Tensor, grid: tuple[int, int] | None) -> Tensor:
    return features if grid is None else pooled(features, grid)
