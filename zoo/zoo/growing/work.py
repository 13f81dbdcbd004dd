"""From a network to a larger one: configuration, blueprint, maps, weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import CheckpointError
from zoo.types.growers import Amends, Growth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types.growers import Family, Grower, Learns, WholeNetwork
    from zoo.types.growing import AxisMap, Blueprint


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """What a growth will be, before any weight is read.

    Attributes:
        config: of the larger network, epsilons included.
        blueprint: how the two belong together.
        maps: axis -> how it is repeated.
        reasons: why the function is not kept, one half sentence each; empty where it is.
    """

    config: Any
    blueprint: Blueprint
    maps: Mapping[str, AxisMap]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Grown:
    """A larger network, its weights set.

    Attributes:
        network: it.
        drawing: how it came about.
        notes: what the grower said, one sentence each.
    """

    network: WholeNetwork
    drawing: Drawing
    notes: tuple[str, ...] = field(default=())


def draw(
    network: WholeNetwork,
    family: Family,
    grower: Grower,
    config: Any,
    *,
    seed: int = 0,
    place: Literal["end", "between"] = "end",
) -> Drawing:
    """Settle how a network becomes one of another configuration.

    Args:
        network: the smaller one; it may have no weights.
        family: of both.
        grower: sets the weights.
        config: of the larger one.
        seed: of everything that is drawn.
        place: where new layers go.

    Raises:
        InputError: the larger configuration is not larger, or is another architecture.
    """
    blueprint = family.blueprint(network, config, place=place)
    if isinstance(grower, Amends):
        blueprint = grower.amend(blueprint, network)
    maps = dict(grower.choose(blueprint, seed))
    missing = sorted(set(blueprint.axes) - set(maps))
    if missing:
        raise CheckpointError(f"{type(grower).__name__} chose nothing for the axis {missing[0]!r}.")
    notes = []
    for name, axis in blueprint.epsilon:
        before, said = getattr(network.config, name), getattr(config, name)
        epsilon = before * maps[axis].scale ** 2
        if said not in {before, epsilon}:
            notes.append(f"{name} becomes {epsilon:g}, not {said:g}: the function hangs on it.")
        setattr(config, name, epsilon)
    blueprint = replace(blueprint, notes=(*blueprint.notes, *notes))
    adapted = {axis for _, axis in blueprint.epsilon}
    for name, found in blueprint.axes.items():
        if found.repetition in {"average", "zero"} and name not in adapted:
            maps[name] = replace(maps[name], volume=1 / maps[name].scale)
    reasons = [
        f"{axis.name}: {maps[name].reason}"
        for name, axis in blueprint.axes.items()
        if maps[name].reason
    ]
    reasons += [f"{each.path}: {each.why}" for each in blueprint.stacks if each.why and each.added]
    return Drawing(config=config, blueprint=blueprint, maps=maps, reasons=tuple(reasons))


def carry_out(
    network: WholeNetwork,
    drawing: Drawing,
    grower: Grower,
    *,
    seed: int = 0,
    learn: Learns | None = None,
) -> Grown:
    """Make the larger network and set its weights.

    Args:
        network: the smaller one, with weights.
        drawing: see :func:`draw`.
        grower: that chose the maps.
        seed: the same.
        learn: see :class:`zoo.types.growers.Growth`.

    Raises:
        CheckpointError: a rule does not fit; there is no network then.
    """
    larger = network.enlarged(drawing.config)
    notes = grower.fill(
        Growth(
            old=network,
            new=larger,
            blueprint=drawing.blueprint,
            maps=drawing.maps,
            seed=seed,
            learn=learn,
        )
    )
    return Grown(network=larger, drawing=drawing, notes=tuple(notes))
