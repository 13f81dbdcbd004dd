"""Operators of torch that look numbers up, put them somewhere or make them, in ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zoo_runtimes.onnx.nodes import UntranslatedError, aten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo_runtimes.onnx.nodes import Emit, Node, Value


def _embedding(node: Node) -> Any:
    return node.emit("Gather", node.value(0), node.value(1), axis=0)


def _places(node: Node) -> tuple[Value, list[int], int]:
    """Where to look: (..., K) of K indexed dimensions, which they are, and how many dots there are.

    Raises:
        UntranslatedError: a mask says where.
    """
    indices = node.raw(1)
    given = [axis for axis, each in enumerate(indices) if each is not None]
    if any(indices[axis].meta["val"].dtype == torch.bool for axis in given):
        raise UntranslatedError("index by a mask")
    found = [node.of(indices[axis]) for axis in given]
    total = found[0]
    for each in found[1:]:
        total = node.emit("Add", total, each)
    shape = node.emit("Shape", total)
    last = node.builder.ints([-1])
    columns = [node.emit("Unsqueeze", node.emit("Expand", each, shape), last) for each in found]
    rank = max(indices[axis].meta["val"].dim() for axis in given)
    return node.emit("Concat", *columns, axis=-1), given, rank


def _orders(given: Sequence[int], rank: int, result: int) -> tuple[list[int], list[int]]:
    """Bring the indexed dimensions to the front, and the looked up ones to where torch has them.

    Args:
        given: indexed dimensions.
        rank: dimensions of an index.
        result: dimensions of the result.
    """
    source = result - rank + len(given)
    front = [*given, *(axis for axis in range(source) if axis not in given)]
    together = list(given) == list(range(given[0], given[-1] + 1))
    before = given[0] if together else 0
    rest = range(rank, result)
    return front, [*rest[:before], *range(rank), *rest[before:]]


def _transposed(node: Node, value: Value, order: Sequence[int]) -> Value:
    if list(order) == sorted(order):
        return value
    return str(node.emit("Transpose", value, perm=list(order)))


def _index(node: Node) -> Any:
    indices = node.raw(1)
    given = [axis for axis, each in enumerate(indices) if each is not None]
    if len(given) == 1 and indices[given[0]].meta["val"].dtype != torch.bool:
        return node.emit("Gather", node.value(0), node.of(indices[given[0]]), axis=given[0])
    places, given, rank = _places(node)
    front, back = _orders(given, rank, node.meta.dim())
    found = node.emit("GatherND", _transposed(node, node.value(0), front), places)
    return _transposed(node, found, back)


def _index_put(node: Node) -> Any:
    places, given, rank = _places(node)
    result = node.rank() - len(given) + rank
    front, back = _orders(given, rank, result)
    data = _transposed(node, node.value(0), front)
    if node.info(2).dim() != result:
        raise UntranslatedError("index_put of fewer dimensions")
    # Whoever put them where torch has them takes them back.
    values = _transposed(node, node.value(2), _inverse(back))
    shape = node.emit("Shape", node.emit("GatherND", data, places))
    reduction = "add" if node.raw(3, False) else "none"
    found = node.emit(
        "ScatterND", data, places, node.emit("Expand", values, shape), reduction=reduction
    )
    return _transposed(node, found, _inverse(front))


def _inverse(order: Sequence[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


def _index_select(node: Node) -> Any:
    return node.emit("Gather", node.value(0), node.value(2), axis=node.raw(1))


def _gather(node: Node) -> Any:
    return node.emit("GatherElements", node.value(0), node.value(2), axis=node.raw(1))


def _scatter_add(node: Node) -> Any:
    inputs = (node.value(0), node.value(2), node.value(3))
    return node.emit("ScatterElements", *inputs, axis=node.raw(1), reduction="add")


def _full(node: Node) -> Any:
    sizes = node.value(0)
    value = node.cast(1, node.meta.dtype)
    return node.emit("Expand", value, node.builder.ints(sizes)) if sizes else value


def _full_like(node: Node) -> Any:
    value = node.cast(1, node.meta.dtype)
    return node.emit("Expand", value, node.emit("Shape", node.value(0)))


def _constant_like(number: float) -> Emit:
    def apply(node: Node) -> Any:
        shape = node.emit("Shape", node.value(0))
        return node.emit("Expand", node.number(number, node.meta.dtype), shape)

    return apply


def _range(node: Node) -> Any:
    dtype = node.meta.dtype
    start, end = node.cast(0, dtype), node.cast(1, dtype)
    step = node.cast(2, dtype) if len(node.node.args) > 2 else node.number(1, dtype)
    return node.emit("Range", start, end, step)


TRANSLATIONS: dict[Any, Emit] = {
    aten.embedding: _embedding,
    aten.index: _index,
    aten.index_put: _index_put,
    aten.index_select: _index_select,
    aten.gather: _gather,
    aten.scatter_add: _scatter_add,
    aten.full: _full,
    aten.full_like: _full_like,
    aten.zeros_like: _constant_like(0),
    aten.ones_like: _constant_like(1),
    aten.arange: _range,
}
