"""RSA and DDS: how alike two models see the same samples; the other one is a reference.

Dwivedi and Roig, "Representation Similarity Analysis for Efficient Task Taxonomy and Transfer
Learning", CVPR 2019, arXiv 1904.11740; Dwivedi et al., "Duality Diagram Similarity", ECCV 2020,
arXiv 2008.02107.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.types.score import Score
from zoo_transferability.pairs import (
    Binned,
    cosine,
    distances,
    part_of,
    ranks,
    standardised,
    unit_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class RSA:
    """100 x Spearman correlation of the two models' correlation distances over all pairs.

    Args:
        samples: most samples whose pairs are compared; more are cut to a stratified part.
        seed: of that part.
    """

    def __init__(self, *, samples: int = 3000, seed: int = 0) -> None:
        if samples < 3:
            raise InputError(f"rsa.samples must be at least 3, not {samples}.")
        self.samples, self.seed = samples, seed

    def score(self, features: Features) -> Score:
        """Score one layer; samples that are constant to either model are dropped and counted.

        Raises:
            NotApplicable: no reference, or too few samples.
        """
        own, other, kept = self._rows(features)
        value = 100.0 * cosine(ranks(distances(own)), ranks(distances(other)))
        details = {"samples": float(kept.sum()), "dropped": float((~kept).sum())}
        return Score(value, details=details, bounds=(-100.0, 100.0))

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples, from scratch, with ranks that are close to 1e-6."""
        result = []
        for group in folds:
            own, other, _ = self._rows(features.rows(~group))
            result.append(100.0 * cosine(Binned(own).ranks, Binned(other).ranks))
        return np.array(result)

    def _rows(self, features: Features) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        chosen = part_of(features, self.samples, self.seed)
        own, other, kept = _rows(features, chosen, centre=True)
        if kept.sum() < 3:
            raise NotApplicable("needs at least 3 samples that vary over their features.")
        return own[kept], other[kept], kept


class DDS:
    """100 x debiased centred kernel alignment of cosine similarities; no pair is ever formed."""

    def score(self, features: Features) -> Score:
        """Score one layer; samples without a direction to either model are dropped and counted.

        Raises:
            NotApplicable: no reference, or too few samples.
        """
        own, other, kept = _rows(features, np.arange(len(features.labels)), centre=False)
        own, other = own[kept], other[kept]
        if len(own) < 4:
            raise NotApplicable("needs at least 4 samples that differ from the mean.")
        cross, first, second = (
            _debiased(a, b) for a, b in ((own, other), (own, own), (other, other))
        )
        scale = float(np.sqrt(max(first, 0.0) * max(second, 0.0)))
        value = 100.0 * cross / scale if scale > 0 else 0.0
        details = {"dropped": float((~kept).sum())}
        return Score(value, details=details, bounds=(-100.0, 100.0))


def _rows(
    features: Features, chosen: npt.NDArray[np.int64], *, centre: bool
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Unit rows of both models, and which samples have a direction in both."""
    if features.reference is None:
        raise NotApplicable("needs a reference model.")
    own, directed = unit_rows(standardised(features.values[chosen]), centre=centre)
    other, other_directed = unit_rows(
        standardised(features.reference.values[chosen]), centre=centre
    )
    return own, other, directed & other_directed


def _debiased(first: Array, second: Array) -> float:
    """Inner product of two U-centred kernels of unit rows, diagonals left out.

    tr(KL) + (1'K1)(1'L1) / ((n - 1)(n - 2)) - 2 / (n - 2) 1'KL1, with K = XX' - I, L = YY' - I.
    """
    samples = len(first)
    if samples < min(first.shape[1], second.shape[1]):
        shared = float(((first @ first.T) * (second @ second.T)).sum()) - samples
    else:
        shared = float(np.square(first.T @ second).sum()) - samples
    of_first = first @ first.sum(axis=0) - 1.0
    of_second = second @ second.sum(axis=0) - 1.0
    totals = float(of_first.sum() * of_second.sum()) / ((samples - 1) * (samples - 2))
    return shared + totals - 2.0 * float(of_first @ of_second) / (samples - 2)
