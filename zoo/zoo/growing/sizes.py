"""Sizes as people say them: ``1.5x``, ``+64``, ``+25%``, or the number itself."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FACTOR = re.compile(r"(?P<times>\d+(\.\d+)?)x|\+(?P<more>\d+(\.\d+)?)%")
_SIZE = re.compile(r"(?P<times>\d+(\.\d+)?)x|\+(?P<more>\d+(\.\d+)?)%|\+(?P<plus>\d+)|(?P<is>\d+)")


def sized(what: str, size: str | float, old: int, *, multiple: int = 1) -> int:
    """Turn a size into a number.

    Args:
        what: for messages: ``hidden size``.
        size: as a person says it; a float stands for so many times.
        old: what it is now.
        multiple: a size that is said relative to the old one is rounded to one of these.

    Raises:
        InputError: it cannot be read, shrinks, or is said as a number that is no multiple.
    """
    text = f"{size}x" if isinstance(size, float) else str(size).strip()
    found = _SIZE.fullmatch(text)
    if not found:
        raise InputError(
            f"the {what} {text!r} is no size.", "Say 1.5x, +64, +25%, or the number itself."
        )
    if found["times"] or found["more"]:
        factor = float(found["times"]) if found["times"] else 1 + float(found["more"]) / 100
        exact = old * factor
        new = round(exact / multiple) * multiple if multiple > 1 else math.ceil(exact - 1e-9)
        new = max(new, old) if factor >= 1 else new
    else:
        new = old + int(found["plus"]) if found["plus"] else int(found["is"])
    check_size(what, new, old, multiple=multiple)
    return new


def factor_of(width: str | float) -> float:
    """Read a width that is one number for the whole network; a plain number is so many times.

    Raises:
        InputError: it is no factor, or one that shrinks.
    """
    text = width.strip() if isinstance(width, str) else f"{width}x"
    found = _FACTOR.fullmatch(text)
    if not found:
        raise InputError(f"the width {text!r} is no factor.", "Say 1.5x or +50%.")
    factor = float(found["times"]) if found["times"] else 1 + float(found["more"]) / 100
    if factor < 1:
        raise InputError(
            f"the width {text} would make the network narrower, and growing only adds.",
            "To make a model smaller, distil it: zoo distill --help",
        )
    return factor


def check_size(what: str, new: int, old: int, *, multiple: int = 1) -> None:
    """Refuse a size that shrinks, or that is no multiple.

    Raises:
        InputError: with the nearest that can be.
    """
    if new < old:
        raise InputError(
            f"the {what} would shrink from {old} to {new}, and growing only adds.",
            "To make a model smaller, distil it: zoo distill --help",
        )
    if new % multiple:
        below, above = new // multiple * multiple, -(-new // multiple) * multiple
        near = f"{above}" if below < old else f"{below} or {above}"
        raise InputError(f"the {what} {new} is no multiple of {multiple}.", f"The nearest: {near}")


def deepened(what: str, depth: str | int, old: Sequence[int]) -> list[int]:
    """Turn a depth into layers of every stage.

    Args:
        what: for messages.
        depth: one size for every stage, or as many numbers as there are stages, with commas.
        old: layers of every stage now.

    Raises:
        InputError: it cannot be read, or shrinks.
    """
    said = [each.strip() for each in str(depth).split(",")]
    if len(said) == 1:
        said *= len(old)
    if len(said) != len(old):
        raise InputError(
            f"the {what} {depth!r} names {len(said)} stages, and there are {len(old)} "
            f"({', '.join(map(str, old))}).",
            "Say one size for all of them, such as +1, or one number a stage.",
        )
    return [sized(what, size, layers) for size, layers in zip(said, old, strict=True)]
