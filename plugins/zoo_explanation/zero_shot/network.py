"""Two graph convolutions (torch_geometric): texts in, rows of a classifier out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional
from torch_geometric.nn import SAGEConv

if TYPE_CHECKING:
    from torch import Tensor


class GraphNetwork(nn.Module):
    """D^-1 A H W + b twice, with LeakyReLU(.2) and dropout between; rows of unit length.

    The layers of Geng et al., Semantic Web 12(5), 2021 (section 3.1), after Wang et al., CVPR 2018.
    """

    def __init__(self, texts: int, hidden: int, columns: int, dropout: float) -> None:
        super().__init__()
        # A sum over a matrix whose rows add up to one, self loops included, is the mean.
        self.first = SAGEConv(texts, hidden, aggr="sum", root_weight=False)
        self.second = SAGEConv(hidden, columns, aggr="sum", root_weight=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, texts: Tensor, means: Tensor) -> Tensor:
        """Compute (N, columns) from (N, texts) and D^-1 A, an (N, N) sparse matrix."""
        hidden = functional.leaky_relu(self.first(texts, means), 0.2)
        return functional.normalize(self.second(self.dropout(hidden), means), dim=1)
