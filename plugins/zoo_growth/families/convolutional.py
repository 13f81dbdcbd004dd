"""What convolutional networks have in common: widths of stages, blocks, sizes read off shapes.

A family says which axis every layer reads and writes; how large the axes are is read off the
shapes of the two networks, the larger of which is made without weights. So no rounding rule of a
library is told twice.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.depth import Deepened, deepened_names, fresh_part, stacked
from zoo.growing.sizes import check_size, deepened, factor_of, sized
from zoo.growing.tables import batch_norm, linear
from zoo.types.growing import (
    Axis,
    Blueprint,
    Deepen,
    Stack,
    Widen,
)
from zoo_growth.families.encoders import unlike

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor, nn

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Repetition, Rule

#: Channels of a layer are rounded to these where they are so already: hardware likes them.
_EVEN = 8
#: What gives the same when it is applied twice, so that a block that adds nothing changes nothing.
_IDEMPOTENT = ("relu", "relu6", "linear")


def refuse_parts(step: Widen, name: str, *, depth: bool = True) -> None:
    """Refuse sizes that only transformers have.

    Args:
        step: what a person asked for.
        name: of the architecture, with its article: ``a ResNet``.
        depth: it can become deeper.

    Raises:
        InputError: one of them is set.
    """
    for size in ("hidden", "heads", "kv_heads", "mlp"):
        if getattr(step, size):
            raise InputError(
                f"{name} has no size of its own called {size}: its channels grow together.",
                "Say --width 1.5x" + (", --depth +1, or both." if depth else "."),
            )


def widths(
    width: str | float, old: Sequence[int], *, multiples: Sequence[int] | None = None
) -> list[int]:
    """Turn a width into channels of every stage.

    Args:
        width: one size for every stage, or as many numbers as there are stages, with commas. One
            that is relative and gives no whole number is rounded to a multiple of 8 where the
            stage is one now.
        old: channels of every stage now.
        multiples: of which each stage must be one.

    Raises:
        InputError: it cannot be read, shrinks, is no multiple, or changes nothing.
    """
    text = width if isinstance(width, str) else f"{width}x"
    said = [each.strip() for each in text.split(",")]
    if len(said) not in {1, len(old)}:
        raise InputError(
            f"the width {text!r} names {len(said)} stages, and there are {len(old)} "
            f"({', '.join(map(str, old))}).",
            "Say one factor for all of them, such as 1.5x, or one number a stage.",
        )
    units = list(multiples or [1] * len(old))
    for stage, size in enumerate(old):
        if said[stage % len(said)].endswith(("x", "%")):
            times = size * factor_of(said[stage % len(said)]) / units[stage]
            if abs(times - round(times)) > 1e-9:
                units[stage] = math.lcm(units[stage], math.gcd(size, _EVEN))
    found = [
        sized(f"width of stage {stage + 1}", said[stage % len(said)], size, multiple=units[stage])
        for stage, size in enumerate(old)
    ]
    if found == list(old) and text.strip() not in {"1x", "1.0x", "+0%", "+0"}:
        nearest = min((size + unit) / size for size, unit in zip(old, units, strict=True))
        raise InputError(
            f"the width {text} makes no stage wider ({', '.join(map(str, old))}).",
            f"The nearest that does: {nearest:.4g}x",
        )
    return found


def grown_stages(
    config: Any,
    steps: Sequence[Widen | Deepen],
    name: str,
    *,
    multiples: Sequence[int] | None = None,
) -> Any:
    """Give the configuration of a larger network of stages.

    Args:
        config: with ``hidden_sizes`` and ``depths``, and ``embedding_size`` if the stem has a
            width of its own, which keeps its ratio to the first stage.
        steps: what a person asked for.
        name: of the architecture, with its article.
        multiples: of which each stage must be one.

    Raises:
        InputError: a size that cannot be, with the nearest that can.
    """
    larger = copy.deepcopy(config)
    for step in steps:
        if isinstance(step, Deepen):
            larger.depths = deepened("depth", step.depth, larger.depths)
            continue
        refuse_parts(step, name)
        if step.width:
            before = larger.hidden_sizes
            larger.hidden_sizes = widths(step.width, before, multiples=multiples)
            if hasattr(larger, "embedding_size"):
                ratio = larger.hidden_sizes[0] / before[0]
                larger.embedding_size = math.ceil(larger.embedding_size * ratio - 1e-9)
    return larger


def layer(
    path: str, out: str, into: str = "", *, each: bool = False, by: str = "normalization"
) -> dict[str, Rules]:
    """A convolution and its batch norm.

    Args:
        path: end of the name of the module that holds both.
        out: axis that they write.
        into: axis that they read; empty for the image.
        each: every channel is convolved by itself.
        by: name of the batch norm.
    """
    convolution = linear(out) if each else linear(out, into)
    return {f"{path}.convolution": convolution, f"{path}.{by}": batch_norm(out)}


def stage(
    path: str,
    old: int,
    new: int,
    *,
    place: Literal["end", "between"],
    silent: Sequence[str],
    why: str = "",
) -> Stack:
    """Describe a stage whose first block is unlike the others, as it changes width or resolution.

    A new block copies one of the others; where there is none, it is drawn anew.

    Args:
        path: name of the list of blocks.
        old: blocks before.
        new: blocks after.
        place: where the new ones go.
        silent: what is zero in a new block.
        why: why a new block cannot keep the function.

    Raises:
        InputError: there would be fewer.
    """
    check_size(f"number of blocks of {path}", new, old)
    made = stacked(path, old, new, place=place, silent=silent, why=why)
    source = tuple(
        min(1, old - 1) if added and not origin else origin
        for origin, added in zip(made.source, made.inserted, strict=True)
    )
    return replace(made, source=source, fresh=made.inserted if old == 1 else ())


def check_alike(
    old: Any, new: Any, sizes: Sequence[str], lists: Sequence[str], *, may: Sequence[str] = ()
) -> None:
    """Refuse a larger configuration that differs in more than sizes.

    Args:
        old: configuration.
        new: of the larger network.
        sizes: fields that may differ.
        lists: those of them that have one entry a stage.
        may: fields that follow from others, and may become less.

    Raises:
        InputError: what differs.
    """
    unlike(old, new, (*sizes, *lists), may=may)
    for field in lists:
        before, then = len(getattr(old, field)), len(getattr(new, field))
        if before != then:
            raise InputError(
                f"{field} would name {then} stages, and the network has {before}.",
                "Growing makes stages wider and deeper; it adds none.",
            )


def after(activation: Any) -> str:
    """Say why a block that adds nothing changes what passes it; empty where it does not."""
    if activation in _IDEMPOTENT:
        return ""
    return f"{activation} follows every block, and changes what passes it twice"


def imagined(network: WholeNetwork, config: Any) -> nn.Module:
    """Make the larger network without weights, for its shapes.

    Raises:
        InputError: there is no such network.
    """
    import torch

    try:
        with torch.device("meta"):
            made: nn.Module = type(network.module)(copy.deepcopy(config))
    except (ValueError, RuntimeError, IndexError, ZeroDivisionError) as error:
        raise InputError(
            f"no network can be made of the larger configuration: {error}",
            "Look at its sizes.",
        ) from error
    return made


def drawn_up(
    network: WholeNetwork,
    larger: nn.Module,
    table: Mapping[str, Rules],
    *,
    stacks: tuple[Stack, ...] = (),
    axes: Mapping[str, Axis] | None = None,
    whole: str = "",
    only_whole: Iterable[str] = (),
    features: str = "",
) -> Blueprint:
    """Make a blueprint of a table, and read the sizes of its axes off the shapes.

    Args:
        network: the smaller one.
        larger: the other one, without weights.
        table: end of a module's or parameter's name -> rules; layouts name axes as they are.
        stacks: that become deeper.
        axes: those that no dimension shows by itself.
        whole: why an axis can only be repeated as a whole, if one is.
        only_whole: names of those axes, or how they begin.
        features: axis of ``last_hidden_state`` and ``pooler_output``.

    Raises:
        InputError: the larger network is narrower somewhere, or is built otherwise.
    """
    before, shapes = Deepened(network.module.state_dict(), stacks), larger.state_dict()
    names = [name for name in shapes if not fresh_part(name, stacks)]
    expected = [
        name
        for name in deepened_names(network.module.state_dict(), stacks)
        if not fresh_part(name, stacks)
    ]
    unlike = sorted(set(names) ^ set(expected))
    if unlike:
        raise InputError(
            f"only one of the two networks has {unlike[0]}, so they are not built alike.",
            "Grow by --width and --depth, or name a configuration that differs in size alone.",
        )
    rules = by_ending(table, names)
    begins = tuple(only_whole)
    found = dict(axes or {})
    for name, rule in rules.items():
        for dim, does in enumerate(rule.dims):
            label = does.layout
            if label and label not in found and "*" not in label:
                held: Repetition = "whole" if label.startswith(begins) else "free"
                found[label] = Axis(
                    name=label,
                    old=before[name].shape[dim],
                    new=shapes[name].shape[dim],
                    repetition=held,
                    why=whole if held == "whole" else "",
                )
    used = {part for rule in rules.values() for dim in rule.dims for part in dim.layout.split("*")}
    found = {name: axis for name, axis in found.items() if name in used}
    for axis in found.values():
        check_size(f"width of {axis.name}", axis.new, axis.old)
    _check_together(rules, found, shapes)
    answers = dict.fromkeys(("last_hidden_state", "pooler_output"), (1, features))
    return Blueprint(axes=found, rules=rules, stacks=stacks, outputs=answers if features else {})


def _check_together(
    rules: Mapping[str, Rule], axes: Mapping[str, Axis], shapes: Mapping[str, Tensor]
) -> None:
    """Refuse layers that would not fit each other.

    Raises:
        InputError: which one does not.
    """
    for name, rule in rules.items():
        for dim, does in enumerate(rule.dims):
            axis = axes.get(does.layout)
            if axis is not None and shapes[name].shape[dim] != axis.new:
                raise InputError(
                    f"{name} would have {shapes[name].shape[dim]} channels where other layers "
                    f"have {axis.new}: the sizes of the larger configuration do not go together.",
                    "Let all of its widths grow alike, or say --width 1.5x in its place.",
                )


def by_ending(table: Mapping[str, Rules], names: Iterable[str]) -> dict[str, Rule]:
    """Find the rule of every parameter by the longest ending of its name, or of its module's."""
    found = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        for whole, key in ((module, leaf), (name, "")):
            parts = whole.split(".")
            endings = (".".join(parts[start:]) for start in range(len(parts)))
            rules = next((table[each] for each in endings if each in table), {})
            if key in rules:
                found[name] = rules[key]
                break
    return found
