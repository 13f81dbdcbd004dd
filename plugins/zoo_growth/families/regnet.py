"""RegNet X and Y: ResNet's blocks with grouped convolutions, and squeeze and excitation in Y.

Radosavovic et al., "Designing Network Design Spaces", CVPR 2020 (arXiv 2003.13678). A grouped
convolution never mixes its groups: whole groups are copied where their number grows, and channels
within each group where their width does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.sizes import check_size
from zoo.growing.tables import batch_norm, linear
from zoo.types.growing import Axis
from zoo_growth.families.convolutional import check_alike, drawn_up, grown_stages, imagined, layer
from zoo_growth.families.resnet import LISTS, STEM, STEMS, stages, stem_and_head, streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Blueprint, Deepen, Widen


class RegNet:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration."""
        group = config.groups_width
        multiples = [group if size % group == 0 else 1 for size in config.hidden_sizes]
        larger = grown_stages(config, steps, "a RegNet", multiples=multiples)
        _check_groups(config, larger)
        return larger

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        check_alike(network.config, config, STEMS, LISTS)
        _check_groups(network.config, config)
        streamed = streams(network, config)
        excited = config.layer_type == "y"
        table, axes = stem_and_head(streamed), dict[str, Axis]()
        for number, into in enumerate([STEM, *streamed[:-1]]):
            old, new = (_groups(each, number) for each in (network.config, config))
            for block in range(config.depths[number]):
                name = f"{number}.{block}"
                reads = streamed[number] if block else into
                table |= _block(name, streamed[number], reads, excited=excited)
                for axis, before, after in zip(
                    ("groups", "before", "after"), old, new, strict=True
                ):
                    label = f"{axis} {name}"
                    axes[label] = Axis(name=label, old=before, new=after)
        silent = f"layer.{3 if excited else 2}.normalization"
        stacks = stages(network, config, place=place, silent=silent)
        larger = imagined(network, config)
        return drawn_up(network, larger, table, stacks=stacks, axes=axes, features=streamed[-1])


def _block(name: str, out: str, into: str, *, excited: bool) -> dict[str, Rules]:
    number, block = name.split(".")
    path = f"stages.{number}.layers.{block}"
    before, after = (f"groups {name}*{each} {name}" for each in ("before", "after"))
    table = layer(f"{path}.shortcut", out, into) | layer(f"{path}.layer.0", before, into)
    table |= {
        f"{path}.layer.1.convolution": linear(after, f"before {name}"),
        f"{path}.layer.1.normalization": batch_norm(after),
    }
    if excited:
        table |= {
            f"{path}.layer.2.attention.0": linear(f"squeezed {name}", after),
            f"{path}.layer.2.attention.2": linear(after, f"squeezed {name}"),
        }
    return table | layer(f"{path}.layer.{3 if excited else 2}", out, after)


def _groups(config: Any, stage: int) -> tuple[int, int, int]:
    """Groups of a stage, and the channels in each before and after the grouped convolution."""
    width = config.hidden_sizes[stage]
    groups = max(1, width // config.groups_width)
    return groups, width // groups, width // groups


def _check_groups(old: Any, new: Any) -> None:
    """Refuse widths that are no whole groups.

    Raises:
        InputError: with the nearest that are.
    """
    unit = new.groups_width
    for stage, width in enumerate(new.hidden_sizes):
        what = f"width of stage {stage + 1}"
        if width % max(1, width // unit):
            check_size(what, width, old.hidden_sizes[stage], multiple=unit)
        (before, inside, _), (after, wide, _) = _groups(old, stage), _groups(new, stage)
        if after < before or wide < inside:
            raise InputError(
                f"the {what} {width} is {after} groups of {wide} channels, and the stage has "
                f"{before} of {inside} now; neither can shrink.",
                f"The nearest: {_nearest(before, inside, unit, width)}",
            )


def _nearest(groups: int, inside: int, unit: int, wanted: int) -> str:
    """Widths near a wanted one that have at least so many groups of at least so many channels."""
    fits = [
        width
        for width in range(groups * inside, 2 * wanted + 2 * unit)
        if width % max(1, width // unit) == 0
        and max(1, width // unit) >= groups
        and width // max(1, width // unit) >= inside
    ]
    return " or ".join(map(str, sorted(sorted(fits, key=lambda each: abs(each - wanted))[:2])))
