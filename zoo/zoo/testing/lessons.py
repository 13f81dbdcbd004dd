"""Layers of made-up networks, and features that they might give: what a method is tried on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from zoo.types.training import FeatureShape, Lesson, Meeting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zoo.types.training import Stage

Layout = Literal["maps", "tokens", "vectors", "unlike maps"]
LAYOUTS: tuple[Layout, ...] = ("maps", "tokens", "vectors", "unlike maps")
# They end alike: torch compiles a kernel for every new shape, which takes longer than all else.
_GRIDS: dict[str, tuple[tuple[int, int] | None, ...]] = {
    "maps": ((12, 12), (6, 6), (3, 3)),
    "tokens": ((3, 3), (3, 3), (3, 3)),
    "vectors": (None, None, None),
}
#: Channels of the last layer; no two networks have the same, so that mixing them up shows.
_STUDENT, _TEACHERS = 6, (12, 8, 10)
#: Labels of each teacher.
_CLASSES = (3, 4, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Layers of a student and of up to three teachers, in the order of the forward pass.

    Attributes:
        layout: ``maps`` of a convolutional network, ``tokens`` on a grid, ``vectors`` as texts
            give them; with ``unlike maps`` the teachers take turns in the first two.
        count: of teachers.
    """

    layout: Layout
    count: int

    @property
    def student(self) -> tuple[FeatureShape, ...]:
        """Those of the student."""
        return _layers("maps" if self.layout == "unlike maps" else self.layout, _STUDENT, "layer")

    @property
    def teachers(self) -> tuple[tuple[FeatureShape, ...], ...]:
        """Those of each teacher."""
        turns = ("tokens", "maps") if self.layout == "unlike maps" else (self.layout,)
        return tuple(
            _layers(turns[number % len(turns)], _TEACHERS[number], "block")
            for number in range(self.count)
        )

    def __str__(self) -> str:
        """Say it in words: ``2 teachers of tokens``."""
        return f"{self.count} teacher{'s' * (self.count != 1)} of {self.layout}"


def every_kind() -> list[Networks]:
    """Give one, two and three teachers of every layout; the simplest first."""
    return [Networks(layout=layout, count=count) for layout in LAYOUTS for count in (1, 2, 3)]


def draw_lesson(
    stages: Sequence[Stage], *, teachers: int, batch: int = 6, heads: bool = True, seed: int = 0
) -> Lesson:
    """Draw what a student and its teachers might say about a batch.

    Args:
        stages: where they meet.
        teachers: how many, up to three.
        batch: samples.
        heads: whether they have logits; the student's are as many as all the teachers' together.
        seed: equal for equal numbers.

    Returns:
        Normal numbers in float32; those of the student have gradients.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int) -> Tensor:
        return torch.randn(batch, *size, generator=generator)

    classes = _CLASSES[:teachers]
    meetings = tuple(
        Meeting(
            student=draw(*_size(stage.student)).requires_grad_(),
            teachers=tuple(draw(*_size(each)) for each in stage.teachers),
        )
        for stage in stages
    )
    return Lesson(
        meetings=meetings,
        student_logits=draw(sum(classes)).requires_grad_() if heads else None,
        teacher_logits=tuple(draw(width) if heads else None for width in classes),
        progress=0.5,
        rows=torch.arange(batch),
    )


def _size(shape: FeatureShape) -> tuple[int, ...]:
    return (shape.width, *(shape.grid or ()))


def _layers(layout: str, width: int, name: str) -> tuple[FeatureShape, ...]:
    return tuple(
        # Convolutional networks grow wider as their maps shrink; others do not.
        FeatureShape(
            tap=f"{name}.{number}",
            width=width if layout != "maps" or number == 2 else width // 2,
            grid=grid,
        )
        for number, grid in enumerate(_GRIDS[layout])
    )
