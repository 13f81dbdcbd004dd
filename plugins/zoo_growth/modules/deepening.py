"""Net2DeeperNet for a module: layers that do nothing yet, behind activations that allow it.

Where the activation is a module of its own that is called once, it is followed by the new layer
and itself again. Where it is a function, the layer before it is; and where that one is read by
others, too, the layer behind it is preceded by them.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from zoo.errors import InputError
from zoo.growing.depth import stacked
from zoo.growing.sizes import deepened
from zoo_growth.modules.activations import activation_of, opens_a_gate
from zoo_growth.modules.operators import identity_convolution, identity_linear, pair, undo
from zoo_growth.modules.tracing import calls
from zoo_growth.modules.walking import bound, module_of, operator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch.fx import Graph, Node

    from zoo.types.growing import Deepen
    from zoo_growth.modules.activations import Activation

_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_MAPS = ("linear", "addmm", "conv1d", "conv2d", "conv3d", "convolution")
_HINT = (
    "Layers can be inserted behind ReLU, ReLU6, abs, hardtanh (identity layers), and behind GELU, "
    "SiLU, hardswish, quick-GELU and leaky ReLU (pairs)."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """Where a layer can be inserted.

    Attributes:
        activation: that comes before it.
        module: name of the module to replace.
        how: it is the activation, what comes before it, or what comes behind.
        kernel: of the convolution before it; None where that is a linear map.
        bias: the map before it has one.
        norm: epsilon and momentum of the batch norm between the two; None where there is none.
        stage: sites with the same word belong together.
    """

    activation: Activation
    module: str
    how: Literal["itself", "before", "behind"]
    kernel: tuple[int, ...] | None
    bias: bool
    norm: tuple[float, float] | None
    stage: str

    @property
    def channels(self) -> int:
        """Of the activation."""
        shape = self.activation.node.meta["val"].shape
        return int(shape[-1] if self.kernel is None else shape[-1 - len(self.kernel)])


def deeper(
    module: nn.Module, graph: Graph, step: Deepen, run: Callable[[nn.Module], object]
) -> tuple[nn.Module, tuple[str, ...]]:
    """Give a deeper copy of a module that computes the same function, and what to know of it.

    Args:
        module: in eval mode; stays as it is.
        graph: of it.
        step: how many layers, and where.
        run: asks a module for its answers; batch norms of new layers are set by what it asks.

    Raises:
        InputError: an activation behind which nothing can be inserted, or no such number.
    """
    sites = find_sites(module, graph)
    stages = list(dict.fromkeys(each.stage for each in sites))
    old = [sum(each.stage == stage for each in sites) for stage in stages]
    new = deepened("depth", step.depth, old)
    larger = copy.deepcopy(module)
    made: list[nn.Module] = []
    for stage, before, after in zip(stages, old, new, strict=True):
        own = [each for each in sites if each.stage == stage]
        source = Counter(stacked(stage, before, after, place=step.place).source)
        for number, site in enumerate(own):
            made += _insert(larger, site, source[number] - 1)
    norms = [each for each in made if isinstance(each, _BatchNorm)]
    _let_undo(norms, lambda: run(larger.eval()))
    notes = [
        f"{added} new {'layer' if added == 1 else 'layers'} {stage}."
        for stage, added in zip(stages, (a - b for a, b in zip(new, old, strict=True)), strict=True)
        if added
    ]
    if norms:
        notes.append(
            "New batch norms undo themselves in eval mode exactly; in train mode, where a batch "
            "has statistics of its own, only about."
        )
    return larger, tuple(notes)


def find_sites(module: nn.Module, graph: Graph) -> list[Site]:
    """Find where layers can be inserted, in the order of the computation.

    Raises:
        InputError: nowhere; with the activation that is in the way.
    """
    found = [each for node in graph.nodes if (each := activation_of(node))]
    called = calls(graph)
    sites = [
        site
        for each in found
        if each.usable and not opens_a_gate(each.node)
        if (site := _site(module, graph, called, each))
    ]
    if sites:
        return sites
    for each in found if not any(each.usable for each in found) else ():
        if not each.usable:
            name, kind = module_of(each.node)
            where = f"{kind} {name!r}" if name else f"the forward of {type(module).__name__}"
            raise InputError(
                f"{each.name} ({where}) neither stays the same when it is applied twice nor gives "
                "its input back as phi(x) - phi(-x), so no layer can be inserted behind it that "
                "keeps the function.",
                _HINT,
            )
    raise InputError(
        "there is no activation behind which a layer could be inserted: none belongs to a Linear "
        "or Conv part that is called once.",
        _HINT,
    )


def _site(
    module: nn.Module, graph: Graph, called: Mapping[str, int], activation: Activation
) -> Site | None:
    writer, norm = _writer(activation.given)
    ranks = [len(each.meta["val"].shape) for each in (writer, activation.node) if each is not None]
    if writer is None or activation.make is None or len(set(ranks)) != 1:
        return None
    place = _place(module, graph, called, activation)
    if place is None:
        return None
    said, kernel = bound(writer), None
    if operator(writer) not in {"linear", "addmm"}:
        sizes = tuple(int(size) for size in said["weight"].meta["val"].shape[2:])
        plain = said.get("groups", 1) == 1 and all(size % 2 for size in sizes)
        kernel = sizes if plain else (1,) * len(sizes)
    shape = tuple(int(size) for size in activation.node.meta["val"].shape)
    spatial = shape[len(shape) - len(kernel) :] if kernel else ()
    return Site(
        activation=activation,
        module=place[0],
        how=place[1],
        kernel=kernel,
        bias=said.get("bias") is not None,
        norm=norm if activation.idempotent and (kernel or len(shape) == 2) else None,
        stage=f"at {' x '.join(map(str, spatial))}" if kernel else "of linear maps",
    )


def _writer(node: Node) -> tuple[Node | None, tuple[float, float] | None]:
    """Find the nearest linear map or convolution before a node, and a batch norm between."""
    todo, seen, norm = [node], {node}, None
    while todo:
        each = todo.pop(0)
        if operator(each) in _MAPS and each.op == "call_function":
            return each, norm
        if operator(each) == "batch_norm" and norm is None:
            said = bound(each)
            norm = (float(said["eps"]), float(said["momentum"]))
        for before in each.all_input_nodes:
            if before not in seen:
                seen.add(before)
                todo.append(before)
    return None, None


def _place(
    module: nn.Module, graph: Graph, called: Mapping[str, int], activation: Activation
) -> tuple[str, Literal["itself", "before", "behind"]] | None:
    """Find the module to replace; none where every one does more than is wanted."""
    node, given = activation.node, activation.given
    name, _ = module_of(node)
    if called.get(name) == 1 and name and _is_only(module, graph, name, node):
        return name, "itself"
    inside = _between(given, node)
    before, _ = module_of(given)
    alone = set(given.users) <= inside and _ends(graph, before, given)
    if before and called.get(before) == 1 and alone:
        return before, "before"
    readers = list(node.users)
    behind, _ = module_of(readers[0]) if len(readers) == 1 else ("", "")
    if behind and called.get(behind) == 1:
        part = module.get_submodule(behind)
        if isinstance(part, nn.Linear | _ConvNd) and node in readers[0].all_input_nodes:
            return behind, "behind"
    return None


def _is_only(module: nn.Module, graph: Graph, name: str, node: Node) -> bool:
    """Whether a module is an activation and nothing else."""
    part = module.get_submodule(name)
    return not any(True for _ in part.parameters()) and _ends(graph, name, node)


def _ends(graph: Graph, name: str, node: Node) -> bool:
    """Whether a node is the one answer of a module."""
    own = {
        each
        for each in graph.nodes
        if any(path == name for path, _ in (each.meta.get("nn_module_stack") or {}).values())
    }
    return all(each is node or set(each.users) <= own for each in own) and node in own


def _between(given: Node, node: Node) -> set[Node]:
    """The nodes of an activation."""
    found = {node}
    todo = [node]
    while todo:
        for each in todo.pop().all_input_nodes:
            if each is not given and each not in found and _depends(each, given):
                found.add(each)
                todo.append(each)
    return found


def _depends(node: Node, given: Node) -> bool:
    return operator(node) in {"mul", "sigmoid"} and (
        given in node.all_input_nodes or any(_depends(e, given) for e in node.all_input_nodes)
    )


def _insert(larger: nn.Module, site: Site, count: int) -> list[nn.Module]:
    """Put so many layers at a site, and give their parts."""
    if count <= 0:
        return []
    part = larger.get_submodule(site.module)
    like = next(part.parameters(), next(larger.parameters()))
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += _unit(part, site, like)
    row = [*layers, part] if site.how == "behind" else [part, *layers]
    replacement = nn.Sequential(*row).train(part.training)
    owner, _, name = site.module.rpartition(".")
    setattr(larger.get_submodule(owner), name, replacement)
    return layers


def _unit(part: nn.Module, site: Site, like: torch.Tensor) -> list[nn.Module]:
    """Give the parts of one new layer, in their order."""
    assert site.activation.make is not None
    phi = copy.deepcopy(part) if site.how == "itself" else site.activation.make()
    if not site.activation.idempotent:
        first, second = pair(
            site.channels,
            site.kernel,
            factor=site.activation.factor,
            bias=site.bias,
            dtype=like.dtype,
        )
        return [first.to(like), phi, second.to(like)]
    identity: nn.Module = (
        identity_linear(site.channels, bias=site.bias)
        if site.kernel is None
        else identity_convolution(site.channels, site.kernel, bias=site.bias)
    )
    unit = [identity.to(like)]
    if site.norm is not None:
        eps, momentum = site.norm
        make = _NORMS[len(site.kernel or (1,))]
        unit.append(make(site.channels, eps=eps, momentum=momentum).to(like))
    return [phi, *unit] if site.how == "before" else [*unit, phi]


def _let_undo(norms: Sequence[_BatchNorm], run: Callable[[], object]) -> None:
    """Set new batch norms by what reaches them, one after the other in one pass."""
    hooks = [
        each.register_forward_pre_hook(lambda norm, given: undo(norm, given[0])) for each in norms
    ]
    if norms:
        run()
    for hook in hooks:
        hook.remove()
