"""The exact map of every axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.growing.axes import (
    cycled,
    drawn,
    following,
    generator_of,
    least_copies,
    tiled,
    unchanged,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types.growing import Axis, AxisMap


def exact_maps(axes: Mapping[str, Axis], seed: int) -> dict[str, AxisMap]:
    """Copy random channels where that keeps the function, and whole axes elsewhere.

    Args:
        axes: by name.
        seed: of the copies.

    Returns:
        The exact map of every axis; where there is none, the nearest to one, with the reason.
    """
    maps: dict[str, AxisMap] = {}
    for axis in sorted(axes.values(), key=lambda each: bool(each.follows)):
        if axis.follows:
            maps[axis.name] = following(axis, axes[axis.follows], maps[axis.follows])
        else:
            maps[axis.name] = _exact(axis, seed, least_copies(axis, axes.values()))
    return maps


def _exact(axis: Axis, seed: int, least: int) -> AxisMap:
    if axis.old == axis.new:
        return unchanged(axis.old)
    if axis.repetition == "free":
        return drawn(axis.old, axis.new, generator_of(seed, axis.name), least=least)
    whole = axis.new % axis.old == 0
    if axis.repetition == "fixed" or (axis.repetition == "whole" and not whole):
        return cycled(axis.old, axis.new, axis.why)
    return tiled(axis.old, axis.new, fill="mean" if axis.repetition == "average" else "zero")
