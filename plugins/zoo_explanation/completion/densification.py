"""Links between nodes whose texts are alike, for graphs with few links of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_ROWS = 512
#: Texts that are the same say nothing of how near their nodes are.
_SAME = 1 - 1e-6


def similar_pairs(vectors: Array, threshold: float) -> Array:
    """Find pairs of nodes whose texts are alike: (P, 2) int64, each pair once, lower first.

    Args:
        vectors: (N, E) of unit length; rows of zeros are like nothing.
        threshold: least cosine.
    """
    found = []
    for start in range(0, len(vectors), _ROWS):
        cosine = vectors[start : start + _ROWS] @ vectors.T
        row, column = np.nonzero((cosine >= threshold) & (cosine < _SAME))
        kept = row + start < column
        found.append(np.stack([row[kept] + start, column[kept]], axis=1))
    return np.concatenate([np.empty((0, 2), np.int64), *found]).astype(np.int64)
