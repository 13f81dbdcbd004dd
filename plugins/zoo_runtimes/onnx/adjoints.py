"""Backward passes of operators that torch keeps whole, in operators that ONNX has."""
# ruff: noqa: SLF001, PLR0917 -- torch names its operators, and orders their arguments

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch._decomp import core_aten_decompositions, get_decompositions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

aten = torch.ops.aten

_NORMS = (
    aten.native_group_norm,
    aten.native_batch_norm,
    aten._native_batch_norm_legit,
    aten._native_batch_norm_legit_no_training,
)


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Give every operator that a trace should not keep, with what takes its place."""
    return {
        **core_aten_decompositions(),
        **get_decompositions(_NORMS),
        aten.native_layer_norm.default: _layer_norm,
        aten.var_mean.correction: _variance_and_mean,
        aten.var.correction: lambda *given, **named: _variance_and_mean(*given, **named)[0],
        aten.slice_backward.default: _slice,
        aten.select_backward.default: _select,
        aten.convolution_backward.default: _convolution,
        aten.max_pool2d_with_indices_backward.default: _max_pool,
        aten.avg_pool2d_backward.default: _average_pool,
        aten._adaptive_avg_pool2d.default: _adaptive_pool,
        aten._adaptive_avg_pool2d_backward.default: _adaptive_pool_backward,
        aten.adaptive_avg_pool2d.default: _adaptive_pool,
        aten.upsample_bilinear2d_backward.default: _bilinear_backward,
    }


def _layer_norm(
    values: torch.Tensor,
    shape: Sequence[int],
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    epsilon: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    axes = list(range(-len(shape), 0))
    mean = values.mean(dim=axes, keepdim=True)
    centred = values - mean
    inverse = torch.rsqrt((centred * centred).mean(dim=axes, keepdim=True) + epsilon)
    found = centred * inverse
    found = found if weight is None else found * weight
    return found if bias is None else found + bias, mean, inverse


def _variance_and_mean(
    values: torch.Tensor,
    axes: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    axes = list(range(values.ndim)) if axes is None else list(axes)
    mean = values.mean(dim=axes, keepdim=True)
    centred = values - mean
    found = (centred * centred).mean(dim=axes, keepdim=keepdim)
    less = 1 if correction is None else correction
    if less:
        count = math.prod(values.shape[axis] for axis in axes)
        found = found * (count / (count - less))
    return found, mean if keepdim else mean.squeeze(axes)


def _convolution(  # the operator's own arguments
    gradient: torch.Tensor,
    values: torch.Tensor,
    weight: torch.Tensor,
    bias_sizes: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    wanted: Sequence[bool],
) -> tuple[torch.Tensor, None, None]:
    """With respect to the input alone: the convolution turned round."""
    del bias_sizes, output_padding, wanted
    spatial = values.ndim - 2
    stride, padding, dilation = (
        [*each] * spatial if len(each) == 1 else [*each] for each in (stride, padding, dilation)
    )
    if transposed:
        none = [0] * len(stride)
        turned = aten.convolution(
            gradient, weight, None, stride, padding, dilation, False, none, groups
        )
        return turned, None, None
    reached = (
        (out - 1) * step - 2 * pad + spread * (kernel - 1) + 1
        for out, step, pad, spread, kernel in zip(
            gradient.shape[2:], stride, padding, dilation, weight.shape[2:], strict=True
        )
    )
    rest = [int(size - far) for size, far in zip(values.shape[2:], reached, strict=True)]
    turned = aten.convolution(gradient, weight, None, stride, padding, dilation, True, rest, groups)
    return turned, None, None


def _slice(
    gradient: torch.Tensor, sizes: Sequence[int], axis: int, start: int, end: int, step: int
) -> torch.Tensor:
    axis %= len(sizes)
    if step != 1:
        gradient = _apart(gradient, axis, step)
    size, taken = sizes[axis], gradient.shape[axis]
    start = start + size if start < 0 else start
    # The end of a slice may lie beyond the tensor's.
    del end
    return _padded(gradient, axis, start, size - start - taken)


def _apart(values: torch.Tensor, axis: int, step: int) -> torch.Tensor:
    """Put zeros between neighbours."""
    shape = [*values.shape]
    shape[axis] = shape[axis] * step
    spread = _padded(values.unsqueeze(axis + 1), axis + 1, 0, step - 1).reshape(shape)
    return spread.narrow(axis, 0, shape[axis] - (step - 1))


def _select(gradient: torch.Tensor, sizes: Sequence[int], axis: int, index: int) -> torch.Tensor:
    axis %= len(sizes)
    index = index + sizes[axis] if index < 0 else index
    return _padded(gradient.unsqueeze(axis), axis, index, sizes[axis] - index - 1)


def _padded(values: torch.Tensor, axis: int, before: int, after: int) -> torch.Tensor:
    pads = [0, 0] * (values.ndim - 1 - axis) + [before, after]
    found: torch.Tensor = aten.constant_pad_nd(values, pads, 0.0)
    return found


def _max_pool(gradient: torch.Tensor, values: torch.Tensor, *arguments: Any) -> torch.Tensor:
    """Each output's gradient goes to where its maximum was."""
    places = arguments[-1]
    flat = torch.zeros_like(values).flatten(2)
    return flat.scatter_add(2, places.flatten(2), gradient.flatten(2)).view(values.shape)


