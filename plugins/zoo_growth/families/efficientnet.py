"""EfficientNet: inverted residuals with squeeze and excitation, in stages of one flat list.

Tan and Le, ICML 2019 (arXiv 1905.11946). Widths follow one coefficient and are rounded by the
network itself; the first block of a stage adds nothing to its input, every other one does.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.sizes import deepened, factor_of
from zoo.growing.tables import batch_norm, depthwise, linear
from zoo.types.growing import Deepen, Stack
from zoo_growth.families.convolutional import (
    check_alike,
    drawn_up,
    imagined,
    refuse_parts,
    stage,
)
from zoo_growth.families.encoders import list_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Blueprint, Widen

_SIZES = ("width_coefficient", "hidden_dim", "depth_divisor", "squeeze_expansion_ratio")
_LISTS = ("in_channels", "out_channels", "expand_ratios", "num_block_repeats")
_DEPTHS = ("depth_coefficient", "num_hidden_layers", "depthwise_padding")
#: Channels after the last convolution, before the coefficient.
_LAST = 1280


class EfficientNet:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        from transformers.models.efficientnet.modeling_efficientnet import round_filters

        larger = copy.deepcopy(config)
        for step in steps:
            if isinstance(step, Deepen):
                _deepen(larger, step)
                continue
            refuse_parts(step, "an EfficientNet")
            if step.width:
                larger.width_coefficient *= factor_of(step.width)
                larger.hidden_dim = round_filters(larger, _LAST)
        return larger

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old = network.config
        check_alike(old, config, _SIZES, _LISTS, may=_DEPTHS)
        stack = _stack(list_path(network.module, "blocks"), _repeats(old), _repeats(config), place)
        _check_padding(old, config, stack)
        table = _table(config)
        return drawn_up(network, imagined(network, config), table, stacks=(stack,), features="last")


def _table(config: Any) -> dict[str, Rules]:
    """All layers, block by block."""
    table: dict[str, Rules] = {
        "embeddings.convolution": linear("stem"),
        "embeddings.batchnorm": batch_norm("stem"),
        "top_bn": batch_norm("last"),
        "classifier": linear("", "last"),
    }
    axis, block = "stem", 0
    for number, repeats in enumerate(_repeats(config)):
        into, axis = axis, f"stage {number + 1}"
        for repeat in range(repeats):
            wide = config.expand_ratios[number] != 1
            table |= _block(block, axis, axis if repeat else into, wide=wide)
            block += 1
    return table | {"top_conv": linear("last", axis)}


def _block(number: int, out: str, into: str, *, wide: bool) -> dict[str, Rules]:
    """Expansion where there is one, depthwise convolution, gate, projection."""
    path, inner = f"blocks.{number}", f"expanded {number}" if wide else into
    squeezed = f"squeezed {number}"
    return {
        f"{path}.expansion.expand_conv": linear(inner, into),
        f"{path}.expansion.expand_bn": batch_norm(inner),
        f"{path}.depthwise_conv.depthwise_conv": depthwise(inner),
        f"{path}.depthwise_conv.depthwise_norm": batch_norm(inner),
        f"{path}.squeeze_excite.reduce": linear(squeezed, inner),
        f"{path}.squeeze_excite.expand": linear(inner, squeezed),
        f"{path}.projection.project_conv": linear(out, inner),
        f"{path}.projection.project_bn": batch_norm(out),
    }


def _repeats(config: Any) -> list[int]:
    """Blocks of every stage."""
    return [math.ceil(config.depth_coefficient * each) for each in config.num_block_repeats]


def _deepen(config: Any, step: Deepen) -> None:
    """Say the blocks of every stage one by one; paddings go with the blocks that have them."""
    old = _repeats(config)
    new = deepened("depth", step.depth, old)
    stack = _stack("blocks", old, new, step.place)
    homes = [place for place, added in enumerate(stack.inserted) if not added]
    more = len(stack.source) - len(homes)
    config.depthwise_padding = [
        homes[each] if each < len(homes) else each + more for each in config.depthwise_padding
    ]
    config.depth_coefficient, config.num_block_repeats = 1.0, new
    config.num_hidden_layers = 4 * sum(new)  # as the class of the configuration counts them


def _stack(
    path: str, old: Sequence[int], new: Sequence[int], place: Literal["end", "between"]
) -> Stack:
    """One list of the blocks of all stages."""
    source: list[int] = []
    inserted: list[bool] = []
    fresh: list[bool] = []
    start, silent = 0, ("projection.project_bn",)
    for before, after in zip(old, new, strict=True):
        part = stage(path, before, after, place=place, silent=silent)
        source += [start + each for each in part.source]
        inserted += part.inserted
        fresh += part.fresh or [False] * after
        start += before
    return Stack(
        path=path,
        source=tuple(source),
        inserted=tuple(inserted),
        silent=silent,
        fresh=tuple(fresh),
    )


def _check_padding(old: Any, new: Any, stack: Stack) -> None:
    """Refuse a block that pads its input in another way than before.

    Raises:
        InputError: one does.
    """
    for place, (origin, added) in enumerate(zip(stack.source, stack.inserted, strict=True)):
        before, after = origin in old.depthwise_padding, place in new.depthwise_padding
        if not added and before != after:
            raise InputError(
                f"block {place} is block {origin} of the smaller network and would pad its input "
                "in another way.",
                "depthwise_padding numbers the blocks: let its numbers grow with them.",
            )
