"""What a growth will do, in words and numbers, before any weight is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from zoo.render.quantities import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.growing.work import Drawing
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Axis, AxisMap, Stack

_NUMBER = re.compile(r"\d+(?:\.\d+)*")


class NetworkSize(msgspec.Struct, frozen=True, kw_only=True):
    """How large a network is.

    Attributes:
        parameters: each once, where several layers share them.
        bytes: of its weights, in the numbers of its files.
        flops: floating-point operations of one forward pass over one input; 0 where nobody knows.
        tensor: bytes of its largest parameter in float64.
    """

    parameters: int
    bytes: int
    flops: float = 0.0
    tensor: int = 0


class GrowthStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that grows.

    Attributes:
        what: ``hidden``, ``heads of 12 layers``, ``layers``.
        old: size before.
        new: size after.
        how: what keeps the function, in a few words; empty where nothing does.
        exact: it keeps the function.
        reason: why it does not.
    """

    what: str
    old: int
    new: int
    how: str
    exact: bool = True
    reason: str = ""


class GrowthPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a person sees before they agree.

    Attributes:
        model: reference of the checkpoint.
        family: of its architecture.
        method: name of the grower.
        steps: what grows.
        exact: the function is kept.
        before: the checkpoint.
        after: what is made of it.
        memory: bytes that the weights of both take at most, in the numbers of the proof.
        free: bytes that are free; None where nobody knows.
        proof: numbers in which the two are compared: ``fp64`` where there is room, ``fp32``.
        download: bytes still to fetch.
        seed: of everything that is drawn.
        folder: to write.
        license: of the checkpoint; None where nobody names one.
        notes: what a person should know, one sentence each.
    """

    model: str
    family: str
    method: str
    steps: tuple[GrowthStep, ...]
    exact: bool
    before: NetworkSize
    after: NetworkSize
    memory: int = 0
    free: int | None = None
    proof: tuple[Literal["fp64", "fp32"], ...] = ("fp64", "fp32")
    download: int = 0
    seed: int = 0
    folder: str = ""
    license: str | None = None
    notes: tuple[str, ...] = ()
    schema_version: int = 1


def with_memory(plan: GrowthPlan, free: int | None) -> GrowthPlan:
    """Say what the work needs, and prove in float32 alone where float64 has no room.

    Args:
        plan: so far.
        free: bytes that are free; None where nobody knows.
    """
    networks = plan.before.parameters + plan.after.parameters
    one = plan.before.tensor + 2 * plan.after.tensor
    memory = 8 * networks + one
    if free is None or memory <= free:
        return msgspec.structs.replace(plan, memory=memory, free=free)
    note = (
        f"The proof in float64 would take {size_text(memory)} of memory, and {size_text(free)} "
        "are free: it is made in float32 alone."
    )
    return msgspec.structs.replace(
        plan, memory=4 * networks + one, free=free, proof=("fp32",), notes=(*plan.notes, note)
    )


def steps_of(drawing: Drawing) -> tuple[GrowthStep, ...]:
    """Put what grows into words, equal layers together."""
    groups: dict[tuple[object, ...], list[tuple[Axis, AxisMap]]] = {}
    used = {
        name
        for rule in drawing.blueprint.rules.values()
        for dim in rule.dims
        for name in re.split(r"[*+]", dim.layout)
    }
    for name, axis in drawing.blueprint.axes.items():
        if axis.old != axis.new and name in used:
            found = drawing.maps[name]
            stem = " ".join(_NUMBER.sub("", axis.name).split())
            key = (stem, axis.old, axis.new, _how(axis, found), found.reason)
            groups.setdefault(key, []).append((axis, found))
    steps = [_step(members) for members in groups.values()]
    deeper = [each for each in drawing.blueprint.stacks if each.added]
    return (*steps, *map(_deeper, deeper))


def size_of(network: WholeNetwork, *, flops: bool = True) -> NetworkSize:
    """Measure a network that may have no weights."""
    parameters = {id(each): each for each in network.module.parameters()}.values()
    largest = max((each.numel() for each in parameters), default=0)
    return NetworkSize(
        parameters=sum(each.numel() for each in parameters),
        bytes=sum(each.numel() * each.element_size() for each in parameters),
        flops=_flops(network) if flops else 0.0,
        tensor=8 * largest,
    )


def _flops(network: WholeNetwork) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    try:
        with FlopCounterMode(display=False) as counter:
            network.outputs(network.inputs(1, 0))
    except (RuntimeError, NotImplementedError, torch.jit.Error):  # an operator that needs numbers
        return 0.0
    return float(counter.get_total_flops())


def _step(members: Sequence[tuple[Axis, AxisMap]]) -> GrowthStep:
    axis, found = members[0]
    stem = " ".join(_NUMBER.sub("", axis.name).split())
    of = "" if stem == "layer" else f"{stem} of "
    many = f"{of}{len(members)} layers" if len(members) > 1 else axis.name
    return GrowthStep(
        what=many,
        old=axis.old,
        new=axis.new,
        how=_how(axis, found),
        exact=not found.reason,
        reason=found.reason,
    )


def _deeper(stack: Stack) -> GrowthStep:
    return GrowthStep(
        what=f"layers of {stack.path}",
        old=len(stack.source) - stack.added,
        new=len(stack.source),
        how="" if stack.why else "new ones add nothing yet",
        exact=not stack.why,
        reason=stack.why,
    )


def _how(axis: Axis, found: AxisMap) -> str:
    if found.reason:
        return ""
    extra = int((found.index < 0).sum())
    if axis.follows:
        return "copies, beside the keys that they ask"
    if extra:
        held = "their mean" if found.fill == "mean" else "zeros"
        return f"whole copies, and {extra} channel{'s' if extra > 1 else ''} of {held}"
    if axis.repetition == "free":
        return "copies of some"
    return "whole copies" if axis.new % axis.old == 0 else "copies of some"
