"""Operators of torch that take numbers one by one, in ONNX."""

# ruff: noqa: SLF001 -- torch names its operators

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch

from zoo_runtimes.onnx.nodes import UntranslatedError, aten

if TYPE_CHECKING:
    from zoo_runtimes.onnx.nodes import Emit, Node


def _same(node: Node) -> Any:
    return node.value(0)


def _unary(kind: str) -> Emit:
    return lambda node: node.emit(kind, node.cast(0, node.meta.dtype))


def _binary(kind: str) -> Emit:
    def apply(node: Node) -> Any:
        if not isinstance(node.meta, torch.Tensor):
            return node.emit(kind, *(node.builder.ints([node.value(index)]) for index in (0, 1)))
        dtype = node.meta.dtype
        left, right = node.cast(0, dtype), node.cast(1, dtype)
        alpha = node.node.kwargs.get("alpha", 1)
        if alpha != 1:
            right = node.emit("Mul", right, node.number(alpha, dtype))
        return node.emit(kind, left, right)

    return apply


def _division(node: Node) -> Any:
    mode, dtype = node.node.kwargs.get("rounding_mode"), node.meta.dtype
    found = node.emit("Div", node.cast(0, dtype), node.cast(1, dtype))
    if mode == "floor" and dtype.is_floating_point:
        return node.emit("Floor", found)
    return found


def _remainder(node: Node) -> Any:
    dtype = node.meta.dtype
    return node.emit("Mod", node.cast(0, dtype), node.cast(1, dtype), fmod=1)


def _swapped(node: Node) -> Any:
    dtype = node.meta.dtype
    return node.emit("Sub", node.cast(1, dtype), node.cast(0, dtype))


def _comparison(kind: str, *, negate: bool = False) -> Emit:
    def apply(node: Node) -> Any:
        dtype = torch.result_type(node.info(0), node.info(1))
        if dtype == torch.bool and kind != "Equal":
            dtype = torch.int32
        found = node.emit(kind, node.cast(0, dtype), node.cast(1, dtype))
        return node.emit("Not", found) if negate else found

    return apply


def _logical(kind: str) -> Emit:
    def apply(node: Node) -> Any:
        return node.emit(kind, node.cast(0, torch.bool), node.cast(1, torch.bool))

    return apply


def _clip(node: Node) -> Any:
    low, high = node.raw(1), node.raw(2)
    dtype = node.meta.dtype
    ends = ["" if end is None else node.number(end, dtype) for end in (low, high)]
    return node.emit("Clip", node.cast(0, dtype), *ends)


def _hardtanh(node: Node) -> Any:
    ends = (node.raw(1, -1.0), node.raw(2, 1.0))
    return node.emit("Clip", node.value(0), *(node.number(end, node.meta.dtype) for end in ends))


def _where(node: Node) -> Any:
    dtype = node.meta.dtype
    return node.emit("Where", node.cast(0, torch.bool), node.cast(1, dtype), node.cast(2, dtype))


def _gelu(node: Node) -> Any:
    return node.emit("Gelu", node.value(0), approximate=node.node.kwargs.get("approximate", "none"))


def _scalar(node: Node) -> Any:
    return node.cast(0, node.meta.dtype)


def _overwrite(node: Node) -> Any:
    """Numbers put in the place of others: whoever reads them later reads this node."""
    place = node.raw(0)
    if any(getattr(each.target, "is_view", False) for each in (place, *place.users)):
        raise UntranslatedError("copy_ into a view")
    shape = node.emit("Shape", node.value(0))
    return node.emit("Expand", node.cast(1, node.meta.dtype), shape)


def _copy(node: Node) -> Any:
    return node.cast(0, node.meta.dtype)


TRANSLATIONS: dict[Any, Emit] = {
    **dict.fromkeys((aten.alias, aten.clone, aten.detach, aten.lift_fresh_copy), _same),
    **dict.fromkeys((aten.contiguous, aten.lift_fresh, aten._assert_tensor_metadata), _same),
    aten.neg: _unary("Neg"),
    aten.exp: _unary("Exp"),
    aten.log: _unary("Log"),
    aten.sqrt: _unary("Sqrt"),
    aten.reciprocal: _unary("Reciprocal"),
    aten.rsqrt: lambda node: node.emit("Reciprocal", node.emit("Sqrt", node.value(0))),
    aten.erf: _unary("Erf"),
    aten.tanh: _unary("Tanh"),
    aten.sigmoid: _unary("Sigmoid"),
    aten.relu: _unary("Relu"),
    aten.abs: _unary("Abs"),
    aten.sign: _unary("Sign"),
    aten.sin: _unary("Sin"),
    aten.cos: _unary("Cos"),
    aten.floor: _unary("Floor"),
    aten.logical_not: lambda node: node.emit("Not", node.cast(0, torch.bool)),
    aten.bitwise_not: lambda node: node.emit("Not", node.cast(0, torch.bool)),
    aten.add: _binary("Add"),
    aten.add_: _binary("Add"),
    aten.sub: _binary("Sub"),
    aten.rsub: _swapped,
    aten.mul: _binary("Mul"),
    aten.div: _division,
    aten.fmod: _remainder,
    aten.pow: _binary("Pow"),
    aten.maximum: _binary("Max"),
    aten.minimum: _binary("Min"),
    aten.eq: _comparison("Equal"),
    aten.ne: _comparison("Equal", negate=True),
    aten.lt: _comparison("Less"),
    aten.le: _comparison("LessOrEqual"),
    aten.gt: _comparison("Greater"),
    aten.ge: _comparison("GreaterOrEqual"),
    aten.bitwise_and: _logical("And"),
    aten.logical_and: _logical("And"),
    aten.bitwise_or: _logical("Or"),
    aten.logical_or: _logical("Or"),
    aten.clamp: _clip,
    aten.hardtanh: _hardtanh,
    aten.where: _where,
    aten.gelu: _gelu,
    aten.scalar_tensor: _scalar,
    aten._to_copy: _copy,
    aten.copy_: _overwrite,
    operator.add: _binary("Add"),
    operator.sub: _binary("Sub"),
    operator.mul: _binary("Mul"),
    operator.floordiv: _binary("Div"),
}
