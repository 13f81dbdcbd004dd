"""Vectors of nodes: free ones, their texts, and what their neighbours say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo_explanation.completion.neighbours import NeighbourEncoder


@dataclass(frozen=True)
class Edges:
    """Messages between nodes.

    Attributes:
        ends: (2, M): from, to.
        kinds: (M,): relation, or its inverse, or likeness of the texts.
    """

    ends: Tensor
    kinds: Tensor


class NodeEncoder(nn.Module):
    """Joins the text of each node with what its neighbours say: (N, width).

    Args:
        texts: (N, E) vectors; None gives every node a vector of its own.
        count: N.
        width: of each part.
        kinds: how many kinds of edges there are; 0 does without neighbours.
        layers: of messages.
        dropout: between them.
    """

    def __init__(
        self,
        texts: Tensor | None,
        count: int,
        width: int,
        *,
        kinds: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.texts = texts
        self.neighbours = neighbour_encoder(width, kinds, layers, dropout) if kinds else None
        if texts is None:
            self.own = nn.Embedding(count, width)
            nn.init.normal_(self.own.weight, std=width**-0.5)
        self.read = nn.Identity() if texts is None else nn.Linear(texts.shape[1], width)
        self.start = nn.Identity() if texts is None else nn.Linear(texts.shape[1], width)
        joined = texts is not None and self.neighbours is not None
        self.read_width = width
        self.width = 2 * width if joined else width

    def forward(self, nodes: Tensor, edges: Edges, shown: Tensor | None = None) -> Tensor:
        """Encode some nodes.

        Args:
            nodes: (n,) which.
            edges: between them, by their place in ``nodes``.
            shown: (width,) which columns of the texts are seen; None for all.
        """
        start: Tensor = self.own(nodes) if self.texts is None else self.texts[nodes]
        if self.neighbours is None:
            return self.read(start)  # type: ignore[no-any-return]  # torch's modules give Any
        heard: Tensor = self.neighbours(self.start(start), edges)
        if self.texts is None:
            return heard
        read: Tensor = self.read(start)
        return torch.cat([read if shown is None else read * shown, heard], dim=1)


def neighbour_encoder(width: int, kinds: int, layers: int, dropout: float) -> NeighbourEncoder:
    """Make the part that needs torch_geometric.

    Raises:
        InputError: it is not installed.
    """
    try:
        from zoo_explanation.completion.neighbours import NeighbourEncoder
    except ImportError as error:
        raise InputError(
            "the graph encoder needs torch_geometric, which is not installed.",
            "pip install 'zoo-reuse[graph]', or --set convtranse.encoder=none for texts alone.",
        ) from error
    return NeighbourEncoder(width, kinds, layers=layers, dropout=dropout)


def columns_shown(width: int, share: float, generator: torch.Generator) -> Tensor | None:
    """Draw which columns of the texts are seen: more and more, then all.

    Without it the texts explain so much that the neighbours are never learnt from.

    Args:
        width: how many there are.
        share: of them to see; None is given for all.
        generator: draws.
    """
    if share >= 1:
        return None
    shown = torch.zeros(width)
    shown[torch.randperm(width, generator=generator)[: int(width * share)]] = 1.0
    return shown
