"""LiGO: the growth itself is learned, as linear combinations of channels and of layers.

Wang et al., "Learning to Grow Pretrained Models for Efficient Transformer Training", ICLR 2023
(arXiv 2303.00980): W'_l = sum_k w_lk B W_k A^T, where the first rows of B and A keep the old
channels and the others are learned, and w begins as stacking with a little of every other layer.
Only B, A and w are trained, for 100 steps of the task; then the weights are written down. Not
function preserving.

A factor belongs to an axis, so that what writes an axis and what reads it are tied as in the
paper: one for the stream, B of the values is A of the output, B of fc1 is A of fc2. Heads are
combined as wholes; the paper ties queries and keys to nothing. Weights and biases have w of their
own, as in the authors' code. Variances of batch norms are combined by squares.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.func import functional_call

from zoo.errors import InputError
from zoo.growing.choosing import exact_maps
from zoo.growing.depth import begun, fresh_part
from zoo.growing.filling import unshared
from zoo.types.growing import Rule
from zoo_growth.ligo_factors import DepthFactor, Layout, WidthFactor, generator_for, widened
from zoo_growth.stacking import forms_of, restacked, stacking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zoo.types.growers import Growth, WholeNetwork
    from zoo.types.growing import AxisMap, Blueprint, Stack

_WIDTH = "combinations of the old channels, which are learned"
_DEPTH = "new layers are combinations of the old ones, which are learned"


class Ligo:
    """Implements :class:`zoo.types.growers.Grower`.

    Args:
        steps: of learning.
        rate: of learning.
        batch: inputs of a step.
        noise: how much of every other layer a new one begins with, at most.
    """

    def __init__(
        self, *, steps: int = 100, rate: float = 2e-4, batch: int = 16, noise: float = 0.03
    ) -> None:
        if steps < 1 or batch < 1 or not rate > 0 or not 0 <= noise < 1:
            raise InputError(
                f"steps {steps}, batch {batch}, rate {rate:g}, noise {noise:g}: nothing is learned "
                "like that.",
                "--set steps=100 --set batch=16 --set rate=2e-4 --set noise=0.03",
            )
        self.steps, self.rate, self.batch, self.noise = steps, rate, batch, noise

    def amend(self, blueprint: Blueprint, network: WholeNetwork) -> Blueprint:
        """Begin as stacked layers."""
        stacks = restacked(blueprint, network, stacking).stacks
        said = (replace(each, why=_DEPTH) if each.added else each for each in stacks)
        return replace(blueprint, stacks=tuple(said))

    def choose(self, blueprint: Blueprint, seed: int) -> dict[str, AxisMap]:
        """Keep every old channel; the others are learned."""
        found = exact_maps(blueprint.axes, seed)
        for name, axis in blueprint.axes.items():
            if axis.new != axis.old:
                found[name] = replace(found[name], scale=1.0, reason=_WIDTH)
        return found

    def fill(self, growth: Growth) -> Sequence[str]:
        """Learn the factors, then set the weights that they make."""
        if growth.learn is None:
            raise InputError("ligo learns from data, and there is none.", "--data DATA")
        module = LearnedGrowth(growth, self.noise)
        learned = growth.learn(module, steps=self.steps, batch=self.batch, rate=self.rate)
        with torch.no_grad():
            made = module.weights()
            for name, target in unshared(growth.new.module, growth.blueprint):
                target.copy_(made[name])
        whose = "labels" if learned.task == "labels" else "the smaller network's answers"
        said = f"Its growth was learned from {whose} in {learned.steps} steps"
        return (f"{said}: the loss went from {learned.before:.4g} to {learned.after:.4g}.",)


class LearnedGrowth(nn.Module):
    """Stands for the larger network; its parameters are the factors, and nothing else.

    Args:
        growth: what is grown.
        noise: see :class:`Ligo`.
    """

    def __init__(self, growth: Growth, noise: float) -> None:
        super().__init__()
        self._growth, blueprint = growth, growth.blueprint
        self._state = growth.old.module.state_dict()
        device = next(growth.old.module.parameters()).device
        self._width = {
            name: WidthFactor(
                growth.maps[name], axis.old, generator_for(growth.seed, "width", name)
            ).to(device)
            for name, axis in blueprint.axes.items()
            if axis.new != axis.old
        }
        self._statistics = [name for name, _ in growth.new.module.named_buffers()]
        self._names = [name for name, _ in unshared(growth.new.module, blueprint)]
        self._layouts = {name: self._growing(name) for name in self._names}
        self._depth = self._depth_factors(noise, device)
        self.width = nn.ModuleList(self._width.values())
        self.depth = nn.ModuleList(factor for _, factor in self._depth)
        self._fresh = self._drawn()

    def forward(self, **inputs: Tensor) -> Mapping[str, Any]:
        """Answer as the larger network does."""
        network = self._growth.new.module
        options = {"use_cache": False} if hasattr(self._growth.new.config, "use_cache") else {}
        answers: Mapping[str, Any] = functional_call(
            network, self.weights(), kwargs={**inputs, **options}
        )
        return answers

    def weights(self) -> dict[str, Tensor]:
        """Give every parameter and buffer of the larger network, with gradients to the factors."""
        combined: dict[str, Tensor] = {}
        for names, factor in self._depth:
            combined |= dict(zip(names, factor(), strict=True))
        made = {name: self._made(name, combined) for name in self._names}
        # A batch norm gives its statistics no gradient, and takes none that want one.
        return made | {name: made[name].detach() for name in self._statistics if name in made}

    def _made(self, name: str, combined: Mapping[str, Tensor]) -> Tensor:
        if name in self._fresh:
            return self._fresh[name]
        rule = self._growth.blueprint.rules.get(name, Rule())
        value = combined[name] if name in combined else self._single(name)
        if not value.is_floating_point() or (not rule.dims and rule.factor == 1.0):
            return value
        value = value + rule.centre if rule.centre else value
        whole = rule.part < 0 and rule.factor != 1.0
        value = value * rule.factor if whole else value
        for number, layout in self._layouts[name]:
            parts = range(len(layout.parts)) if rule.part >= 0 else ()
            value = widened(
                value,
                number,
                layout,
                self._width,
                squared=name.endswith("running_var"),
                scales=[rule.factor if each == rule.part else 1.0 for each in parts],
            )
        return value - rule.centre if rule.centre else value

    def _growing(self, name: str) -> list[tuple[int, Layout]]:
        """The dimensions of a parameter that grow."""
        blueprint = self._growth.blueprint
        olds = {axis.name: axis.old for axis in blueprint.axes.values()}
        dims = blueprint.rules.get(name, Rule()).dims
        layouts = ((n, Layout.of(d.layout, olds)) for n, d in enumerate(dims) if d.role != "keeps")
        return [
            (number, layout)
            for number, layout in layouts
            if any(axis in self._width for part in layout.parts for axis in part)
        ]

    def _single(self, name: str) -> Tensor:
        """The old parameter that one of the larger network begins as."""
        found = place_of(name, self._growth.blueprint.stacks)
        if found is not None:
            stack, layer, rest = found
            name = f"{stack.path}.{stack.source[layer]}.{rest}"
        return _single(self._state[name])

    def _depth_factors(
        self, noise: float, device: torch.device
    ) -> list[tuple[tuple[str, ...], DepthFactor]]:
        """Give the names that each one makes, and the factor."""
        found: dict[tuple[str, str, int], list[tuple[str, int]]] = {}
        forms = {each.path: forms_of(each, self._state) for each in self._growth.blueprint.stacks}
        for name in self._names:
            place = place_of(name, self._growth.blueprint.stacks)
            if place is None or not place[0].added or any(place[0].fresh):
                continue
            stack, layer, rest = place
            own = forms[stack.path][stack.source[layer]]
            kin = min(old for old, form in forms[stack.path].items() if form == own)
            if self._single(name).is_floating_point():
                found.setdefault((stack.path, rest, kin), []).append((name, stack.source[layer]))
        made = []
        for (path, rest, kin), members in found.items():
            olds = [old for old, form in forms[path].items() if form == forms[path][kin]]
            factor = DepthFactor(
                [_single(self._state[f"{path}.{old}.{rest}"]) for old in olds],
                [olds.index(source) for _, source in members],
                noise,
                generator_for(self._growth.seed, "depth", path, rest, str(kin)),
            )
            made.append((tuple(name for name, _ in members), factor.to(device)))
        return made

    def _drawn(self) -> dict[str, Tensor]:
        """Layers that the smaller network has none of are drawn, and stay so."""
        found = {}
        stacks, seed = self._growth.blueprint.stacks, self._growth.seed
        for name, target in unshared(self._growth.new.module, self._growth.blueprint):
            fresh = fresh_part(name, stacks)
            if fresh:
                drawn = begun(target, *fresh, generator_for(seed, "fresh", name))
                found[name] = _single(drawn).to(target.device)
        return found


def place_of(name: str, stacks: Sequence[Stack]) -> tuple[Stack, int, str] | None:
    """Find the stack, the layer and the name within it."""
    for stack in stacks:
        match = re.match(re.escape(stack.path) + r"\.(\d+)\.(.+)", name)
        if match:
            return stack, int(match[1]), match[2]
    return None


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
