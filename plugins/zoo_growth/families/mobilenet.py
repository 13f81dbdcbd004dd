"""MobileNet V1 and V2: one multiplier for every width, rounded by the network itself.

Howard et al., 2017 (arXiv 1704.04861); Sandler et al., CVPR 2018 (arXiv 1801.04381). A depthwise
convolution neither mixes nor changes its channels; an inverted residual adds its input where the
widths agree, and has the axis of its input then.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.sizes import factor_of
from zoo.growing.tables import linear
from zoo.types.growing import Deepen
from zoo_growth.families.convolutional import drawn_up, imagined, layer, refuse_parts
from zoo_growth.families.encoders import list_path, unlike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Blueprint, Widen

#: What else decides about widths: they are read off the network that the fields make.
_WIDTHS = ("depth_multiplier", "min_depth", "depth_divisible_by", "expand_ratio")


class MobileNet:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        larger = copy.deepcopy(config)
        for step in steps:
            if isinstance(step, Deepen):
                raise InputError(
                    "a MobileNet has as many layers as its paper says, and no field for more.",
                    "Grow its width alone: --width 1.5x",
                )
            refuse_parts(step, "a MobileNet", depth=False)
            if step.width:
                larger.depth_multiplier *= factor_of(step.width)
        return larger

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        del place
        unlike(network.config, config, _WIDTHS)
        larger = imagined(network, config)
        if config.model_type == "mobilenet_v1":
            table, last = _first(len(_layers(larger)))
        else:
            adding = _adding(network.module, larger)
            table, last = _second(adding, expanded=not config.first_layer_is_expansion)
        table |= {"classifier": linear("", last)}
        return drawn_up(network, larger, table, features=last)


def _first(layers: int) -> tuple[dict[str, Rules], str]:
    """Depthwise and pointwise convolutions by turns."""
    table, axis = layer("conv_stem", "stem"), "stem"
    for number in range(layers):
        into, axis = axis, f"layer {number}" if number % 2 else axis
        table |= layer(f"layer.{number}", axis, into, each=number % 2 == 0)
    return table, axis


def _second(adding: Sequence[bool], *, expanded: bool) -> tuple[dict[str, Rules], str]:
    """Inverted residuals: what they expand to is free, what they reduce to may be added to.

    Args:
        adding: whether each block adds its input.
        expanded: the stem expands in a layer of its own.
    """
    table, inner = layer("conv_stem.first_conv", "stem"), "stem"
    if expanded:
        inner = "stem expanded"
        table |= layer("conv_stem.expand_1x1", inner, "stem")
    axis = "reduced"
    table |= layer("conv_stem.conv_3x3", inner, each=True)
    table |= layer("conv_stem.reduce_1x1", axis, inner)
    for number, adds in enumerate(adding):
        into, inner, axis = axis, f"expanded {number}", axis if adds else f"layer {number}"
        table |= layer(f"layer.{number}.expand_1x1", inner, into)
        table |= layer(f"layer.{number}.conv_3x3", inner, each=True)
        table |= layer(f"layer.{number}.reduce_1x1", axis, inner)
    for head in ("conv_pool", "conv_aspp"):  # DeepLabV3, whose own width is fixed
        table[f"segmentation_head.{head}.convolution"] = linear("", axis)
    return table | layer("conv_1x1", "last", axis), "last"


def _adding(old: nn.Module, new: nn.Module) -> list[bool]:
    """Say of every block whether it adds its input, which must be so in both networks.

    Raises:
        InputError: two widths are the same in one of them alone, by rounding.
    """
    added = [[bool(block.use_residual) for block in _layers(each)] for each in (old, new)]
    for number, (before, after) in enumerate(zip(*added, strict=True)):
        if before != after:
            raise InputError(
                f"layer {number} adds its input to its output "
                f"{'no longer' if before else 'only'} in the larger network: two widths are "
                "rounded to the same in one of the two alone.",
                "Name another factor, or train the other network: zoo distill --help",
            )
    return added[0]


def _layers(module: nn.Module) -> list[Any]:
    """Its layers between the stem and the head."""
    found: Any = module.get_submodule(list_path(module, "layer"))
    return list(found)
