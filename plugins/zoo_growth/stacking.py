"""Stacking: deeper by layers that repeat old ones and are not silent.

Gong et al., "Efficient Training of BERT by Progressively Stacking" (StackBERT), ICML 2019: layer l
of the larger network is layer l mod L of the smaller one. Interlacing, l // 2 there, is the other
order that is in use: Chang et al., "Multi-level Residual Networks from Dynamical Systems View",
ICLR 2018; here l L // N, for any depth N. Neither keeps the function. Width grows as in Net2Net.

The layers of a stage need not have one form: the first block of a ResNet's stage has a shortcut of
its own. Those of one form are stacked among themselves.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from zoo_growth.net2net import Net2Net

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Blueprint, Stack

    #: (number among N new layers, N, number of old layers) -> number of an old layer.
    Order = Callable[[int, int, int], int]

WHY = "new layers repeat others, and are not silent"


class Stacking(Net2Net):
    """Implements :class:`zoo.types.growers.Grower`: the layers once more, on top.

    Args:
        noise: as in Net2Net.
        symmetric: as in Net2Net.
    """

    def amend(self, blueprint: Blueprint, network: WholeNetwork) -> Blueprint:
        """Repeat all layers, one after another."""
        return restacked(blueprint, network, stacking)


class Interpolation(Net2Net):
    """Implements :class:`zoo.types.growers.Grower`: every layer several times in a row.

    Args:
        noise: as in Net2Net.
        symmetric: as in Net2Net.
    """

    def amend(self, blueprint: Blueprint, network: WholeNetwork) -> Blueprint:
        """Repeat each layer beside itself."""
        return restacked(blueprint, network, interpolation)


def stacking(number: int, new: int, old: int) -> int:
    """Layer l is layer l mod L."""
    del new
    return number % old


def interpolation(number: int, new: int, old: int) -> int:
    """Layer l is layer l L // N: l // k where N = k L."""
    return number * old // new


def restacked(blueprint: Blueprint, network: WholeNetwork, order: Order) -> Blueprint:
    """Let new layers repeat others; none of them is silent."""
    state = network.module.state_dict()
    stacks = tuple(
        _restacked(each, forms_of(each, state), order)
        if each.added and not any(each.fresh)
        else each
        for each in blueprint.stacks
    )
    return replace(blueprint, stacks=stacks)


def forms_of(stack: Stack, state: Mapping[str, Tensor]) -> dict[int, object]:
    """Tell which layers have the same parameters, in the same shapes."""
    found: dict[int, set[tuple[str, tuple[int, ...]]]] = defaultdict(set)
    for name, value in state.items():
        match = re.match(re.escape(stack.path) + r"\.(\d+)\.(.+)", name)
        if match:
            found[int(match[1])].add((match[2], tuple(value.shape)))
    return {layer: frozenset(parameters) for layer, parameters in found.items()}


def _restacked(stack: Stack, forms: Mapping[int, object], order: Order) -> Stack:
    old, new = defaultdict(list), defaultdict(list)
    for layer in sorted(forms):
        old[forms[layer]].append(layer)
    for layer, source in enumerate(stack.source):
        new[forms[source]].append(layer)
    chosen = list(stack.source)
    for form, layers in new.items():
        for number, layer in enumerate(layers):
            chosen[layer] = old[form][order(number, len(layers), len(old[form]))]
    return replace(
        stack, source=tuple(chosen), silent=(), norms=(), last_norm="", why=stack.why or WHY
    )
