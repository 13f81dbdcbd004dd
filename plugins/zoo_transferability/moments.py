"""Counts, sums and sums of squares by class: all that Gaussian classes need, and additive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Of the features about their mean.

    Attributes:
        counts: samples of each class, (C,).
        sums: sum over each class, (C, D).
        squares: sum of squares over each class, (C, D).
    """

    counts: Array
    sums: Array
    squares: Array

    @property
    def means(self) -> Array:
        """Class means about the grand mean, (C, D)."""
        return self.sums / self.counts[:, None]

    @property
    def variances(self) -> Array:
        """Variances within the classes, divided by n, (C, D)."""
        return np.maximum(self.squares / self.counts[:, None] - np.square(self.means), 0.0)

    def without(self, other: Moments) -> Moments:
        """Take some samples away, and the classes that are gone with them."""
        counts = self.counts - other.counts
        left = counts > 0
        sums, squares = self.sums - other.sums, self.squares - other.squares
        return Moments(counts[left], sums[left], squares[left])


def class_moments(values: Array, squares: Array, labels: npt.NDArray[Any], classes: int) -> Moments:
    """Sum centred values (N, D) and their squares by class id."""
    from scipy.sparse import csr_array

    samples = len(labels)
    entries = (np.ones(samples), (labels, np.arange(samples)))
    members = csr_array(entries, shape=(classes, samples))
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    return Moments(counts, members @ values, members @ squares)


def class_ids(labels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int]:
    """Number the classes present: ids (N,) and how many there are."""
    classes, ids = np.unique(labels, return_inverse=True)
    return ids.astype(np.int64), len(classes)


def centred(features: Features) -> Array:
    """The features about their mean, (N, D) float64, kept for every label set."""
    return features.remember(
        "centred", lambda: features.values.astype(np.float64) - features.factorisation.mean
    )


def principal(features: Features, components: int) -> Array:
    """Coordinates on the first principal directions, (N, k), k <= components."""
    factorisation = features.factorisation
    chosen = slice(max(0, factorisation.rank - components), None)
    scales = np.sqrt(factorisation.eigenvalues[chosen])
    coordinates: Array = factorisation.left_vectors[:, chosen] * scales
    return coordinates
