# ruff: noqa: ARG002 - the contract names what it passes
"""Graph self-distillation: deep layers keep neighbouring nodes as different as earlier ones did.

Chen et al., "On Self-Distilling Graph Neural Network", IJCAI 2021, arXiv 2011.02255. There is no
public code: this is the paper's formula, with means over nodes for its squared distances. The
paper trains graph networks; the tokens of a vision transformer are a graph too, of patches and
their four neighbours, which is an experiment. A batch is one graph of parts that do not touch.
"""

from __future__ import annotations

from itertools import groupby
from math import inf, prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson

#: Layers of one grid, without which none can be compared with the ones before.
FEWEST_LAYERS = 3


class GraphSelfDistillation:
    """Retain the discrepancy between neighbouring tokens from layer to layer.

    Args:
        beta: weight of drawing the read-outs of all layers to that of the last one, beside the
            discrepancy; 0 leaves it out.
    """

    def __init__(self, *, beta: float = 0.0) -> None:
        if not 0 <= beta < inf:
            raise InputError(f"gnnsd.beta must be a number of 0 or more, not {beta}.")
        self.beta = beta

    def watch(self, student: Sequence[FeatureShape]) -> Sequence[str]:
        """Name the layers of the grid that lasts longest, the deeper one of two that tie.

        Raises:
            InputError: none lasts for three layers and for half of them.
        """
        runs = [(grid, list(run)) for grid, run in groupby(student, key=lambda each: each.grid)]
        grids = [(grid, run) for grid, run in runs if grid is not None and prod(grid) > 1]
        longest: list[FeatureShape] = max((run for _, run in reversed(grids)), key=len, default=[])
        # Convolutional networks keep a grid for some of their blocks only.
        if len(longest) < max(FEWEST_LAYERS, len(student) / 2):
            raise InputError(
                "gnnsd needs a graph: nodes that keep their neighbours from layer to layer, as the "
                f"tokens of a vision transformer; {_described([grid for grid, _ in grids])}.",
                "--method kd,rkd",
            )
        return tuple(each.tap for each in longest)

    def weights(self) -> Mapping[str, float]:
        """Weigh the read-outs by ``beta``, where they are not left out."""
        return {"discrepancy": 1.0} | ({"readout": self.beta} if self.beta else {})

    def build(self, classroom: Classroom) -> nn.Module:
        """Make a module without parameters."""
        return TokenGraphs(tuple(self.weights()))


def _described(grids: Sequence[tuple[int, int]]) -> str:
    listed = ", ".join(dict.fromkeys(f"{height}x{width}" for height, width in grids))
    if not listed:
        return "this student gives one vector a sample"
    if len(set(grids)) == 1:
        return f"this student has fewer than {FEWEST_LAYERS} layers on its grid of {listed}"
    return f"this student is a convolutional network or like one, its grids change: {listed}"


class TokenGraphs(nn.Module):
    """The losses of one batch; see :class:`GraphSelfDistillation`."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give scalar losses by name, unweighted; reads (B, C, H, W) maps of one grid."""
        maps = lesson.watched
        losses = {"discrepancy": retention_loss([grid_discrepancy(each) for each in maps])}
        if "readout" in self.names:
            losses["readout"] = readout_loss([each.mean(dim=(2, 3)) for each in maps])
        return losses


def neighbourhood_discrepancy(nodes: Tensor, edges: Tensor) -> Tensor:
    """Say how much each node differs from its neighbours: one minus the cosine to their sum.

    Args:
        nodes: (N, D) features.
        edges: (2, E) int64, from row 0 to row 1; both ways for an undirected graph. Edges of a
            node to itself do not count.

    Returns:
        (N,) in [0, 2]; 0 for a node without neighbours.
    """
    source, target = edges[:, edges[0] != edges[1]]
    sums = torch.zeros_like(nodes).index_add(0, target, nodes[source])
    rates = 1 - functional.cosine_similarity(nodes, sums, dim=1)
    return torch.where(connected(edges, nodes.shape[0]), rates, torch.zeros_like(rates))


def connected(edges: Tensor, nodes: int) -> Tensor:
    """Say which of so many nodes have a neighbour: (N,) bool."""
    source, target = edges
    found = torch.zeros(nodes, dtype=torch.int64, device=edges.device)
    return found.index_add(0, target, (source != target).long()) > 0


def grid_discrepancy(maps: Tensor) -> Tensor:
    """Compute :func:`neighbourhood_discrepancy` of grids whose tokens have four neighbours.

    Args:
        maps: (B, C, H, W), of two tokens or more.

    Returns:
        (B, H, W) in [0, 2].
    """
    wide = functional.pad(maps, (1, 1, 1, 1))
    upright = wide[:, :, :-2, 1:-1] + wide[:, :, 2:, 1:-1]
    sums = upright + wide[:, :, 1:-1, :-2] + wide[:, :, 1:-1, 2:]
    return 1 - functional.cosine_similarity(maps, sums, dim=1)


def retention_loss(rates: Sequence[Tensor], kept: Tensor | None = None) -> Tensor:
    """Draw the discrepancy of a layer to that of the one before, where it got smaller.

    Layers before the one with the largest discrepancy, the last one apart, are free. The layer
    before is a constant.

    Args:
        rates: one a layer, in the order of the forward pass, of one shape, 0 for nodes without
            neighbours.
        kept: bool of that shape, nodes that have neighbours, over which means are taken; None: all.

    Returns:
        A scalar, 0 where no layer lost anything.
    """
    layers = torch.stack([each.flatten() for each in rates])
    if kept is not None:
        layers = layers[:, kept.flatten()]
    if layers.shape[0] < 2 or not layers.shape[1]:
        return layers.sum() * 0
    with torch.no_grad():
        norms = torch.linalg.vector_norm(layers, dim=1)
        numbers = torch.arange(len(norms) - 1, device=norms.device)
        lost = (norms[1:] < norms[:-1]) & (numbers >= norms[:-1].argmax())
    distances = (layers[1:] - layers[:-1].detach()).square().mean(dim=1)
    return torch.where(lost, distances, torch.zeros_like(distances)).sum()


def readout_loss(readouts: Sequence[Tensor]) -> Tensor:
    """Draw the vectors of all layers to those of the last one, which is a constant.

    Args:
        readouts: (B, D_l) one a layer; layers of another width than the last are left out.

    Returns:
        A scalar: the mean squared differences, summed over layers.
    """
    *earlier, last = readouts
    alike = [each for each in earlier if each.shape == last.shape]
    if not alike:
        return last.sum() * 0
    squared: Tensor = (torch.stack(alike) - last.detach()).square()
    return squared.flatten(1).mean(dim=1).sum()
