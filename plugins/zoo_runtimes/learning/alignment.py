"""Layers in the form in which networks are compared: maps, or one vector a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from zoo.types.training import FeatureShape
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch

    from zoo_runtimes.loading import Network
    from zoo_runtimes.taps import Point

_NO_LAYERS = frozenset({"head_input", "logits", "projection"})


@dataclass(frozen=True)
class Alignment(Pooling):
    """A pooling that keeps space: (B, C, H, W) for maps and square grids of tokens, else (B, D).

    Maps are contiguous, whatever the layout that the network computes in.

    Attributes:
        copies: whether the network overwrites the layer in place once it was read.
    """

    copies: bool = False

    def __call__(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Align (B, ...) values; the result may share their memory unless ``copies``."""
        aligned = self._aligned(values, mask).float()
        return aligned.clone() if self.copies else aligned

    def _aligned(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        if self.kind == "spatial":
            return values.contiguous()
        if self.kind == "spatial_last":
            return values.permute(0, 3, 1, 2).contiguous()
        if self.kind == "tokens":
            kept = values[:, self.special :].transpose(1, 2)
            side = math.isqrt(kept.shape[2])
            if side**2 == kept.shape[2]:
                return kept.reshape(*kept.shape[:2], side, side).contiguous()
        return super().__call__(values, mask)


@dataclass(frozen=True)
class _Stamped(Alignment):
    """Notes the versions of what it gave: in-place operations count them up."""

    versions: list[int] = field(default_factory=list)

    def __call__(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        aligned = super().__call__(values, mask)
        self.versions.append(aligned._version)  # noqa: SLF001
        return aligned


def layers_among(points: Iterable[Point]) -> list[Point]:
    """Those that are layers of the body, once each."""
    return [
        point
        for point in points
        if point.tap.name not in _NO_LAYERS and not point.tap.name.endswith(".cls")
    ]


def align(
    network: Network, points: Sequence[Point], inputs: Mapping[str, torch.Tensor]
) -> tuple[list[Point], list[FeatureShape]]:
    """Let points give aligned layers, and say what they look like, with one forward pass.

    Args:
        network: in eval mode; it and the inputs may lie on the meta device.
        points: layers.
        inputs: a few samples, outside of inference mode, whose tensors have no versions.
    """
    stamped = [
        replace(point, pooling=_Stamped(point.pooling.kind, point.pooling.special))
        for point in points
    ]
    reader = Reader(network, stamped)
    try:
        found = reader(inputs, inputs.get("attention_mask"))
    finally:
        reader.close()
    aligned = [_settled(point, found[point.tap.name]) for point in stamped]
    return aligned, [_shape(name, values) for name, values in found.items()]


def _settled(point: Point, values: torch.Tensor) -> Point:
    stamp = point.pooling
    overwritten = isinstance(stamp, _Stamped) and stamp.versions[-1] != values._version  # noqa: SLF001
    return replace(point, pooling=Alignment(stamp.kind, stamp.special, overwritten))


def _shape(name: str, values: torch.Tensor) -> FeatureShape:
    grid = (values.shape[2], values.shape[3]) if values.ndim == 4 else None
    return FeatureShape(tap=name, width=values.shape[1], grid=grid)
