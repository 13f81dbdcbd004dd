"""Layers that do nothing yet, and learn from the first step on.

:func:`identity_linear` and :func:`identity_convolution` are those of Net2DeeperNet (Chen,
Goodfellow and Shlens, ICLR 2016): after an activation with phi(phi(x)) = phi(x) they may stand
between two applications of it. :func:`undo` sets a batch norm so that it gives back what it is
given. :func:`pair` is for activations with phi(x) - phi(-x) = c x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.conv import _ConvNd

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class Abs(nn.Module):
    """|x|, where a network calls it as a function."""

    def forward(self, x: Tensor) -> Tensor:
        """Give the absolute values."""
        return x.abs()


class SigmoidGated(nn.Module):
    """x * sigmoid(k x), where a network writes it out: quick-GELU with k = 1.702.

    Args:
        steepness: k.
    """

    def __init__(self, steepness: float = 1.702) -> None:
        super().__init__()
        self.steepness = steepness

    def forward(self, x: Tensor) -> Tensor:
        """Gate every number by itself."""
        return x * torch.sigmoid(self.steepness * x)


@torch.no_grad()
def identity_linear(features: int, *, bias: bool = True) -> nn.Linear:
    """Give a linear map x -> x of so many features."""
    layer = nn.Linear(features, features, bias=bias)
    layer.weight.copy_(torch.eye(features))
    _zero_bias(layer)
    return layer


@torch.no_grad()
def identity_convolution(channels: int, kernel: Sequence[int], *, bias: bool = True) -> _ConvNd:
    """Give a convolution x -> x: one at the centre of the kernel of every channel with itself.

    Args:
        channels: in and out.
        kernel: size along every spatial dimension, all odd; the padding keeps the shape.
        bias: have one, of zeros.
    """
    layer = _convolution(channels, channels, kernel, bias=bias)
    _centre(layer).copy_(torch.eye(channels))
    _zero_bias(layer)
    return layer


@torch.no_grad()
def pair(
    channels: int,
    kernel: Sequence[int] | None,
    *,
    factor: float,
    bias: bool = True,
    dtype: torch.dtype = torch.float32,
) -> tuple[nn.Module, nn.Module]:
    """Give two layers that with phi between them do nothing: [I; -I], and [I, -I] / c.

    Exact where phi(x) - phi(-x) = c x: GELU, SiLU, hardswish and quick-GELU with c = 1, leaky
    ReLU of slope a with c = 1 + a.

    Args:
        channels: d; between the two layers there are 2 d.
        kernel: of convolutions; None makes linear maps.
        factor: c.
        bias: have one, of zeros.
        dtype: of the weights; c is divided by in it.
    """
    eye = torch.eye(channels, dtype=torch.float64)
    spread, joined = torch.cat([eye, -eye]), torch.cat([eye, -eye], 1) / factor
    if kernel is None:
        first, second = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        layers: list[nn.Linear | _ConvNd] = [first, second]
    else:
        ones = (1,) * len(kernel)
        layers = [
            _convolution(channels, 2 * channels, kernel, bias=True),
            _convolution(2 * channels, channels, ones, bias=True),
        ]
    for layer, weight in zip(layers, (spread, joined), strict=True):
        _centre(layer.to(dtype)).copy_(weight)
        if bias:
            _zero_bias(layer)
        else:
            layer.register_parameter("bias", None)
    return layers[0], layers[1]


@torch.no_grad()
def undo(norm: _BatchNorm, given: Tensor) -> None:
    """Set a batch norm so that in eval mode it gives back what it is given.

    In train mode it is only close: a batch has statistics of its own.

    Args:
        norm: with statistics, gain and bias.
        given: (N, C, ...) what it will be given.
    """
    others = [dim for dim in range(given.ndim) if dim != 1]
    exact = given.double()
    mean, variance = exact.mean(others), exact.var(others, correction=0)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    # The rounded statistics are those that will be used.
    norm.weight.copy_((norm.running_var.double() + norm.eps).sqrt())
    norm.bias.copy_(norm.running_mean)


def _convolution(into: int, out: int, kernel: Sequence[int], *, bias: bool) -> _ConvNd:
    padding = tuple(size // 2 for size in kernel)
    make = _CONVOLUTIONS[len(kernel)]
    return make(into, out, tuple(kernel), padding=padding, bias=bias)  # type: ignore[arg-type]


def _centre(layer: nn.Linear | _ConvNd) -> Tensor:
    """Give the weights at the centre of a kernel, and set all of them to zero."""
    centre = layer.weight.data.zero_()
    for size in layer.weight.shape[2:]:
        centre = centre.select(2, size // 2)
    return centre


def _zero_bias(layer: nn.Module) -> None:
    bias = getattr(layer, "bias", None)
    if bias is not None:
        bias.zero_()
