"""LFC: correlation of the kernel XX' with the matrix that is 1 for same-class pairs, -1 for others.

Both less their grand mean. Neither is ever formed: with class sums s_c and K = XX',

    sum(K * S) = 2 sum_c |s_c|^2 - |sum_c s_c|^2,   sum(S) = 2 sum_c n_c^2 - N^2,   |K| = |X'X|

Deshpande et al., "A linearized framework and a new benchmark for model selection for fine-tuning",
2021, arXiv 2102.00084.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.labels import label_columns, stacked_columns
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class LFC:
    """Label-feature correlation in [-1, 1]."""

    def score(self, features: Features) -> Score:
        """Score one layer."""
        return Score(float(self.score_many(features, [features.labels])[0]), bounds=(-1.0, 1.0))

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets: the kernel's norm is computed once."""
        coordinates = _coordinates(features)
        norm = float(np.square(_gram(features)).sum())
        columns = stacked_columns(labels, features.task)
        sums = (columns.T @ coordinates).reshape(len(labels), -1, coordinates.shape[1])
        counts = np.asarray(columns.sum(axis=0)).reshape(len(labels), -1)
        return np.array([_correlation(*each, norm=norm) for each in zip(sums, counts, strict=True)])

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples; equal to scoring the others from scratch."""
        coordinates, gram = _coordinates(features), _gram(features)
        columns = label_columns(features.labels, features.task)
        sums, counts = columns.T @ coordinates, columns.sum(axis=0)
        norm = float(np.square(gram).sum())
        result = []
        for group in folds:
            gone, members = coordinates[group], columns[group]
            inside = float(np.square(gone @ gone.T).sum())
            rest = norm - 2.0 * float(((gone @ gram) * gone).sum()) + inside
            left = sums - members.T @ gone
            result.append(_correlation(left, counts - members.sum(axis=0), norm=rest))
        return np.array(result)


def _coordinates(features: Features) -> Array:
    """Rows with the same inner products as the features', (N, k + 1)."""

    def compute() -> Array:
        factorisation = features.factorisation
        inside, outside = factorisation.mean_coordinates
        rows = factorisation.left_vectors * np.sqrt(factorisation.eigenvalues) + inside
        constant = np.full((factorisation.samples, 1), np.sqrt(outside))
        return np.concatenate([rows, constant], axis=1)

    return features.remember("lfc coordinates", compute)


def _gram(features: Features) -> Array:
    coordinates = _coordinates(features)
    return features.remember("lfc gram", lambda: coordinates.T @ coordinates)


def _correlation(sums: Array, counts: Array, *, norm: float) -> float:
    samples = float(counts.sum())
    total = float(np.square(sums.sum(axis=0)).sum())
    signs = 2.0 * float(counts @ counts) - samples**2
    shared = 2.0 * float(np.square(sums).sum()) - total - total * signs / samples**2
    spread = norm - total**2 / samples**2
    spread_of_signs = samples**2 - signs**2 / samples**2
    if spread <= 1e-12 * norm or spread_of_signs <= 0:  # every pair is alike
        return 0.0
    return float(np.clip(shared / np.sqrt(spread * spread_of_signs), -1.0, 1.0))
