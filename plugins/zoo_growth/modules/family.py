"""A person's own module behind the contract of a family: its graph is its configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.utils import _pytree as pytree

from zoo.errors import CheckpointError, InputError
from zoo.growing.sizes import sized
from zoo.types.growing import Blueprint, Deepen, Widen
from zoo_growth.modules.deepening import deeper
from zoo_growth.modules.resizing import extent, resized
from zoo_growth.modules.tracing import casts, exported, trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Axis
    from zoo_growth.modules.tracing import Trace
    from zoo_growth.modules.walking import Joint


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """How large a module is.

    Attributes:
        trace: of it, as it was.
        sizes: axis -> number of channels.
    """

    trace: Trace
    sizes: Mapping[str, int]


class TracedNetwork:
    """Implements :class:`zoo.types.growers.WholeNetwork` for any module.

    Args:
        module: in eval mode.
        args: an example of its inputs; tensors may be anywhere in it.
        kwargs: those that it takes by name.
    """

    def __init__(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._module, self.args, self.kwargs = module, args, dict(kwargs)
        self._program: ExportedProgram | None = None
        self._form: Form | None = None

    @property
    def module(self) -> nn.Module:
        """It."""
        return self._module

    @property
    def config(self) -> Form:
        """Its form, as its graph shows it."""
        if self._form is None:
            found = trace(self._module, self.program)
            self._form = Form(
                trace=found, sizes={name: axis.old for name, axis in found.axes.items()}
            )
        return self._form

    @property
    def program(self) -> ExportedProgram:
        """Its graph."""
        if self._program is None:
            self._program = exported(self._module, *self._filled(self.inputs(0, 0)))
        return self._program

    def enlarged(self, config: Form) -> TracedNetwork:
        """Give a copy of other sizes, its weights not set."""
        return self.holding(resized(self._module, config.trace, config.sizes))

    def holding(self, module: nn.Module) -> TracedNetwork:
        """Give another module with the same inputs."""
        return TracedNetwork(module, self.args, self.kwargs)

    def inputs(self, count: int, seed: int, samples: Sequence[Any] = ()) -> Mapping[str, Tensor]:
        """Give the example; or, where some are to be generated, numbers like its own."""
        del samples
        generator = torch.Generator().manual_seed(seed)
        leaves = pytree.tree_leaves((self.args, self.kwargs))
        return {
            f"input {number}": _like(each, generator) if count else each
            for number, each in enumerate(leaves)
            if isinstance(each, torch.Tensor)
        }

    @torch.no_grad()
    def outputs(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Give every tensor that it answers."""
        args, kwargs = self._filled(inputs)
        leaves = pytree.tree_leaves(self._module(*args, **kwargs))
        tensors = [each for each in leaves if isinstance(each, torch.Tensor)]
        return {
            f"answer {number}": each if each.is_floating_point() else each.double()
            for number, each in enumerate(tensors)
        }

    def save(self, folder: Path) -> None:  # noqa: ARG002 -- of the contract
        """Leave it to the person, whose class it is."""
        raise CheckpointError(
            f"a {type(self._module).__name__} has no format of its own.",
            "torch.save(module.state_dict(), PATH), or torch.save(module, PATH)",
        )

    def _filled(self, inputs: Mapping[str, Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put tensors in the places of the example's, in the numbers of the weights."""
        leaves, form = pytree.tree_flatten((self.args, self.kwargs))
        dtype = next((p.dtype for p in self._module.parameters() if p.is_floating_point()), None)
        for number in range(len(leaves)):
            given = inputs.get(f"input {number}")
            if given is not None:
                leaves[number] = given.to(dtype) if given.is_floating_point() else given
        args, kwargs = pytree.tree_unflatten(leaves, form)
        return args, kwargs


def _like(example: Tensor, generator: torch.Generator) -> Tensor:
    """Draw numbers that an example might hold: of its spread, or from those that it has."""
    if not example.numel():
        return example
    if example.is_floating_point():
        values = example.double()
        spread = float(values.std()) if values.numel() > 1 else 1.0
        drawn = torch.randn(example.shape, generator=generator, dtype=torch.float64)
        made = float(values.mean()) + (spread or 1.0) * drawn
    else:
        chosen = torch.randint(example.numel(), example.shape, generator=generator)
        made = example.flatten().cpu()[chosen]
    return made.to(device=example.device, dtype=example.dtype)


class OwnModule:
    """Implements :class:`zoo.types.growers.ModuleFamily`."""

    def whole(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> TracedNetwork:
        """Take a module with an example of its inputs."""
        return TracedNetwork(module, args, kwargs)

    def grown(self, config: Form, steps: Sequence[Widen | Deepen]) -> Form:
        """Give the sizes of a wider module; a deeper one is another module: see ``deepened``."""
        sizes = dict(config.sizes)
        for step in steps:
            if isinstance(step, Deepen):
                raise InputError("a module becomes deeper by itself.", "OwnModule.deepened")
            if step.hidden or step.heads or step.kv_heads or step.mlp:
                raise InputError(
                    "a module of your own has no hidden size, heads or intermediate size by name.",
                    'Widen(width="1.5x"), or the parts to widen: Widen(width="fc1=2x,conv2=96")',
                )
            sizes |= _wanted(config.trace, sizes, step.width)
        return replace(config, sizes=sizes)

    def blueprint(
        self, network: WholeNetwork, config: Form, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        del network, place
        axes = {
            name: replace(axis, new=config.sizes[name]) for name, axis in config.trace.axes.items()
        }
        for joint in config.trace.joint:
            axes |= _joint(config.trace, joint, axes)
        return Blueprint(
            axes=axes,
            rules=config.trace.rules,
            notes=_staying(config.trace),
        )

    def deepened(self, network: WholeNetwork, step: Deepen) -> tuple[WholeNetwork, Sequence[str]]:
        """Insert layers that do nothing yet, and say what a person should know of them."""
        assert isinstance(network, TracedNetwork)
        larger, notes = deeper(
            network.module,
            network.program.graph,
            step,
            lambda found: network.holding(found).outputs(network.inputs(0, 0)),
        )
        return network.holding(larger), notes

    def casts(self, network: WholeNetwork) -> bool:
        """Say whether it computes in fewer bits than its weights have."""
        assert isinstance(network, TracedNetwork)
        return casts(network.module, network.program)


def _wanted(trace: Trace, sizes: Mapping[str, int], width: str | float) -> dict[str, int]:
    """Read a width: of everything, or of the parts that it names.

    Raises:
        InputError: there is nothing to widen, no such part, or no such size.
    """
    said = f"{width}x" if isinstance(width, int | float) else width
    if "=" in said:
        named = dict(each.strip().split("=", 1) for each in said.split(",") if "=" in each)
        found: dict[str, int] = {}
        for module, size in named.items():
            found |= _of_module(trace, sizes, module.strip(), size.strip())
        return found
    if not sizes:
        reasons = [f"{name}: {why}" for name, why in trace.stays.items()]
        raise InputError(
            "nothing of this module can become wider.",
            "; ".join(reasons[:3]) or "It has no layers whose channels could be copied.",
        )
    return {name: sized(f"number of {name}", said, old) for name, old in sizes.items()}


def _of_module(trace: Trace, sizes: Mapping[str, int], module: str, size: str) -> dict[str, int]:
    """Widen one part, and with it everything that can only grow together.

    Raises:
        InputError: it cannot grow, or cannot be so wide.
    """
    if module not in trace.outputs:
        known = ", ".join(trace.outputs)
        raise InputError(f"no part called {module!r} writes channels.", f"Parts: {known}")
    layout = trace.outputs[module]
    if layout.isdigit():
        why = trace.stays[module]
        raise InputError(f"{module} stays at {layout} channels: {why}.", "Widen another part.")
    old = extent(layout, sizes)
    names = {part.split("*")[0] for part in layout.split("+")} - {""}
    axes = [name for name in names if not name.isdigit()]
    new = sized(f"width of {module}", size, old)
    per = extent(layout, {**sizes, axes[0]: sizes[axes[0]] + 1}) - old
    if len(axes) == 1 and (new - old) % per == 0:
        return {axes[0]: sizes[axes[0]] + (new - old) // per}
    if len(axes) == 1:
        below = old + (new - old) // per * per
        raise InputError(
            f"{module} grows by {per} channels at a time, and {new} is not {old} plus some of "
            "those.",
            f"The nearest: {below} or {below + per}",
        )
    return {name: sized(name, f"{new / old}x", sizes[name]) for name in axes}


def _joint(trace: Trace, joint: Joint, axes: Mapping[str, Axis]) -> dict[str, Axis]:
    """What a norm sees all at once must be repeated equally often, or the function changes."""
    layouts = [str(each if isinstance(each, int) else trace.layouts[each]) for each in joint.places]
    parts = [part for layout in layouts for part in layout.split("+")]
    seen = [name for part in parts for name in part.split("*") if not name.isdigit()]
    mixed = any("+" in each and any(p.isdigit() for p in each.split("+")) for each in layouts)
    ratios = {axes[name].new / axes[name].old for name in seen}
    if len(ratios) < 2 and not (mixed and ratios != {1.0}) and not (joint.alone and len(seen) > 1):
        return {}
    why = f"{joint.why}, with others that do not grow alike"
    return {
        name: replace(axes[name], repetition="fixed", why=why)
        for name in seen
        if not math.isclose(axes[name].new, axes[name].old)
    }


def _staying(trace: Trace) -> tuple[str, ...]:
    """Say which parts stay as they are although they are no answers."""
    ends = ("it is an answer of the network",)
    return tuple(
        f"{name} keeps its width: {why}."
        for name, why in trace.stays.items()
        if why not in ends and trace.outputs.get(name, "0").isdigit()
    )
