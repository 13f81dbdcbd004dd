"""Reads from its graph how a module may grow: axes, and a rule for every parameter."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import InputError
from zoo.types.growing import Axis, Dim, Rule
from zoo_growth.modules import layers, shapes
from zoo_growth.modules.channels import lay_out
from zoo_growth.modules.walking import Walk, fixed, module_of, operator, where
from zoo_growth.modules.walking import shapes as shapes_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from torch import nn
    from torch.export import ExportedProgram
    from torch.fx import Node

    from zoo_growth.modules.walking import Held, Joint, Setting

RULES = {**layers.RULES, **shapes.RULES}
#: Modules that hold their sizes in more than one way.
_CLOSED = ("MultiheadAttention",)
#: For messages.
SUPPORTED = (
    "Linear, Conv (grouped and transposed too), Embedding, batch, layer, group and instance "
    "norms, elementwise operators, pooling, padding, concatenation, flattening, residual adds"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """How a module may grow.

    Attributes:
        axes: by name, as large as they are.
        rules: name in the state dict -> rule.
        layouts: place -> layout; see :class:`zoo_growth.modules.walking.Walk`.
        joint: channels that something sees all at once.
        settings: attributes of modules that say a size.
        outputs: module -> layout of the channels that it writes.
        stays: module -> why some of them stay as they are.
    """

    axes: Mapping[str, Axis]
    rules: Mapping[str, Rule]
    layouts: Mapping[Hashable, str]
    joint: Sequence[Joint]
    settings: Sequence[Setting]
    outputs: Mapping[str, str]
    stays: Mapping[str, str]


def trace(module: nn.Module, program: ExportedProgram) -> Trace:
    """Follow every channel of a module.

    Args:
        module: in eval mode.
        program: what :func:`exported` gives for it.

    Raises:
        InputError: it uses an operator that has no rule.
    """
    signature = program.graph_signature
    transient = set(signature.non_persistent_buffers)
    names = {
        node: name
        for node, name in {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
        }.items()
        if name not in transient
    }
    walk = Walk(names=names)
    for node in program.graph.nodes:
        _step(walk, node)
    _check_unknown(walk)
    return _read(walk, module)


def exported(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> ExportedProgram:
    """Give the graph of a module.

    Raises:
        InputError: it has none: its forward depends on the values of its inputs, for example.
    """
    silenced = logging.root.manager.disable
    said = io.StringIO()  # torch prints graphs where it fails
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(said),
            redirect_stderr(said),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            return torch.export.export(module, args, dict(kwargs), strict=False)
    except Exception as error:  # whatever the person's code, or torch, may raise
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"{type(module).__name__} cannot be traced: {type(error).__name__}: {reason}",
            "Growth reads the graph of torch.export.export(module, inputs, strict=False).",
        ) from error
    finally:
        logging.disable(silenced)


def _step(walk: Walk, node: Node) -> None:
    """Let one node say what it does."""
    if node.op == "placeholder":
        for shape in shapes_of(node)[:1]:
            name = walk.names.get(node.name)
            walk.values[node] = walk.parameter(name, shape) if name else fixed(shape)
        return
    if node.op == "output":
        for found in walk.inputs(node):
            for ids in found.dims:
                walk.channels.pin(ids, "it is an answer of the network")
        return
    answers = shapes_of(node)
    if answers:
        walk.values[node] = _answer(walk, node, answers)


def _answer(walk: Walk, node: Node, found: list[tuple[int, ...]]) -> Held | tuple[Held, ...]:
    several = isinstance(node.meta.get("val"), tuple | list)
    if any(each.live for each in walk.inputs(node)):
        name = operator(node)
        rule = RULES.get(name) or (shapes.elementwise if shapes.is_elementwise(node) else None)
        rule = None if module_of(node)[1] in _CLOSED else rule
        answer = rule(walk, node) if rule else None
        if answer is not None:
            return answer
        what = f"{name} {where(node)}" + (", as it is used there" if rule else "")
        if all(each.source for each in walk.inputs(node)):
            walk.pin_inputs(node, f"its weight is computed by {what}")
        else:
            walk.unknown.append((what, node))
            walk.pin_inputs(node, what)
    nothing = tuple(fixed(shape) for shape in found)
    return nothing if several else nothing[0]


def _check_unknown(walk: Walk) -> None:
    """Refuse operators without a rule, but for those that only make answers of answers.

    Raises:
        InputError: which one, and where.
    """
    stays = walk.channels.pinned()
    known = {ids for ids, why in stays.items() if why not in {what for what, _ in walk.unknown}}
    for what, node in walk.unknown:
        inner = [ids for each in walk.inputs(node) for dim in each.dims for ids in dim or ()]
        if any(walk.channels.find(each) not in known for each in inner) and _goes_on(walk, node):
            raise InputError(f"no rule says how channels go through {what}.", f"{SUPPORTED}.")


def _goes_on(walk: Walk, node: Node) -> bool:
    """Whether anything after a node has parameters."""
    seen, todo = {node}, [node]
    while todo:
        for user in todo.pop().users:
            if any(each.name in walk.names for each in user.all_input_nodes):
                return True
            if user not in seen:
                seen.add(user)
                todo.append(user)
    return False


def _read(walk: Walk, module: nn.Module) -> Trace:
    """Make axes and rules of the classes."""
    apart = {}
    for (name, dim), roles in walk.roles.items():
        if len(roles) > 1:
            why = f"{name} writes it and reads it, and tied weights cannot grow apart"
            walk.channels.pin(walk.places[name, dim], why)
            apart[name.removesuffix(".weight")] = why
    writers: dict[Hashable, str] = {
        (name, dim): name.removesuffix(".weight")
        for (name, dim), roles in walk.roles.items()
        if roles == {"writes"} and name.endswith(".weight")
    }
    found = lay_out(walk.channels, walk.places, writers)
    whole = walk.channels.whole()
    axes = {
        name: Axis(
            name=name,
            old=size,
            new=size,
            repetition="whole" if found.classes[name] in whole else "free",
            why=whole.get(found.classes[name], ""),
        )
        for name, size in found.sizes.items()
    }
    state = module.state_dict()
    rules = {name: _rule(walk, name, value.ndim, found.layouts) for name, value in state.items()}
    stays = walk.channels.pinned()
    return Trace(
        axes=axes,
        rules={name: rule for name, rule in rules.items() if rule},
        layouts=found.layouts,
        joint=walk.joint,
        settings=walk.settings,
        outputs={name: found.layouts[place] for place, name in writers.items()},
        stays={
            name: stays[root]
            for place, name in writers.items()
            for root in map(walk.channels.find, walk.places[place])
            if root in stays
        }
        | apart,
    )


def _rule(walk: Walk, name: str, rank: int, layouts: Mapping[Hashable, str]) -> Rule | None:
    dims = []
    for dim in range(rank):
        layout = layouts.get((name, dim), "0")
        role: Any = "keeps" if layout.isdigit() else next(iter(walk.roles[name, dim]))
        dims.append(Dim(role=role, layout="" if layout.isdigit() else layout))
    return Rule(dims=tuple(dims)) if any(each.layout for each in dims) else None


def casts(module: nn.Module, program: ExportedProgram) -> bool:
    """Whether it computes in fewer bits than its weights have."""
    widest = max((each.dtype.itemsize for each in module.parameters()), default=0)
    for node in program.graph.nodes:
        value = node.meta.get("val")
        computed = node.op == "call_function" and isinstance(value, torch.Tensor)
        if computed and value.is_floating_point() and value.dtype.itemsize < widest:
            return True
    return False


def calls(graph: torch.fx.Graph) -> dict[str, int]:
    """How often every module is called."""
    keys: dict[str, set[str]] = {}
    for node in graph.nodes:
        for key, (name, _) in (node.meta.get("nn_module_stack") or {}).items():
            keys.setdefault(name, set()).add(key)
    return {name: len(each) for name, each in keys.items()}
