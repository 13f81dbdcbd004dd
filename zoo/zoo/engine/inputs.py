"""Prepared images: decoded and resized once for every checkpoint that wants them alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt


def shards(samples: int) -> list[range]:
    """Cut the samples into ranges; depends on nothing else, so that every machine agrees.

    Small enough that all workers have a part of it, large enough to be worth a file.
    """
    size = min(256, max(32, -(-samples // 16)))
    return [range(start, min(start + size, samples)) for start in range(0, samples, size)]


def pack(arrays: Sequence[npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Put arrays of one type into one tensor, or end to end when their shapes differ.

    Raises:
        PluginError: the runtime prepared arrays that do not belong together.
    """
    if len({(array.dtype, array.ndim) for array in arrays}) != 1:
        raise PluginError("the runtime prepared inputs of different types or dimensions.")
    if len({array.shape for array in arrays}) == 1:
        return {"uniform": np.stack(arrays)}
    shapes = np.array([array.shape for array in arrays], dtype=np.int64)
    return {"ragged": np.concatenate([array.reshape(-1) for array in arrays]), "shapes": shapes}


def unpack(tensors: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Undo :func:`pack` without a copy."""
    if "uniform" in tensors:
        return list(tensors["uniform"])
    shapes = tensors["shapes"]
    ends = np.cumsum(np.prod(shapes, axis=1))[:-1]
    parts = np.split(tensors["ragged"], ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
