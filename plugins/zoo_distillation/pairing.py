"""Where a student is compared with one teacher."""

from __future__ import annotations

from itertools import groupby
from math import prod
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.types import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types import FeatureShape
    from zoo.types.distilling import Form

#: Depths of a network whose grid never changes.
_DEPTHS = 4
_INSTEAD = "Logits and vectors compare any networks: --method kd,rkd"


def at_the_end(
    teachers: Sequence[Sequence[FeatureShape]],
    student: Sequence[FeatureShape],
    method: str,
    form: Form = "vector",
) -> tuple[Pair, ...]:
    """Pair the last layers of everybody.

    Args:
        teachers: for each teacher its layers.
        student: those of the student.
        method: who asks, for the message.
        form: of the features.

    Raises:
        InputError: a network has no layer.
    """
    if not student or not all(teachers):
        who = "the teacher" if student else "the student"
        raise InputError(f"{who} has no layer that {method} can compare.", "--method kd")
    last = tuple(layers[-1].tap for layers in teachers)
    return (Pair(student=student[-1].tap, teachers=last, form=form),)


def by_stage(
    teacher: Sequence[FeatureShape],
    student: Sequence[FeatureShape],
    method: str,
    *,
    least: int = 1,
    most: int = _DEPTHS,
    stem: bool = True,
    places: int = 1,
) -> tuple[Pair, ...]:
    """Pair the last maps of every stage, from the deepest stage up.

    Args:
        teacher: its layers, in the order of the forward pass.
        student: those of the student.
        method: who asks, for the message.
        least: pairs below which the method makes no sense.
        most: pairs.
        stem: keep the first map of a network, which published methods leave out; it stays where
            fewer stages than ``least`` would.
        places: positions below which a grid is too small to be compared.

    Returns:
        The pairs, shallow to deep, everybody on their own grid.

    Raises:
        InputError: the networks have fewer stages.
    """
    ours = _stages(student, least=least, stem=stem, places=places)
    theirs = _stages(teacher, least=least, stem=stem, places=places)
    for who, stages, layers in (("the student", ours, student), ("the teacher", theirs, teacher)):
        if not stages:
            small = "of more than one position " if has_maps(layers) else ""
            raise InputError(
                f"{method} compares maps, and {who} has none {small}to read.", _INSTEAD
            )
    count = min(len(ours), len(theirs), most)
    if count < least:
        raise InputError(
            f"{method} compares maps at {least} stages or more, and the student has {len(ours)} "
            f"and the teacher {len(theirs)}.",
            _INSTEAD,
        )
    return tuple(
        Pair(student=mine.tap, teachers=(other.tap,))
        for mine, other in zip(ours[-count:], theirs[-count:], strict=True)
    )


def by_depth(
    teacher: Sequence[FeatureShape],
    student: Sequence[FeatureShape],
    method: str,
    *,
    most: int = _DEPTHS,
) -> tuple[Pair, ...]:
    """Pair vectors at evenly spaced relative depths, of which the last is the end.

    Args:
        teacher: its layers, in the order of the forward pass; maps are averaged.
        student: those of the student.
        method: who asks, for the message.
        most: pairs.

    Raises:
        InputError: a network has no layer.
    """
    if not teacher or not student:
        return at_the_end((teacher,), student, method)
    count = min(len(teacher), len(student), most)
    pairs = zip(_spread(student, count), _spread(teacher, count), strict=True)
    return tuple(
        Pair(student=mine.tap, teachers=(other.tap,), form="vector") for mine, other in pairs
    )


def by_stage_or_depth(
    teacher: Sequence[FeatureShape], student: Sequence[FeatureShape], method: str
) -> tuple[Pair, ...]:
    """Pair maps past the stem :func:`by_stage`; vectors :func:`by_depth` where one has no map.

    Raises:
        InputError: a network has no layer.
    """
    if has_maps(teacher) and has_maps(student):
        return by_stage(teacher, student, method, stem=False)
    return by_depth(teacher, student, method)


def has_maps(layers: Sequence[FeatureShape]) -> bool:
    """Whether any layer is a map or a grid of tokens; models of texts have vectors alone."""
    return any(each.grid is not None for each in layers)


def stages_of(layers: Sequence[FeatureShape]) -> list[FeatureShape]:
    """List the last map of every grid; of one grid alone, maps at evenly spaced depths."""
    maps = [each for each in layers if each.grid is not None]
    ends = [list(group)[-1] for _, group in groupby(maps, key=lambda each: each.grid)]
    if len(ends) > 1:
        return ends
    return _spread(maps, min(len(maps), _DEPTHS))


def _stages(
    layers: Sequence[FeatureShape], *, least: int, stem: bool, places: int
) -> list[FeatureShape]:
    maps = [each for each in layers if each.grid is not None and prod(each.grid) >= places]
    past = [] if stem else stages_of(maps[1:])
    return past if past and len(past) >= least else stages_of(maps)


def _spread(layers: Sequence[FeatureShape], count: int) -> list[FeatureShape]:
    """Choose so many at evenly spaced depths, the last one among them."""
    return [layers[round(len(layers) * part / count) - 1] for part in range(1, count + 1)]
