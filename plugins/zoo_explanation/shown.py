"""How models, classes and numbers are written in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo.building.intervals import share
from zoo.explaining.checking import control_characters
from zoo.score_tables import short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

_LONGEST = 120


def clean(text: object) -> str:
    """Put what strangers wrote on one line of reasonable length, without control characters."""
    line = " ".join(str(text).split())
    for each in control_characters(line):
        line = line.replace(each, "")
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3].rstrip()}..."


def short_names(models: Iterable[str]) -> dict[str, str]:
    """Give each reference its last part, or the whole where two share that."""
    models = [each for each in models if each]
    parts = {each: clean(short_name(each)) or clean(each) for each in models}
    shared = [*parts.values()]
    return {each: clean(each) if shared.count(part) > 1 else part for each, part in parts.items()}


def class_names(labels: Sequence[str], count: int) -> list[str]:
    """Name ``count`` classes; those without a name by their number."""
    return [
        clean(labels[index]) if index < len(labels) and labels[index].strip() else f"class {index}"
        for index in range(count)
    ]


def number_format(*values: float) -> str:
    """Give the format in which numbers can be told apart, such as ``.2f``."""
    largest = max((abs(each) for each in values), default=0.0)
    gaps = [abs(one - other) for one in values for other in values if one != other]
    gap = min(gaps, default=0.0)
    if largest and (largest >= 1e6 or largest < 1e-3):
        return ".2e"
    decimals = 2 if largest < 100 else 1
    if gap:
        decimals = max(decimals, min(5, -math.floor(math.log10(gap))))
    return f".{decimals}f"


def share_of(right: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Give a share and its 95 % interval (Wilson), in percent; (N,) with N > 0."""
    found = share(right)
    assert found is not None
    return found.value * 100, found.low * 100, found.high * 100
