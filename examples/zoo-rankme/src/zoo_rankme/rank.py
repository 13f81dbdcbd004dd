"""RankMe: the effective rank of the features, a number of directions that need not be whole.

    RankMe(Z) = exp(-sum_k p_k ln p_k),   p_k = sigma_k / sum_j sigma_j + epsilon

sigma_k are the min(N, D) singular values of Z (N, D) as it comes, not centred. A layer whose
samples all point one way has 1; one that fills every direction evenly has min(N, D).

Garrido et al., "RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised
Representations by Their Rank", ICML 2023, arXiv 2210.02885.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from zoo import InputError, NotApplicable, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from zoo import Features

    Array = npt.NDArray[np.float64]


class RankMe:
    """Effective rank of the features; labels are not looked at.

    Args:
        epsilon: added to every share of the spectrum; the paper's value.
        share: divide by min(N, D), the largest that it can be, to compare layers of other widths.
    """

    def __init__(self, *, epsilon: float = 1e-7, share: bool = False) -> None:
        if not 0 < epsilon < 1:
            raise InputError(f"rankme.epsilon must be between 0 and 1, not {epsilon:g}.")
        self.epsilon = epsilon
        self.share = share

    def score(self, features: Features) -> Score:
        """Score one layer; the details hold both forms.

        Raises:
            NotApplicable: every activation is zero.
        """
        values = features.values.astype(np.float64)
        rank, most = self._rank(values), min(values.shape)
        samples, width = values.shape
        return Score(
            rank / most if self.share else rank,
            details={"rank": rank, "share": rank / most},
            note="N <= D: the samples bound it, not the layer" if samples <= width else "",
        )

    def score_many(self, features: Features, labels: Sequence[npt.NDArray[Any]]) -> Array:
        """Give every label set (B,) the same score, computed once."""
        return np.full(len(labels), self.score(features).value)

    def score_folds(self, features: Features, folds: Sequence[npt.NDArray[Any]]) -> Array:
        """Score without each group of samples, (K,).

        A wide Z is L Q' with orthonormal Q: rows of the small L have the singular values of the
        same rows of Z.
        """
        values = features.values.astype(np.float64)
        samples, width = values.shape
        if samples < width:
            values = np.asarray(np.linalg.qr(values.T, mode="r")).T
        scores = []
        for fold in folds:
            rank = self._rank(values[~fold])
            scores.append(rank / min((~fold).sum(), width) if self.share else rank)
        return np.array(scores)

    def _rank(self, values: Array) -> float:
        largest = np.abs(values).max(initial=0.0)
        if largest == 0:
            raise NotApplicable("every activation is zero.")
        # Its scale does not matter, and might overflow.
        spectrum = np.linalg.svd(values / largest, compute_uv=False)
        shares = spectrum / spectrum.sum() + self.epsilon
        return float(np.exp(-(shares * np.log(shares)).sum()))
