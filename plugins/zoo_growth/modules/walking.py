"""A walk over an exported graph: which channels every tensor has, and what a rule needs of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Node

from zoo_growth.modules.channels import Channels

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from zoo_growth.modules.channels import Ids

    #: Gives what an operator answers; None where it has no rule for these tensors.
    OpRule = Callable[["Walk", Node], "Held | tuple[Held, ...] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is known of a tensor.

    Attributes:
        shape: of it.
        dims: channels along every dimension.
        source: name in the state dict, where it is a parameter or buffer as it is.
        order: its dimensions there.
    """

    shape: tuple[int, ...]
    dims: tuple[Ids, ...]
    source: str = ""
    order: tuple[int, ...] = ()

    @property
    def live(self) -> bool:
        """Whether anything of it could grow."""
        return any(each is not None for each in self.dims)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An attribute of a module that says a size.

    Attributes:
        module: its name.
        attribute: the attribute.
        places: where the size is laid out, one a number; the number itself where it stays.
    """

    module: str
    attribute: str
    places: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Channels that something sees all at once.

    Attributes:
        places: where they are laid out.
        why: half a sentence.
        alone: they must be one axis.
    """

    places: tuple[Hashable, ...]
    why: str
    alone: bool = False


@dataclass(kw_only=True, eq=False)
class Walk:
    """What is known after the nodes so far.

    Attributes:
        names: placeholder -> name in the state dict.
        channels: classes.
        values: node -> what it answers.
        roles: (name in the state dict, dimension) -> what it does there.
        places: everything whose layout is asked for.
        settings: sizes that modules know by themselves.
        unknown: (operator and where it is, node) without a rule.
        joint: channels that something sees all at once.
    """

    names: Mapping[str, str]
    channels: Channels = field(default_factory=Channels)
    values: dict[Node, Held | tuple[Held, ...]] = field(default_factory=dict)
    roles: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    places: dict[Hashable, Sequence[int]] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    unknown: list[tuple[str, Node]] = field(default_factory=list)
    joint: list[Joint] = field(default_factory=list)

    def parameter(self, name: str, shape: Sequence[int]) -> Held:
        """Number the channels of a parameter or buffer."""
        dims = tuple(self.channels.new(size) for size in shape)
        return Held(shape=tuple(shape), dims=dims, source=name, order=tuple(range(len(shape))))

    def held(self, given: Any) -> Held | None:
        """Give what is known of an argument."""
        found = self.values.get(given) if isinstance(given, Node) else None
        return found if isinstance(found, Held) else None

    def value(self, given: Any) -> Held | None:
        """Give what is known of an argument that is used for its values."""
        found = self.held(given)
        if found is None or not found.source:
            return found
        for dim in range(len(found.dims)):
            self.touch(found, dim, "writes")
        return replace(found, source="", order=())

    def touch(self, found: Held, dim: int, role: str) -> Ids:
        """Say what a parameter does along a dimension, and give its channels there."""
        ids = found.dims[dim]
        if found.source and ids is not None:
            place = (found.source, found.order[dim])
            self.roles.setdefault(place, set()).add(role)
            self.places[place] = ids
        return ids

    def inputs(self, node: Node) -> list[Held]:
        """Give all tensors that a node takes."""
        return [found for each in node.all_input_nodes for found in self._all(each)]

    def _all(self, node: Node) -> Iterator[Held]:
        found = self.values.get(node, ())
        yield from (found,) if isinstance(found, Held) else found

    def pin_inputs(self, node: Node, why: str) -> None:
        """Let everything stay that a node takes."""
        for found in self.inputs(node):
            for ids in found.dims:
                self.channels.pin(ids, why)

    def place(self, key: Hashable, ids: Ids, size: int) -> Hashable:
        """Ask for the layout of a dimension; its size where it cannot grow."""
        if ids is None:
            return size
        self.places[key] = ids
        return key


def bound(node: Node) -> dict[str, Any]:
    """Give the arguments of an operator by name, its defaults included."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]  # noqa: SLF001
    found = {each.name: each.default_value for each in schema if each.has_default_value()}
    found |= {each.name: value for each, value in zip(schema, node.args, strict=False)}
    return found | dict(node.kwargs)


def operator(node: Node) -> str:
    """Name an operator, whether it works in place or not."""
    schema = getattr(node.target, "_schema", None)
    name = schema.name.rpartition("::")[2] if schema else getattr(node.target, "__name__", "")
    return str(name or node.target).rstrip("_")


def module_of(node: Node) -> tuple[str, str]:
    """Give the name and the class of the module that a node is in."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    name, kind = stack[-1]
    text = kind if isinstance(kind, str) else kind.__name__
    return str(name), text.rpartition(".")[2]


def where(node: Node) -> str:
    """Say where a node is: ``in Attention at 'blocks.0.attention'``."""
    name, kind = module_of(node)
    return f"in {kind} at {name!r}" if name else f"in the forward of {kind or 'the module'}"


def shapes(node: Node) -> list[tuple[int, ...]]:
    """Give the shape of every tensor that a node answers; none where it answers no tensor."""
    value = node.meta.get("val")
    found = value if isinstance(value, list | tuple) else [value]
    return [tuple(map(int, each.shape)) for each in found if isinstance(each, torch.Tensor)]


def fixed(shape: Sequence[int]) -> Held:
    """Give a tensor of which nothing can grow."""
    return Held(shape=tuple(shape), dims=(None,) * len(shape))
