"""Operators of torch that add, multiply and pool, in ONNX."""

# ruff: noqa: SLF001 -- torch names its operators

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from zoo_runtimes.onnx.nodes import UntranslatedError, aten

if TYPE_CHECKING:
    from zoo_runtimes.onnx.nodes import Emit, Node


def _reduction(kind: str) -> Emit:
    def apply(node: Node) -> Any:
        axes = node.raw(1)
        axes = [axes] if isinstance(axes, int) else axes
        value = node.cast(0, node.meta.dtype)
        keep = int(bool(node.raw(2, False)))
        if not axes:
            return node.emit(kind, value, keepdims=keep)
        return node.emit(kind, value, node.builder.ints([*axes]), keepdims=keep)

    return apply


def _norm(node: Node) -> Any:
    kind = {1: "ReduceL1", 2: "ReduceL2"}.get(node.raw(1, 2))
    if kind is None or node.raw(2) is None:
        raise UntranslatedError("norm of a rare kind")
    axes = node.raw(2)
    axes = node.builder.ints([axes] if isinstance(axes, int) else [*axes])
    value = node.cast(0, node.meta.dtype)
    return node.emit(kind, value, axes, keepdims=int(bool(node.raw(3, False))))


def _running_sum(node: Node) -> Any:
    axis = node.number(node.raw(1), torch.int64)
    return node.emit("CumSum", node.cast(0, node.meta.dtype), axis)


def _any(node: Node) -> Any:
    axes = node.raw(1)
    axes = [axes] if isinstance(axes, int) else axes or []
    value = node.to(node.value(0), torch.int32)
    inputs = [value, node.builder.ints([*axes])] if axes else [value]
    found = node.emit("ReduceMax", *inputs, keepdims=int(bool(node.raw(2, False))))
    return node.to(found, torch.bool)


def _argmax(node: Node) -> Any:
    if node.raw(1) is None:
        raise UntranslatedError("argmax over everything")
    return node.emit(
        "ArgMax", node.value(0), axis=node.raw(1), keepdims=int(bool(node.raw(2, False)))
    )


def _product(node: Node) -> Any:
    return node.emit("MatMul", node.value(0), node.value(1))


def _affine(node: Node) -> Any:
    if node.node.kwargs:
        raise UntranslatedError("addmm with factors")
    return node.emit("Add", node.emit("MatMul", node.value(1), node.value(2)), node.value(0))


def _softmax(node: Node) -> Any:
    return node.emit("Softmax", node.cast(0, node.meta.dtype), axis=node.raw(1))


def _convolution(node: Node) -> Any:
    stride, padding, dilation = (list(node.raw(index)) for index in (3, 4, 5))
    inputs = [node.value(index) for index in (0, 1, 2) if node.raw(index) is not None]
    spatial = node.rank() - 2
    stride, padding, dilation = (
        each * spatial if len(each) == 1 else each for each in (stride, padding, dilation)
    )
    attributes: dict[str, Any] = {"group": node.raw(8), "strides": stride, "dilations": dilation}
    attributes["pads"] = [*padding, *padding]
    if node.raw(6):
        attributes["output_padding"] = list(node.raw(7))
    return node.emit("ConvTranspose" if node.raw(6) else "Conv", *inputs, **attributes)


def _max_pool(node: Node) -> Any:
    kernel, stride, padding = (list(node.raw(index, ())) for index in (1, 2, 3))
    dilation = list(node.raw(4, (1, 1)))
    found, places = node.emit(
        "MaxPool",
        node.value(0),
        outputs=2,
        kernel_shape=kernel,
        strides=stride or kernel,
        pads=[*(padding or (0, 0)), *(padding or (0, 0))],
        dilations=dilation,
        ceil_mode=int(bool(node.raw(5, False))),
    )
    # ONNX counts from the start of the batch, torch from the start of the plane.
    area = math.prod(node.info(0).shape[-2:])
    return [found, node.emit("Mod", places, node.number(area, torch.int64))]


def _average_pool(node: Node) -> Any:
    if node.raw(6) is not None:
        raise UntranslatedError("avg_pool2d with a divisor")
    kernel, stride = list(node.raw(1)), list(node.raw(2, ()) or node.raw(1))
    padding = list(node.raw(3, (0, 0)))
    return node.emit(
        "AveragePool",
        node.value(0),
        kernel_shape=kernel,
        strides=stride,
        pads=[*padding, *padding],
        ceil_mode=int(bool(node.raw(4, False))),
        count_include_pad=int(bool(node.raw(5, True))),
    )


TRANSLATIONS: dict[Any, Emit] = {
    aten.sum: _reduction("ReduceSum"),
    aten.mean: _reduction("ReduceMean"),
    aten.amax: _reduction("ReduceMax"),
    aten.amin: _reduction("ReduceMin"),
    aten.linalg_vector_norm: _norm,
    aten.cumsum: _running_sum,
    aten.any: _any,
    aten.argmax: _argmax,
    aten.mm: _product,
    aten.bmm: _product,
    aten.addmm: _affine,
    aten._softmax: _softmax,
    aten.convolution: _convolution,
    aten.max_pool2d_with_indices: _max_pool,
    aten.avg_pool2d: _average_pool,
}