def _average_pool(
    gradient: torch.Tensor,
    values: torch.Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    padded: bool,
    divisor: int | None,
) -> torch.Tensor:
    def average(matrix: torch.Tensor, index: int) -> torch.Tensor:
        return torch.nn.functional.avg_pool1d(
            matrix,
            kernel[index],
            (stride or kernel)[index],
            padding[index],
            ceil_mode=ceil,
            count_include_pad=padded,
        )

    if divisor is not None:
        raise NotImplementedError("avg_pool2d with a divisor")
    return _by_matrices(gradient, values.shape, average, adjoint=True)


def _adaptive_pool(values: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    shape = [*values.shape[:-2], *size]
    return _by_matrices(values, shape, _adaptive(size), adjoint=False)


def _adaptive_pool_backward(gradient: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return _by_matrices(gradient, values.shape, _adaptive(gradient.shape[-2:]), adjoint=True)


def _adaptive(size: Sequence[int]) -> Callable[[torch.Tensor, int], torch.Tensor]:
    return lambda matrix, index: torch.nn.functional.adaptive_avg_pool1d(matrix, int(size[index]))


def _bilinear_backward(
    gradient: torch.Tensor,
    size: Sequence[int],
    shape: Sequence[int],
    aligned: bool,
    *scales: float | None,
) -> torch.Tensor:
    del scales

    def enlarge(matrix: torch.Tensor, index: int) -> torch.Tensor:
        return torch.nn.functional.interpolate(
            matrix, int(size[index]), mode="linear", align_corners=aligned
        )

    return _by_matrices(gradient, shape, enlarge, adjoint=True)


def _by_matrices(
    values: torch.Tensor,
    shape: Sequence[Any],
    resize: Callable[[torch.Tensor, int], torch.Tensor],
    *,
    adjoint: bool,
) -> torch.Tensor:
    """Apply what works on rows and columns apart, or its transpose, as two products."""
    inputs = shape if adjoint else values.shape
    rows, columns = (separable(resize, index, int(inputs[index - 2])) for index in (0, 1))
    if adjoint:
        return torch.matmul(torch.matmul(rows, values), columns.T)
    return torch.matmul(torch.matmul(rows.T, values), columns)


def separable(
    resize: Callable[[torch.Tensor, int], torch.Tensor], index: int, size: int
) -> torch.Tensor:
    """The (inputs, outputs) matrix of a linear function of one dimension."""
    from torch._subclasses.fake_tensor import unset_fake_temporarily
    from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing

    with disable_proxy_modes_tracing(), unset_fake_temporarily(), torch.no_grad():
        return resize(torch.eye(size)[None], index)[0]
