"""AKI, the advanced knowledge initialisation of bert2BERT: what is added comes from the next layer.

Chen et al., "bert2BERT: Towards Reusable Pretrained Language Models", ACL 2022 (arXiv 2110.07143):
as FPI, but the outputs that a linear map gains are those of the layer above, widened by the same
maps; the last layer copies itself. The function changes, no two channels are copies of each other,
and training is faster than from FPI.

The paper speaks of linear maps. As in the re-implementation beside LEMON (Wang et al., ICLR 2024)
their biases go with them, and the gains of layer norms stay those of the layer itself. Statistics
of batch norms belong to what a layer gives, and come with it. Where the layer above has another
form, as the first block of a stage has, a layer copies itself, too; copies that are left are told
apart by the noise of Net2Net.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from zoo.growing.axes import laid_out
from zoo.growing.filling import enlarged, fill, unshared
from zoo.types.growing import Rule
from zoo_growth.fpi import copies
from zoo_growth.stacking import restacked, stacking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from zoo.types.growers import Growth, WholeNetwork
    from zoo.types.growing import AxisMap, Blueprint, Stack

_NOISE = 1.0
_WHY = "what is added comes from the layer above"


class Aki:
    """Implements :class:`zoo.types.growers.Grower`.

    Args:
        tiled: copy what is under a norm from its beginning on, not at random.
    """

    def __init__(self, *, tiled: bool = False) -> None:
        self.tiled = tiled

    def amend(self, blueprint: Blueprint, network: WholeNetwork) -> Blueprint:
        """Repeat all layers, one after another."""
        return restacked(blueprint, network, stacking)

    def choose(self, blueprint: Blueprint, seed: int) -> dict[str, AxisMap]:
        """Copy random channels, whatever sees them."""
        maps = copies(blueprint, seed, whole=self.tiled)
        for name, axis in blueprint.axes.items():
            if axis.new != axis.old:
                maps[name] = replace(maps[name], reason=maps[name].reason or _WHY)
        return maps

    @torch.no_grad()
    def fill(self, growth: Growth) -> Sequence[str]:
        """Set the weights as FPI does, then what is added by those of the layers above."""
        blueprint, maps = growth.blueprint, growth.maps
        state, new = growth.old.module.state_dict(), growth.new.module
        fill(new, state, blueprint, maps, seed=growth.seed, noise=0.0)
        for name, target, own, above in _layers(new, state, blueprint):
            rule = blueprint.rules.get(name, Rule())
            if above is not None:
                mask = _added(rule, maps, target)
                ahead = enlarged(name, above, rule, maps, seed=growth.seed, noise=0.0)
                target.copy_(torch.where(mask, ahead.to(target.dtype), target))
            elif _reads_free(rule, blueprint):
                made = enlarged(name, own, rule, maps, seed=growth.seed, noise=_NOISE)
                target.copy_(made)
        return ()


def _layers(
    new: torch.nn.Module, state: Mapping[str, Tensor], blueprint: Blueprint
) -> Iterator[tuple[str, Tensor, Tensor, Tensor | None]]:
    """List the parameters of layers: name, itself, that of its layer, and of the one above."""
    for name, target in unshared(new, blueprint):
        for stack in blueprint.stacks:
            match = re.match(re.escape(stack.path) + r"\.(\d+)\.(.+)", name)
            if match and not _is_fresh(stack, int(match[1])):
                source = stack.source[int(match[1])]
                own = state[f"{stack.path}.{source}.{match[2]}"]
                above = state.get(f"{stack.path}.{source + 1}.{match[2]}")
                if above is not None and above.shape != own.shape:
                    above = None
                yield name, target, own, above


def _is_fresh(stack: Stack, layer: int) -> bool:
    return bool(stack.fresh) and stack.fresh[layer]


def _added(rule: Rule, maps: Mapping[str, AxisMap], target: Tensor) -> Tensor:
    """Tell which places of a parameter belong to outputs that its layer gains."""
    mask = torch.zeros(target.shape, dtype=torch.bool, device=target.device)
    for number, dim in enumerate(rule.dims):
        if dim.role == "writes":
            form = [-1 if each == number else 1 for each in range(target.ndim)]
            mask |= _again(laid_out(dim.layout, maps).index).to(target.device).view(form)
    return mask


def _again(index: Tensor) -> Tensor:
    """Tell which channels repeat one that is already there."""
    first = torch.full((int(index.max()) + 1,), len(index))
    places = torch.arange(len(index))
    first.scatter_reduce_(0, index, places, "amin")
    return first[index] != places


def _reads_free(rule: Rule, blueprint: Blueprint) -> bool:
    """Whether everything that a parameter reads was given within its own layer."""
    read = [dim.layout for dim in rule.dims if dim.role.startswith("reads")]
    names = [name for layout in read for name in re.split(r"[*+]", layout) if not name.isdigit()]
    return bool(names) and all(blueprint.axes[name].repetition == "free" for name in names)
