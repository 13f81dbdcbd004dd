"""Operators of torch that move numbers about, in ONNX."""

# ruff: noqa: SLF001 -- torch names its operators

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo_runtimes.onnx.nodes import UntranslatedError, aten

if TYPE_CHECKING:
    from zoo_runtimes.onnx.nodes import Emit, Node

_INT_MAX = np.iinfo(np.int64).max


def _reshape(node: Node) -> Any:
    return node.emit("Reshape", node.value(0), node.builder.ints(node.value(1)), allowzero=1)


def _expand(node: Node) -> Any:
    sizes = [1 if size == -1 else size for size in node.value(1)]
    return node.emit("Expand", node.value(0), node.builder.ints(sizes))


def _repeat(node: Node) -> Any:
    counts, rank = node.value(1), node.rank()
    value = node.value(0)
    if len(counts) > rank:
        value = node.emit("Unsqueeze", value, node.builder.ints(range(len(counts) - rank)))
    return node.emit("Tile", value, node.builder.ints(counts))


def _as_strided(node: Node) -> Any:
    """Only what is a reshape in other words: ONNX knows no strides."""
    info, step = node.info(0), 1
    for size, stride in zip(reversed(node.meta.shape), reversed(node.raw(2)), strict=True):
        if stride != step and size != 1:
            raise UntranslatedError("as_strided that is no reshape")
        step = step * size
    if step != info.numel() or not info.is_contiguous() or node.raw(3, 0):
        raise UntranslatedError("as_strided that is no reshape")
    return node.emit("Reshape", node.value(0), node.builder.ints(node.value(1)), allowzero=1)


def _permute(node: Node) -> Any:
    rank = node.rank()
    return node.emit("Transpose", node.value(0), perm=[axis % rank for axis in node.value(1)])


def _transpose(node: Node) -> Any:
    order = list(range(node.rank()))
    one, other = node.raw(1, 0), node.raw(2, 1)
    if len(order) > 1:
        order[one], order[other] = order[other], order[one]
    return node.emit("Transpose", node.value(0), perm=order)


def _unsqueeze(node: Node) -> Any:
    axis = node.raw(1)
    axis = axis + node.rank() + 1 if axis < 0 else axis
    return node.emit("Unsqueeze", node.value(0), node.builder.ints([axis]))


def _squeeze(node: Node) -> Any:
    axes = node.raw(1)
    sizes = node.info(0).shape
    axes = [axis for axis in ([axes] if isinstance(axes, int) else axes) if sizes[axis] == 1]
    return node.emit("Squeeze", node.value(0), node.builder.ints(axes)) if axes else node.value(0)


def _slice(node: Node) -> Any:
    axis, start, end, step = (
        node.of(node.raw(index, default)) for index, default in ((1, 0), (2, 0), (3, None), (4, 1))
    )
    ends = [0 if start is None else start, _INT_MAX if end is None else end, axis, step]
    return node.emit("Slice", node.value(0), *(node.builder.ints([each]) for each in ends))


def _select(node: Node) -> Any:
    index = node.value(2)
    if isinstance(index, str):
        index = node.emit("Squeeze", index, node.builder.ints([0]))
    else:
        index = node.number(index, torch.int64)
    return node.emit("Gather", node.value(0), index, axis=node.raw(1))


def _flip(node: Node) -> Any:
    axes = [axis % node.rank() for axis in node.raw(1)]
    ints = node.builder.ints
    ends = [np.iinfo(np.int64).min] * len(axes)
    return node.emit(
        "Slice",
        node.value(0),
        ints([-1] * len(axes)),
        ints(ends),
        ints(axes),
        ints([-1] * len(axes)),
    )


def _concatenate(node: Node) -> Any:
    kept = [each for each in node.raw(0) if each.meta["val"].numel() != 0]
    dtype = node.meta.dtype
    parts = [
        node.of(each) if each.meta["val"].dtype == dtype else node.to(node.of(each), dtype)
        for each in kept
    ]
    return node.emit("Concat", *parts, axis=node.raw(1, 0)) if len(parts) > 1 else parts[0]


def _split(node: Node) -> Any:
    sizes = node.builder.ints(node.value(1))
    count = len(node.raw(1))
    found = node.emit("Split", node.value(0), sizes, outputs=count, axis=node.raw(2, 0))
    return [found] if count == 1 else list(found)


def _pad(node: Node) -> Any:
    flat, rank = node.value(1), node.rank()
    before: list[Any] = [0] * rank
    after: list[Any] = [0] * rank
    for number in range(len(flat) // 2):
        before[rank - 1 - number], after[rank - 1 - number] = flat[2 * number : 2 * number + 2]
    fill = node.number(node.raw(2, 0) or 0, node.meta.dtype)
    return node.emit("Pad", node.value(0), node.builder.ints([*before, *after]), fill)


def _size(node: Node) -> Any:
    axis = node.raw(1) % node.rank()
    return node.emit("Shape", node.value(0), start=axis, end=axis + 1)


def _count(node: Node) -> Any:
    return node.emit("Reshape", node.emit("Size", node.value(0)), node.builder.ints([1]))


def _item(node: Node) -> Any:
    return node.value(0)[node.raw(1)]


TRANSLATIONS: dict[Any, Emit] = {
    aten.view: _reshape,
    aten._unsafe_view: _reshape,
    aten.reshape: _reshape,
    aten.expand: _expand,
    aten.repeat: _repeat,
    aten.as_strided: _as_strided,
    aten.permute: _permute,
    aten.transpose: _transpose,
    aten.t: _transpose,
    aten.unsqueeze: _unsqueeze,
    aten.squeeze: _squeeze,
    aten.slice: _slice,
    aten.select: _select,
    aten.flip: _flip,
    aten.cat: _concatenate,
    aten.split_with_sizes: _split,
    aten.constant_pad_nd: _pad,
    aten.sym_size: _size,
    aten.sym_numel: _count,
    operator.getitem: _item,
}
