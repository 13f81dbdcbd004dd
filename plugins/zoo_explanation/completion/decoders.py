"""Decoders: how likely each node is the answer, from the asked node and the relation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ConvolutionDecoder(nn.Module):
    """ConvTransE (Shang et al., AAAI 2019): a convolution along aligned coordinates.

    Same padding and no reshaping keep coordinate i of node and relation together, so that it can
    translate as TransE does.
    """

    def __init__(
        self, relations: int, width: int, *, channels: int, kernel: int, dropout: float, bias: float
    ) -> None:
        super().__init__()
        self.relation = nn.Embedding(relations, width)
        self.convolution = nn.Sequential(
            nn.BatchNorm1d(2),
            nn.Dropout(dropout),
            nn.Conv1d(2, channels, kernel, padding=kernel // 2),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Dropout1d(dropout),  # whole channels: a draw for each number costs a quarter more
            nn.Flatten(),
            nn.Linear(channels * width, width),
            nn.Dropout(dropout),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.bias = nn.Parameter(torch.tensor(bias))
        nn.init.normal_(self.relation.weight, std=width**-0.5)

    def forward(self, nodes: Tensor, heads: Tensor, relations: Tensor) -> Tensor:
        """Give logits: (B, N)."""
        pair = torch.stack([nodes[heads], self.relation(relations)], dim=1)
        moved: Tensor = self.convolution(pair)
        return moved @ nodes.T + self.bias


class ProductDecoder(nn.Module):
    """DistMult: the sum of the products of three vectors' coordinates."""

    def __init__(self, relations: int, width: int, *, bias: float) -> None:
        super().__init__()
        self.relation = nn.Embedding(relations, width)
        self.bias = nn.Parameter(torch.tensor(bias))
        nn.init.normal_(self.relation.weight)

    def forward(self, nodes: Tensor, heads: Tensor, relations: Tensor) -> Tensor:
        """Give logits: (B, N)."""
        turned: Tensor = nodes[heads] * self.relation(relations)
        return turned @ nodes.T + self.bias


class TranslationDecoder(nn.Module):
    """TransE: how far the head, moved by the relation, is from each node; the scale is learnt."""

    def __init__(self, relations: int, width: int, *, bias: float) -> None:
        super().__init__()
        self.relation = nn.Embedding(relations, width)
        self.bias = nn.Parameter(torch.tensor(0.0))
        # Two random vectors of unit length are this far apart.
        self.scale = nn.Parameter(torch.tensor(-bias / math.sqrt(2)))
        nn.init.normal_(self.relation.weight, std=0.1 * width**-0.5)

    def forward(self, nodes: Tensor, heads: Tensor, relations: Tensor) -> Tensor:
        """Give logits: (B, N)."""
        moved: Tensor = nodes[heads] + self.relation(relations)
        return self.bias - self.scale * torch.cdist(moved, nodes)
