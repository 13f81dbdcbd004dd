"""Whether two uses of one thing gave the same, whatever it is that they gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec

#: Sums in another order differ by this much, relative to the largest number.
_CLOSE = 1e-9


def same(first: Any, second: Any) -> bool:
    """Compare numbers, arrays, tensors and whatever holds them; NaN equals NaN."""
    if type(first) is not type(second):
        return False
    if isinstance(first, float | complex) or hasattr(first, "__array__"):
        return _numbers(first, second)
    first, second = _parts(first), _parts(second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def _parts(thing: Any) -> Any:
    """Give a mapping, a struct or a dataclass as a dictionary, and anything else as it is."""
    if isinstance(thing, msgspec.Struct):
        return msgspec.structs.asdict(thing)
    if is_dataclass(thing):
        return {each.name: getattr(thing, each.name) for each in fields(thing) if each.compare}
    return dict(thing) if isinstance(thing, Mapping) else thing


def _numbers(first: Any, second: Any) -> bool:
    import numpy as np

    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.dtype.kind not in "fc":
        return bool(np.array_equal(first, second))
    scale = float(np.abs(first[np.isfinite(first)]).max(initial=0.0))
    return bool(np.allclose(first, second, rtol=_CLOSE, atol=_CLOSE * scale, equal_nan=True))
