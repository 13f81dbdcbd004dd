"""Graph self-distillation of torch-geometric models: what their layers give, gathered by hooks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo_distillation.gnnsd import (
    connected,
    neighbourhood_discrepancy,
    readout_loss,
    retention_loss,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def attach(model: nn.Module, *, beta: float = 0.0) -> Iterator[GraphLayers]:
    """Gather what every message-passing layer of a model gives, inside the block.

    ``loss()`` of what it yields is that of the last forward pass::

        with attach(model) as layers:
            loss = cross_entropy(model(x, edge_index), y) + 0.1 * layers.loss()

    Args:
        model: made of ``torch_geometric.nn.MessagePassing`` layers, over one kind of nodes.
        beta: weight of the read-outs beside the discrepancy, see :class:`GraphSelfDistillation`.

    Raises:
        InputError: torch-geometric is absent, or the model has no such layer.
    """
    found = _message_passing(model)
    if not found:
        raise InputError(
            "gnnsd needs a graph: nodes that keep their neighbours from layer to layer; "
            f"{type(model).__name__} has no torch_geometric.nn.MessagePassing layer.",
        )
    layers = GraphLayers(beta)
    handles = [model.register_forward_pre_hook(layers.restart)]
    handles += [each.register_forward_hook(layers.gather, with_kwargs=True) for each in found]
    try:
        yield layers
    finally:
        for handle in handles:
            handle.remove()


class GraphLayers:
    """The layers of one forward pass: node features (N, D_l), and the edges they were made over."""

    def __init__(self, beta: float = 0.0) -> None:
        self.beta = beta
        self.nodes: list[Tensor] = []
        self.edges: list[Tensor] = []

    def loss(self, batch: Tensor | None = None) -> Tensor:
        """Give the discrepancy that was lost, and ``beta`` times the loss of the read-outs.

        Args:
            batch: (N,) int64, the graph of each node, for read-outs; None: all are of one.

        Raises:
            InputError: there are no two layers over the same nodes.
        """
        sizes = sorted({each.shape[0] for each in self.nodes})
        if len(self.nodes) < 2 or len(sizes) > 1:
            what = f"of {' and '.join(map(str, sizes))} nodes" if sizes else "before a forward pass"
            raise InputError(
                "gnnsd compares two layers or more over the same nodes, and this model has "
                f"{len(self.nodes)} {what}."
            )
        pairs = list(zip(self.nodes, self.edges, strict=True))
        rates = [neighbourhood_discrepancy(*pair) for pair in pairs]
        kept = torch.stack([connected(edges, len(nodes)) for nodes, edges in pairs]).all(dim=0)
        loss = retention_loss(rates, kept)
        if self.beta:
            loss = loss + self.beta * readout_loss([_mean(each, batch) for each in self.nodes])
        return loss

    def restart(self, _: nn.Module, __: tuple[Any, ...]) -> None:
        """Forget the pass before: a forward pre-hook of the model."""
        self.nodes, self.edges = [], []

    def gather(
        self, layer: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], output: Any
    ) -> None:
        """Keep what a layer gives: a forward hook.

        Raises:
            InputError: it reads no edges, or joins two kinds of nodes.
        """
        given = (*inputs, *named.values())
        edges = next((found for found in map(_edges, given) if found is not None), None)
        nodes = output[0] if isinstance(output, tuple) else output
        if edges is None or isinstance(given[0], tuple):
            raise InputError(
                f"gnnsd needs layers over one kind of nodes, and {type(layer).__name__} reads "
                f"{'no edge_index' if edges is None else 'two kinds'}."
            )
        self.nodes.append(nodes)
        self.edges.append(edges)


def _message_passing(model: nn.Module) -> list[nn.Module]:
    """List the message-passing layers that are no part of another one."""
    try:
        from torch_geometric.nn import MessagePassing
    except ImportError:
        raise InputError(
            "gnnsd of a graph network needs torch-geometric, which is not installed.",
            "pip install 'zoo-reuse[graph]'",
        ) from None
    names: list[str] = []
    found: list[nn.Module] = []
    for name, module in model.named_modules():
        inside = any(not other or name.startswith(f"{other}.") for other in names)
        if isinstance(module, MessagePassing) and not inside:
            names.append(name)
            found.append(module)
    return found


def _edges(value: Any) -> Tensor | None:
    """Give the (2, E) edges that a layer was called with, from node to neighbour."""
    if not isinstance(value, Tensor):
        return None
    if value.layout is not torch.strided:  # the transposed adjacency matrix, (N, N)
        return value.to_sparse(layout=torch.sparse_coo).coalesce().indices().flip(0)
    fits = value.ndim == 2 and value.shape[0] == 2 and not value.is_floating_point()
    return value if fits else None


def _mean(nodes: Tensor, batch: Tensor | None) -> Tensor:
    """Average nodes (N, D) over their graphs: (graphs, D)."""
    if batch is None:
        return nodes.mean(dim=0, keepdim=True)
    sizes = torch.bincount(batch)
    sums = nodes.new_zeros(len(sizes), nodes.shape[1]).index_add(0, batch, nodes)
    return sums / sizes.clamp(min=1).unsqueeze(1).to(nodes.dtype)
