"""Attention of classes to seen classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def attention(
    queries: Tensor, keys: Tensor, allowed: Tensor, *, temperature: float, least: float
) -> Tensor:
    """Weigh keys by their cosine with each query.

    What is not allowed gets minus infinity before the softmax, so exactly nothing after it. (A
    mask of zeros and ones would leave it exp(0).) Geng et al., Semantic Web 12(5), 2021.

    Args:
        queries: (Q, K) of unit length.
        keys: (N, K) of unit length.
        allowed: (Q, N) or (N,) bool; at least one a query.
        temperature: that cosines are multiplied with.
        least: smaller weights become nothing; the largest of a row stays.

    Returns:
        (Q, N); rows add up to 1 but for what was cut.
    """
    scores = (temperature * queries @ keys.T).masked_fill(~allowed, -torch.inf)
    weights = torch.softmax(scores, dim=1)
    cut = (weights < least) & (weights < weights.amax(dim=1, keepdim=True))
    return weights.masked_fill(cut, 0.0)
