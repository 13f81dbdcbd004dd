"""The head of Exemplar-CNN: only a training needs it, and with it torch."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 -- its usual name
from torch import Tensor, nn


class SeedClassifier(nn.Module):
    """A linear layer over features, and the cross-entropy of its logits.

    Args:
        width: D, of the features.
        classes: N seeds.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """Give the mean loss of (B, D) features, made from the seeds (B,)."""
        return F.cross_entropy(self.linear(features), classes)
