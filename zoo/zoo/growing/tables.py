"""Tables of rules: what the parameters of a family do, written by the names of its modules.

A table maps the end of a module's name to its rules. ``{}`` stands for a number, and the same
number goes into the layouts: ``"layers.{}.fc1": linear("layer {} mlp", "hidden")`` says of the
third layer that ``fc1`` reads the axis ``hidden`` and writes the axis ``layer 3 mlp``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zoo.errors import CheckpointError
from zoo.types.growing import Dim, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo.types.growing import Axis

    #: Name of a parameter within its module -> rule; the empty name is a parameter itself.
    Rules = Mapping[str, Rule]


def writes(layout: str) -> Dim:
    """A dimension that gives the values of an axis."""
    return Dim(role="writes", layout=layout)


def reads(layout: str) -> Dim:
    """A dimension that takes the values of an axis, after its norm if it has one."""
    return Dim(role="reads", layout=layout)


KEEPS = Dim()


def linear(
    out: str = "",
    into: str = "",
    *,
    shared: str = "",
    factor: float = 1.0,
    part: int = -1,
    gate: str = "",
    transposed: bool = False,
    raw: bool = False,
) -> Rules:
    """A linear map or a convolution, with its bias.

    Args:
        out: layout of what it writes; empty: that does not grow.
        into: layout of what it reads; empty: that does not grow.
        shared: see :class:`zoo.types.growing.Rule`.
        factor: multiplies weight and bias.
        part: see :class:`zoo.types.growing.Rule`.
        gate: name, within the network, of what multiplies its outputs.
        transposed: its weight is stored with the inputs first.
        raw: it reads before any norm.
    """
    made = writes(out) if out else KEEPS
    read = Dim(role="reads_raw" if raw else "reads", layout=into) if into else KEEPS
    dims = (read, made) if transposed else (made, read)
    common = Rule(shared=shared, factor=factor, part=part, gate=gate)
    return {"weight": replace(common, dims=dims), "bias": replace(common, dims=(made,))}


def depthwise(layout: str) -> Rules:
    """A convolution of every channel by itself, or of groups that are copied whole."""
    return linear(layout)


def batch_norm(layout: str) -> Rules:
    """A batch norm, with its statistics."""
    rule = Rule(dims=(writes(layout),))
    return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), rule)


def norm(layout: str, *, tied: bool = False, centre: float = 0.0, factor: float = 1.0) -> Rules:
    """A layer norm, or a root mean square norm, over an axis.

    Args:
        layout: the axis.
        tied: its reader is tied to a writer of the same axis.
        centre: it multiplies by one plus its weight (Gemma): 1.
        factor: multiplies what it gives.
    """
    common = Rule(tied=tied, factor=factor)
    return {
        "weight": replace(common, dims=(Dim(role="gains", layout=layout),), centre=centre),
        "bias": replace(common, dims=(Dim(role="shifts", layout=layout),)),
    }


def parameter(*dims: Dim) -> Rules:
    """A parameter that belongs to no module of its own, such as a class token."""
    return {"": Rule(dims=dims)}


def resolve(
    table: Mapping[str, Rules], names: Iterable[str], axes: Mapping[str, Axis]
) -> dict[str, Rule]:
    """Find the rule of every parameter.

    Args:
        table: end of a module's name -> rules.
        names: of the larger network's state dict.
        axes: those that grow or stay; a rule must not name another.

    Raises:
        CheckpointError: a rule names an axis that there is not.
    """
    patterns = [
        (re.compile(r"(?:^|.*\.)" + re.escape(end).replace(r"\{\}", r"(\d+)") + "$"), rules)
        for end, rules in table.items()
    ]
    found = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        for pattern, rules in patterns:
            for ending, key in ((module, leaf), (name, "")):
                match = pattern.match(ending) if key in rules else None
                if match:
                    found[name] = _numbered(rules[key], name, match.groups(), axes)
                    break
            if name in found:
                break
    return found


def _numbered(rule: Rule, name: str, numbers: tuple[str, ...], axes: Mapping[str, Axis]) -> Rule:
    dims = tuple(replace(dim, layout=dim.layout.format(*numbers)) for dim in rule.dims)
    for dim in dims:
        for axis in re.split(r"[*+]", dim.layout):
            if axis and not axis.isdigit() and axis not in axes:
                raise CheckpointError(f"the rule of {name} names an axis {axis!r} that is not one.")
    prefix = name[: len(name) - len(name.lstrip("."))]
    gate = rule.gate.format(*numbers) if rule.gate else ""
    return replace(rule, dims=dims, shared=rule.shared.format(*numbers), gate=f"{prefix}{gate}")
