"""One vector a sample from whatever shape a layer gives; in float32, or float64 where that is."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Literal

import torch

_MOST_SPECIAL_TOKENS = 16

Kind = Literal["vector", "spatial", "spatial_last", "tokens", "cls", "masked", "masked_max", "last"]


@dataclass(frozen=True, slots=True)
class Pooling:
    """How one layer's output becomes (B, D).

    Attributes:
        kind: ``vector`` takes (B, D) as it is; ``spatial`` averages (B, C, H, W) and
            ``spatial_last`` (B, H, W, C) over space; ``tokens`` averages (B, T, D) without the
            special tokens; ``cls`` takes the first token; ``masked``, ``masked_max`` and ``last``
            take the mean, the maximum and the last of the tokens under the attention mask.
        special: leading special tokens that ``tokens`` leaves out.
    """

    kind: Kind
    special: int = 0

    def __call__(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Pool (B, ...) values; ``mask`` is (B, T) for texts."""
        values = values if values.dtype == torch.float64 else values.float()
        if self.kind == "vector":
            return values
        if self.kind == "spatial":
            return values.mean(dim=(2, 3))
        if self.kind == "spatial_last":
            return values.mean(dim=(1, 2))
        if self.kind == "cls":
            return values[:, 0]
        if self.kind == "tokens":
            return values[:, self.special :].mean(dim=1)
        return _under_mask(self.kind, values, mask)


def _under_mask(kind: Kind, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if mask is None:
        raise ValueError("texts are pooled under their attention mask")
    if kind == "last":
        ends = mask.sum(dim=1).long() - 1
        rows = torch.arange(values.shape[0], device=values.device)  # len() would fix the batch
        return values[rows, ends]
    kept = mask.to(values.dtype)
    if kind == "masked_max":
        return values.masked_fill(kept.unsqueeze(-1) == 0, -math.inf).amax(dim=1)
    # A product instead of a weighted copy of all the tokens.
    with _full_products(values.device.type):
        total = torch.bmm(kept.unsqueeze(1), values).squeeze(1)
    return total / kept.sum(dim=1, keepdim=True)


def _full_products(kind: str) -> contextlib.AbstractContextManager[object]:
    """Leave autocast, which would shorten the numbers of a product; means keep theirs."""
    if kind != "meta" and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return contextlib.nullcontext()


def image_pooling(shape: tuple[int, ...], grid: int | None) -> Pooling | None:
    """The rule for an image layer; ``grid`` is the number of patches, where it is known.

    Special tokens (class, distillation, registers) lead: they are what is left over once the
    patches are taken off, or, where a network merges patches, what is left over a square.
    """
    if len(shape) == 2:
        return Pooling("vector")
    if len(shape) == 4:
        return Pooling("spatial_last" if shape[1] == shape[2] != shape[3] else "spatial")
    if len(shape) != 3:
        return None
    tokens = shape[1]
    if grid is not None and 0 <= tokens - grid <= _MOST_SPECIAL_TOKENS:
        return Pooling("tokens", tokens - grid)
    for special in range(min(tokens, _MOST_SPECIAL_TOKENS + 1)):
        if math.isqrt(tokens - special) ** 2 == tokens - special:
            return Pooling("tokens", special)
    return Pooling("tokens")


def text_pooling(shape: tuple[int, ...], tokens: int) -> Pooling | None:
    """The rule for a text layer; None where its length is not the input's."""
    if len(shape) == 2:
        return Pooling("vector")
    return Pooling("masked") if len(shape) == 3 and shape[1] == tokens else None


def audio_pooling(shape: tuple[int, ...], grid: int | None) -> Pooling | None:
    """The rule for an audio layer: the mean over time, without the special tokens that lead.

    ``grid`` is the number of patches that a spectrogram is cut into, where it is known.
    """
    if len(shape) == 2:
        return Pooling("vector")
    if len(shape) != 3:
        return None
    special = shape[1] - grid if grid is not None else 0
    return Pooling("tokens", special if 0 <= special <= _MOST_SPECIAL_TOKENS else 0)


def sample_shape(
    shape: tuple[int, ...], pooling: Pooling, *, varying: bool
) -> tuple[int | None, ...]:
    """Shape of one sample of (B, ...) values: None where it varies with the input."""
    places = {"vector": (), "spatial": (1, 2), "spatial_last": (0, 1)}.get(pooling.kind, (0,))
    known = shape[1:]
    moving = places if varying and len(known) > 1 else ()
    return tuple(None if place in moving else size for place, size in enumerate(known))
