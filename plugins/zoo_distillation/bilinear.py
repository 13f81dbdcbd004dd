"""Compact bilinear features: the products of two networks' features, sketched.

Gao et al., "Compact Bilinear Pooling", CVPR 2016, arXiv 1511.06062 (tensor sketch): the sketch of
an outer product is the circular convolution of two count sketches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


class CountSketch(nn.Module):
    """Sum features with random signs into random buckets, drawn once.

    Args:
        width: D_in of the features.
        size: D buckets.
    """

    buckets: Tensor
    signs: Tensor

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("buckets", torch.randint(size, (width,)))
        self.register_buffer("signs", 2.0 * torch.randint(2, (width,)) - 1.0)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D_in) -> (B, D)."""
        return count_sketch(features, self.buckets, self.signs, self.size)


class PairSketches(nn.Module):
    """Compact bilinear features of every two of several networks.

    Args:
        widths: D_i of the networks, two at least.
        size: D of the sketches.
    """

    def __init__(self, widths: Sequence[int], size: int) -> None:
        super().__init__()
        self.size = size
        # A network is sketched once in either role, whatever the number of its partners.
        self.firsts = nn.ModuleList(CountSketch(each, size) for each in widths[:-1])
        self.seconds = nn.ModuleList(CountSketch(each, size) for each in widths[1:])
        self.pairs = pairs_of(len(widths))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Give the pairs m < n in order: (B, D_i) each -> (pairs, B, D), rows of unit length."""
        firsts = [_spectrum(made(each)) for made, each in zip(self.firsts, features, strict=False)]
        seconds = [
            _spectrum(made(each)) for made, each in zip(self.seconds, features[1:], strict=True)
        ]
        products = torch.stack([firsts[one] * seconds[other - 1] for one, other in self.pairs])
        return normalised(torch.fft.irfft(products, n=self.size))


def pairs_of(count: int) -> tuple[tuple[int, int], ...]:
    """List the pairs m < n of so many networks."""
    return tuple((one, other) for other in range(count) for one in range(other))


def count_sketch(features: Tensor, buckets: Tensor, signs: Tensor, size: int) -> Tensor:
    """Sketch features: psi_j = sum of s_i x_i over the i whose bucket is j.

    Args:
        features: (B, D_in).
        buckets: (D_in,) int64 in [0, size).
        signs: (D_in,) of -1 or 1.
        size: D.

    Returns:
        (B, D).
    """
    signed = features * signs.to(features.dtype)
    return signed.new_zeros(len(features), size).index_add(1, buckets, signed)


def compact_bilinear(first: Tensor, second: Tensor) -> Tensor:
    """Convolve two sketches circularly: (..., D) and (..., D) -> (..., D)."""
    pooled: Tensor = torch.fft.irfft(_spectrum(first) * _spectrum(second), n=first.shape[-1])
    return pooled


def normalised(pooled: Tensor) -> Tensor:
    """Take signed square roots, then unit length over the last dimension."""
    return functional.normalize(pooled.sign() * pooled.abs().sqrt(), dim=-1)


def _spectrum(sketch: Tensor) -> Tensor:
    found: Tensor = torch.fft.rfft(sketch)
    return found
