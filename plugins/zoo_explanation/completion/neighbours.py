"""A graph convolution that weighs relations and attends to neighbours (torch_geometric)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import softmax

if TYPE_CHECKING:
    from zoo_explanation.completion.encoders import Edges


class AttentiveConvolution(MessagePassing):  # type: ignore[misc]  # torch_geometric has no types
    """One layer of the weighted graph convolution with attention (Malaviya et al., AAAI 2020).

    A message is ``a_r W h_u``; its weight the softmax of its product with ``h_v`` over everything
    that reaches v. The sum is not divided by the degree once more, as the softmax has done so.
    """

    def __init__(self, width: int, kinds: int) -> None:
        super().__init__(aggr="add", node_dim=0)
        self.message_weight = nn.Linear(width, width, bias=False)
        self.own_weight = nn.Linear(width, width)
        self.kind_weight = nn.Parameter(torch.ones(kinds))

    def forward(self, h: Tensor, edges: Edges) -> Tensor:
        """Give the next vectors: (n, width)."""
        sent = self.message_weight(h)
        reached: Tensor = self.propagate(
            edges.ends, h=h, sent=sent, kinds=edges.kinds, size=(len(h), len(h))
        )
        own: Tensor = self.own_weight(h)
        return reached + own

    def message(
        self, h_i: Tensor, sent_j: Tensor, kinds: Tensor, index: Tensor, size_i: int
    ) -> Tensor:
        """Weigh what each edge carries."""
        carried = self.kind_weight[kinds, None] * sent_j
        weight: Tensor = softmax((carried * h_i).sum(dim=1), index, num_nodes=size_i)
        return weight[:, None] * carried


class NeighbourEncoder(nn.Module):
    """Layers of attentive convolutions, each normalised, squashed and dropped out."""

    def __init__(self, width: int, kinds: int, *, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(AttentiveConvolution(width, kinds) for _ in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, edges: Edges) -> Tensor:
        """Encode (n, width) by their neighbours."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = self.dropout(torch.tanh(norm(layer(h, edges))))
        return h
