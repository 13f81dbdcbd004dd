"""LEMON: lossless wider and deeper, whatever the new size.

Wang et al., "LEMON: Lossless Model Expansion", ICLR 2024 (arXiv 2310.07999): copies of a channel
share unevenly what is read of them, an axis under a layer norm is filled with its mean, heads are
copied whole, and a new layer is silent because its units cancel in pairs. The authors' code also
adds what random weights have outside of that: the noise in the null space that Net2Net has here.

Pairs take the place of zeros where a silent layer ends in a linear map that reads units of its own
(fully connected layers, and attention heads that no other heads follow): half of its units are
copies of the other half, and w of one is -w of its copy. The function is kept; unlike with zeros,
gradients reach the whole layer at the first step. Elsewhere zeros stay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch

from zoo.errors import InputError
from zoo.growing.axes import generator_of
from zoo.growing.choosing import exact_maps
from zoo.growing.filling import fill
from zoo.types.growing import AxisMap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zoo.types.growers import Growth
    from zoo.types.growing import Blueprint, Stack


class Lemon:
    """Implements :class:`zoo.types.growers.Grower`.

    Args:
        uneven: how far a share may be from an equal one, as a part of it, in [0, 1).
        noise: size of the noise on readers, as a multiple of each weight's own spread.
        new_layers: what makes them silent.
    """

    def __init__(
        self,
        *,
        uneven: float = 0.5,
        noise: float = 1.0,
        new_layers: Literal["pairs", "zeros"] = "pairs",
    ) -> None:
        if not 0 <= uneven < 1:
            raise InputError(f"uneven {uneven:g} is not from 0 to below 1.", "--set uneven=0.5")
        if not 0 <= noise < float("inf"):
            raise InputError(f"noise {noise:g} is not a size: 0 or more.", "--set noise=1")
        if uneven == noise == 0:
            raise InputError(
                "with even shares and no noise the copies of a channel would stay equal for ever.",
                "--set uneven=0.5, or --set noise=1",
            )
        if new_layers not in {"pairs", "zeros"}:
            raise InputError(f"new_layers {new_layers!r} is neither pairs nor zeros.")
        self.uneven, self.noise, self.new_layers = uneven, noise, new_layers

    def choose(self, blueprint: Blueprint, seed: int) -> dict[str, AxisMap]:
        """Share unevenly, and let the units of new layers cancel."""
        maps = exact_maps(blueprint.axes, seed)
        pairs = {axis for each in self._pairs(blueprint).values() for axis in each}
        for name, found in maps.items():
            axis, draw = blueprint.axes[name], generator_of(seed, "shares", name)
            weights = 1 + self.uneven * (2 * torch.rand(axis.new, generator=draw).double() - 1)
            if name in pairs:
                maps[name] = cancelling(axis.old, weights)
            elif axis.new != axis.old:
                maps[name] = reshared(found, weights)
        return maps

    def fill(self, growth: Growth) -> Sequence[str]:
        """Set the weights; what reads pairs is not silent."""
        pairs = self._pairs(growth.blueprint)
        stacks = tuple(_spoken(each, pairs) for each in growth.blueprint.stacks)
        fill(
            growth.new.module,
            growth.old.module.state_dict(),
            replace(growth.blueprint, stacks=stacks),
            growth.maps,
            seed=growth.seed,
            noise=self.noise,
        )
        return ()

    def _pairs(self, blueprint: Blueprint) -> Mapping[tuple[str, str], tuple[str, ...]]:
        return cancelling_axes(blueprint) if self.new_layers == "pairs" else {}


def reshared(found: AxisMap, weights: Tensor) -> AxisMap:
    """Change the shares of copies in proportion; those of one channel still sum to one."""
    kept = found.index.clamp(min=0)
    parts = torch.where(found.index < 0, 0.0, found.share * weights)
    totals = torch.zeros(len(found.index), dtype=torch.float64).index_add_(0, kept, parts)
    share = torch.where(totals[kept] > 0, parts / totals[kept].clamp(min=1e-12), 0.0)
    return replace(found, share=share)


def cancelling(old: int, weights: Tensor) -> AxisMap:
    """Pair the units of a new layer, so that their readers see nothing; one that is left is mute.

    Args:
        old: units to copy; the last ones are taken.
        weights: (N,) of the readers; the first half of them counts.
    """
    new = len(weights)
    half = new // 2
    units = old - 1 - torch.arange(half).flip(0) % old
    last = torch.full((new - 2 * half,), old - 1)
    share = torch.cat([weights[:half], -weights[:half], torch.zeros(len(last))])
    return AxisMap(index=torch.cat([units, units, last]), share=share.double())


def cancelling_axes(blueprint: Blueprint) -> dict[tuple[str, str], tuple[str, ...]]:
    """Find (path of a stack, silent linear map) -> the axes that it reads in new layers."""
    found = {}
    for stack in blueprint.stacks:
        layers = [number for number, new in enumerate(stack.inserted) if new]
        for module in stack.silent if layers and not any(stack.fresh) else ():
            names = [f"{stack.path}.{layer}.{module}.weight" for layer in layers]
            axes = tuple(_own_axis(name, blueprint) for name in names)
            if all(axes):
                found[stack.path, module] = axes
    return found


def _own_axis(name: str, blueprint: Blueprint) -> str:
    """The axis that a parameter, and nothing else, reads; empty where it is not so."""
    readers = [
        (other, dim.layout.split("*")[0])
        for other, rule in blueprint.rules.items()
        for dim in rule.dims
        if dim.role in {"reads", "reads_raw"} and "+" not in dim.layout
    ]
    own = [axis for other, axis in readers if other == name]
    axis = blueprint.axes.get(own[0]) if len(own) == 1 else None
    if axis is None or axis.repetition != "free" or axis.follows:
        return ""
    shared = sum(each == axis.name for _, each in readers) > 1
    led = any(each.follows == axis.name for each in blueprint.axes.values())
    return "" if shared or led else axis.name


def _spoken(stack: Stack, pairs: Mapping[tuple[str, str], tuple[str, ...]]) -> Stack:
    """Leave only the biases of linear maps silent whose inputs cancel."""
    silent = (f"{each}.bias" if (stack.path, each) in pairs else each for each in stack.silent)
    return replace(stack, silent=tuple(silent))
