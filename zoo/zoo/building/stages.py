"""Where a student meets its teachers: one grid for all that are compared, or vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo.errors import InputError, unknown_name
from zoo.types.distilling import Pair
from zoo.types.training import FeatureShape, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.types.distilling import Form

_FLOAT32 = 4


def make_stages(
    teachers: Sequence[Sequence[FeatureShape]],
    student: Sequence[FeatureShape],
    pairs: Iterable[tuple[str, Sequence[str]] | Pair],
) -> tuple[Stage, ...]:
    """Bring what is compared at one depth into one form: the smallest grid, or vectors.

    Maps are pooled to the smallest height and the smallest width among them; where one of them is
    a vector, all become vectors. Widths stay. A :class:`zoo.types.distilling.Pair` may ask for
    another form.

    Args:
        teachers: for each teacher its layers.
        student: those of the student.
        pairs: (tap of the student, a tap of each teacher), or with its form, once a stage.

    Raises:
        UnknownNameError: a tap that the network does not have.
        InputError: a pair that does not name one tap a teacher.
    """
    named = [each if isinstance(each, Pair) else _common(*each) for each in pairs]
    for pair in named:
        tap, others = pair.student, pair.teachers
        if len(others) != len(teachers):
            raise InputError(
                f"the student's layer {tap!r} is paired with {len(others)} layers of teachers, "
                f"but there are {len(teachers)} teachers",
                "name one layer of each teacher",
            )
    return tuple(
        _stage(
            _layer("the student", student, pair.student),
            [
                _layer(f"teacher {number}", layers, other)
                for number, (layers, other) in enumerate(
                    zip(teachers, pair.teachers, strict=True), 1
                )
            ],
            pair.form,
        )
        for pair in named
    )


def shapes_of(stages: Sequence[Stage], teacher: int) -> tuple[FeatureShape, ...]:
    """List what one teacher gives to all stages, each form of each tap once."""
    return tuple(dict.fromkeys(stage.teachers[teacher] for stage in stages))


def cache_bytes(stages: Sequence[Stage], heads: Sequence[int | None], rows: int, views: int) -> int:
    """Size of everything that the teachers say about fixed views, as float32 on disk.

    Args:
        stages: where features are compared.
        heads: the number of logits of each teacher; None or 0 without a head.
        rows: samples.
        views: fixed views of each.
    """
    numbers = sum(head or 0 for head in heads)
    for teacher in range(len(heads)):
        numbers += sum(numbers_of(shape) for shape in shapes_of(stages, teacher))
    return _FLOAT32 * numbers * rows * views


def numbers_of(shape: FeatureShape) -> int:
    """Count the numbers of one sample."""
    return shape.width * math.prod(shape.grid or ())


def _common(student: str, teachers: Sequence[str]) -> Pair:
    return Pair(student=student, teachers=tuple(teachers), form="common")


def _stage(student: FeatureShape, teachers: Sequence[FeatureShape], form: Form) -> Stage:
    if form == "own":
        return Stage(student=student, teachers=tuple(teachers))
    grids = [shape.grid for shape in (student, *teachers)]
    maps = [grid for grid in grids if grid is not None]
    grid = None
    if form == "common" and len(maps) == len(grids):
        grid = (min(height for height, _ in maps), min(width for _, width in maps))
    return Stage(
        student=_pooled(student, grid), teachers=tuple(_pooled(each, grid) for each in teachers)
    )


def _pooled(shape: FeatureShape, grid: tuple[int, int] | None) -> FeatureShape:
    return FeatureShape(tap=shape.tap, width=shape.width, grid=grid)


def _layer(owner: str, layers: Sequence[FeatureShape], tap: str) -> FeatureShape:
    known: Mapping[str, FeatureShape] = {layer.tap: layer for layer in layers}
    if tap not in known:
        raise unknown_name(f"layer of {owner}", tap, known)
    return known[tap]
