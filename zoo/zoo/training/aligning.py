"""Features of different networks in the form in which they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812 -- its usual name

from zoo.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.types.training import FeatureShape


def align(values: Tensor, shape: FeatureShape) -> Tensor:
    """Pool (B, C, H, W) or (B, D) to a shape: adaptive average on a grid, the mean for a vector.

    Returns:
        (B, C, *grid) or (B, C), contiguous float32; gradients flow through.

    Raises:
        PluginError: the network gave something else than its layers announced.
    """
    values = values.float()
    if values.ndim not in {2, 4} or values.shape[1] != shape.width:
        found = " x ".join(map(str, values.shape[1:]))
        raise PluginError(
            f"layer {shape.tap!r} gave {found} numbers a sample where {shape.width} channels were "
            "announced"
        )
    if shape.grid is None:
        return (values if values.ndim == 2 else values.mean((2, 3))).contiguous()
    if values.ndim == 2:
        raise PluginError(f"layer {shape.tap!r} gave one vector a sample where a map was announced")
    if values.shape[2:] != shape.grid:
        values = F.adaptive_avg_pool2d(values, shape.grid)
    return values.contiguous()
