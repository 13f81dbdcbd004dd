"""Where a student is compared with its teachers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.training import FeatureShape

    Pair = tuple[str, tuple[str, ...]]


def by_depth(
    teachers: Sequence[Sequence[FeatureShape]],
    student: Sequence[FeatureShape],
    stages: int,
    method: str,
) -> tuple[Pair, ...]:
    """Pair layers at ``stages`` evenly spaced relative depths, of which the last is the end.

    Args:
        teachers: for each teacher its layers, in the order of the forward pass.
        student: those of the student.
        stages: how many pairs.
        method: whose option it is, for the message.

    Raises:
        InputError: a network has fewer layers.
    """
    for name, layers in (*_named(teachers), ("The student", student)):
        if len(layers) < stages:
            hint = f"--set stages={len(layers)}" if layers else "choose another model"
            has = f"{len(layers)} layer{'s' * (len(layers) != 1)} to compare"
            raise InputError(
                f"{name} has {has}, and {method}.stages asks for {stages}.",
                hint,
            )
    return tuple(
        (_at(student, part, stages).tap, tuple(_at(each, part, stages).tap for each in teachers))
        for part in range(1, stages + 1)
    )


def _at(layers: Sequence[FeatureShape], part: int, stages: int) -> FeatureShape:
    return layers[round(len(layers) * part / stages) - 1]


def _named(
    teachers: Sequence[Sequence[FeatureShape]],
) -> list[tuple[str, Sequence[FeatureShape]]]:
    return [(f"Teacher {number}", layers) for number, layers in enumerate(teachers, start=1)]
