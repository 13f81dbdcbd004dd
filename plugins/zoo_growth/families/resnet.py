"""ResNet, of basic and of bottleneck blocks: batch norms alone, so that any width is exact.

He et al., CVPR 2016 (arXiv 1512.03385).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.tables import linear
from zoo_growth.families.convolutional import (
    after,
    check_alike,
    drawn_up,
    grown_stages,
    imagined,
    layer,
    stage,
)
from zoo_growth.families.encoders import list_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Blueprint, Deepen, Stack, Widen

STEMS, LISTS = ("embedding_size",), ("hidden_sizes", "depths")
STEM = "stem"


class ResNet:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        return grown_stages(config, steps, "a ResNet")

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        check_alike(network.config, config, STEMS, LISTS)
        axes = streams(network, config)
        convolutions = 3 if config.layer_type == "bottleneck" else 2
        table = stem_and_head(axes)
        for number, into in enumerate([STEM, *axes[:-1]]):
            for block in range(config.depths[number]):
                path = f"stages.{number}.layers.{block}"
                reads = axes[number] if block else into
                table |= _block(path, axes[number], reads, convolutions)
        silent = f"layer.{convolutions - 1}.normalization"
        stacks = stages(network, config, place=place, silent=silent)
        return drawn_up(network, imagined(network, config), table, stacks=stacks, features=axes[-1])


def _block(path: str, out: str, into: str, convolutions: int) -> dict[str, Rules]:
    """Convolutions from the stream to the stream, and a projection where there is one."""
    table = layer(f"{path}.shortcut", out, into)
    number = path.removeprefix("stages.").replace(".layers", "")
    for step in range(convolutions):
        last = step == convolutions - 1
        inner = out if last else f"inner {number}.{step}"
        table |= layer(f"{path}.layer.{step}", inner, into)
        into = inner
    return table


def stem_and_head(axes: Sequence[str]) -> dict[str, Rules]:
    """What comes before the stages and after them."""
    return layer("embedder.embedder", STEM) | {"classifier.1": linear("", axes[-1])}


def streams(network: WholeNetwork, config: Any) -> list[str]:
    """Name the axis of every stage; where the first one adds the stem to itself, it is the same.

    Raises:
        InputError: it does in one of the two networks alone.
    """
    old = network.config
    if _added(old) != _added(config):
        sizes = f"{config.embedding_size} and {config.hidden_sizes[0]}"
        raise InputError(
            f"the first stage adds what the stem gives where both are as wide: with "
            f"{old.embedding_size} and {old.hidden_sizes[0]} channels it "
            f"{'does' if _added(old) else 'does not'}, with {sizes} it "
            f"{'would' if _added(config) else 'would not'}.",
            "Let embedding_size grow as hidden_sizes does, in the same ratio: --width 2x",
        )
    first = STEM if _added(old) else "stage 1"
    return [first, *(f"stage {number + 1}" for number in range(1, len(old.hidden_sizes)))]


def _added(config: Any) -> bool:
    same: bool = config.embedding_size == config.hidden_sizes[0]
    return same and not config.downsample_in_first_stage


def stages(
    network: WholeNetwork, config: Any, *, place: Literal["end", "between"], silent: str
) -> tuple[Stack, ...]:
    """Describe all stages; nothing but the last batch norm of a new block is silent."""
    path, why = list_path(network.module, "stages"), after(config.hidden_act)
    return tuple(
        stage(f"{path}.{number}.layers", old, new, place=place, silent=(silent,), why=why)
        for number, (old, new) in enumerate(zip(network.config.depths, config.depths, strict=True))
    )
