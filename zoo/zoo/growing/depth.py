"""Deeper networks: which layer each one is or copies, and what keeps a new one silent."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch

from zoo.types.growing import Stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor


def stacked(
    path: str,
    old: int,
    new: int,
    *,
    place: Literal["end", "between"] = "end",
    silent: Sequence[str] = (),
    norms: Sequence[str] = (),
    last_norm: str = "",
    why: str = "",
) -> Stack:
    """Describe a list of layers that becomes longer.

    Args:
        path: name of the list in the network.
        old: layers before.
        new: layers after.
        place: new ones come last, or evenly between the old ones; each copies the one before it.
        silent: what is zero in a new layer, see :class:`zoo.types.growing.Stack`.
        norms: what is plain in a new layer, see there.
        last_norm: what ends a layer of a post-norm network.
        why: why a new layer cannot keep the function.
    """
    if place == "end":
        source = [*range(old), *[old - 1] * (new - old)]
    else:
        source = [number * old // new for number in range(new)]
    first: set[int] = set()
    inserted = []
    for number in source:
        inserted.append(number in first)
        first.add(number)
    return Stack(
        path=path,
        source=tuple(source),
        inserted=tuple(inserted),
        silent=tuple(silent),
        norms=tuple(norms),
        last_norm=last_norm,
        why=why,
    )


def deepened_names(names: Iterable[str], stacks: Sequence[Stack]) -> list[str]:
    """Give the names of a deeper network's state from those of the smaller one's."""
    found: dict[str, None] = {}
    for name in names:
        for stack in stacks:
            match = re.match(re.escape(stack.path) + r"\.(\d+)\.(.+)", name)
            if match:
                copies = [i for i, old in enumerate(stack.source) if old == int(match[1])]
                found |= dict.fromkeys(f"{stack.path}.{layer}.{match[2]}" for layer in copies)
                break
        else:
            found[name] = None
    return list(found)


class Deepened:
    """The state of a smaller network under the names of a deeper one; nothing is copied yet.

    A new layer copies the one before it, and what would reach the stream is zero: the layer adds
    nothing, and learns from the first step on. In a post-norm network a layer ends in a norm,
    which is idempotent with gain 1 and bias 0: the norms before the last of a run of new layers
    are set so, and the last one takes over the gain and the bias.
    """

    def __init__(self, old: Mapping[str, Tensor], stacks: Sequence[Stack]) -> None:
        self._old, self._stacks = old, stacks

    def __getitem__(self, name: str) -> Tensor:
        """Give the smaller tensor that a tensor of the larger network begins with."""
        for stack in self._stacks:
            match = re.match(re.escape(stack.path) + r"\.(\d+)\.(.+)", name)
            if match:
                return self._of_layer(stack, int(match[1]), match[2])
        return self._old[name]

    def spoken(self, name: str) -> Tensor:
        """Give the same tensor, also where a new layer has zeros instead."""
        return Deepened(self._old, [replace(each, silent=()) for each in self._stacks])[name]

    def _of_layer(self, stack: Stack, layer: int, rest: str) -> Tensor:
        value = self._old[f"{stack.path}.{stack.source[layer]}.{rest}"]
        inserted = stack.inserted[layer]
        module, _, leaf = rest.rpartition(".")
        followed = layer + 1 < len(stack.inserted) and stack.inserted[layer + 1]
        plain = (inserted and module in stack.norms) or (
            bool(stack.last_norm) and module == stack.last_norm and followed
        )
        if plain:
            return torch.ones_like(value) if leaf == "weight" else torch.zeros_like(value)
        return torch.zeros_like(value) if inserted and _is_silent(stack, rest) else value


def fresh_part(name: str, stacks: Sequence[Stack]) -> tuple[Stack, str] | None:
    """Find the stack of a parameter whose layer is drawn anew, and its name within the layer."""
    for stack in stacks:
        match = re.match(re.escape(stack.path) + r"\.(\d+)\.(.+)", name) if stack.fresh else None
        if match and stack.fresh[int(match[1])]:
            return stack, match[2]
    return None


def begun(target: Tensor, stack: Stack, rest: str, generator: torch.Generator) -> Tensor:
    """Draw a parameter of a layer that the smaller network has none of (He et al., ICCV 2015).

    Args:
        target: a tensor of its shape.
        stack: of the layer.
        rest: its name within the layer.
        generator: of the numbers.
    """
    if _is_silent(stack, rest):
        return torch.zeros_like(target)
    if target.ndim < 2:
        ones = rest.endswith(("weight", "running_var"))
        return torch.ones_like(target) if ones else torch.zeros_like(target)
    spread = float((2 / target[0].numel()) ** 0.5)
    return torch.randn(target.shape, generator=generator) * spread


def _is_silent(stack: Stack, rest: str) -> bool:
    module, _, leaf = rest.rpartition(".")
    named = rest in stack.silent or module in stack.silent
    return named and leaf not in {"running_mean", "running_var", "num_batches_tracked"}
