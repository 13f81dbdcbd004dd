"""SFDA: a Fisher discriminant, asked again after its own mistakes.

A stage fits Gaussian classes with one covariance, the within-class scatter shrunk towards a
multiple of the identity, and gives every sample the probabilities of the classes:

    S = (1 - s) S_w + s (tr S_w / D) I,   logits = X S^-1 M' - diag(M S^-1 M') / 2 + ln(n_c / N)

The second stage sees every sample moved towards the other classes the less sure the first was of
it, x' = u x + (1 - u) o, and the score is the mean probability it gives the true class. Both are
Cholesky solves; the published code solves an eigenproblem for the same numbers.

Shao et al., "Not All Models Are Equal: Predicting Model Transferability in a Self-challenging
Fisher Space", ECCV 2022, arXiv 2207.03036.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.labels import classes_of
from zoo.sweeps import BLOCK, add_class_sums, add_product, symmetric
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.factorisation import Factorisation
    from zoo.labels import Classes
    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]

#: A mean probability from which on nothing is left to tell checkpoints apart.
CERTAIN = 0.9999
#: The share of the scatter that its subtraction may leave where there is none within classes.
ROUNDING = 1e-12


class SFDA:
    """Mean probability of the true class in the second stage, in (0, 1]; classes only."""

    def score(self, features: Features) -> Score:
        """Score one layer; ``stage1`` is the mean probability of the first stage.

        Raises:
            NotApplicable: all samples are the same point.
        """
        factorisation = features.factorisation
        if not _varies(factorisation):
            raise NotApplicable("no feature varies from sample to sample.")
        classes = factorisation.classes(features.labels)
        sums = None if factorisation.wide else factorisation.class_sums(features.labels)
        first, second, shrinkage = _stages(_Points.of(features), classes, sums)
        saturated = factorisation.wide or second >= CERTAIN
        reason = "N <= D separates any labels" if factorisation.wide else "classes are separate"
        return Score(
            second,
            details={"stage1": first, "shrinkage": shrinkage},
            saturated=saturated,
            note=f"saturated: {reason}" if saturated else "",
            bounds=(0.0, 1.0),
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets; the Gram matrix is shared, the second stage has its own."""
        points = _Points.of(features)
        return np.array([_stages(points, classes_of(each))[1] for each in labels])


def _varies(factorisation: Factorisation) -> bool:
    """Whether there is more than the rounding of centred constants."""
    length = float(factorisation.mean @ factorisation.mean)
    noise = factorisation.samples * length * (8 * np.finfo(float).eps) ** 2
    return bool(factorisation.squared_norms.sum() > noise)


@dataclass(frozen=True, eq=False)
class _Points:
    """Centred samples in as few coordinates as hold them: (N, D), or (N, k) where N <= D.

    Attributes:
        factorisation: of the features.
        coordinates: U sqrt(s), (N, k); None where the features themselves are narrower.
        gram: their Gram matrix.
        ones: what the vector of D ones is in these coordinates.
    """

    factorisation: Factorisation
    coordinates: Array | None
    gram: Array
    ones: Array

    @classmethod
    def of(cls, features: Features) -> _Points:
        factorisation = features.factorisation
        ones = np.ones(factorisation.width)
        if not factorisation.wide:
            return cls(factorisation, None, factorisation.gram, ones)
        spectrum = factorisation.eigenvalues
        coordinates = factorisation.left_vectors * np.sqrt(spectrum)
        return cls(factorisation, coordinates, np.diag(spectrum), factorisation.right(ones))

    def blocks(self, order: npt.NDArray[np.int64], classes: int) -> Iterator[tuple[Any, Array]]:
        """Go through the samples in an order; (n, max(width, C)) numbers fit a block."""
        step = max(1, BLOCK // max(1, len(self.gram), classes))
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            if self.coordinates is None:
                yield next(self.factorisation.blocks(rows, least=step))
            else:
                yield rows, self.coordinates[rows]

    def sums(self, classes: Classes) -> Array:
        """Sum the samples of every class, (C, width)."""
        sums = np.zeros((len(classes.counts), len(self.gram)))
        for rows, block in self.blocks(classes.order, 1):
            add_class_sums(sums, classes, rows, block)
        return sums


def _stages(
    points: _Points, classes: Classes, sums: Array | None = None
) -> tuple[float, float, float]:
    """Run both stages: mean probability of the true class in each, and the shrinkage."""
    counts = classes.counts[:, None]
    means = (points.sums(classes) if sums is None else sums) / counts
    samples, width = points.factorisation.samples, points.factorisation.width
    scatter = _scatter(points.gram, means, counts, samples)
    if np.trace(scatter) <= ROUNDING * np.trace(points.gram) / samples:  # classes are single points
        return 1.0, 1.0, 1.0
    shrinkage = max(float(np.exp(-5.0 * _largest(scatter, points.ones))), 1e-10)
    head = _head(scatter, means, classes, shrinkage, width)
    others = (means.sum(axis=0) - means) / (len(means) - 1)
    true, sure = np.empty(samples), np.empty(samples)
    shifted = _Shifted(points, means)
    for rows, block in points.blocks(classes.order, len(means)):
        ids = classes.ids[rows]
        odds = _probabilities(block @ head[0], head[1])
        true[rows] = _pick(odds, ids)
        np.exp(odds, out=odds)
        sure[rows] = _pick(odds, ids) / odds.sum(axis=1)
        shifted.add(classes, rows, block, sure[rows])
    doubt = classes.indicators().T @ np.stack([1.0 - sure, np.square(1.0 - sure)], axis=1)
    gram = shifted.gram_with(others, doubt[:, 1:])
    moved = (shifted.sums + doubt[:, :1] * others) / counts
    head = _head(_scatter(gram, moved, counts, samples), moved, classes, shrinkage, width)
    total, away = 0.0, others @ head[0]
    for rows, block in points.blocks(np.arange(samples), len(means)):
        ids, trust = classes.ids[rows], sure[rows][:, None]
        logits = block @ head[0]
        logits *= trust
        logits += (1.0 - trust) * away[ids]
        total += float(_pick(_probabilities(logits, head[1]), ids).sum())
    return float(true.mean()), total / samples, shrinkage


class _Shifted:
    """Sums over x' = u x + (1 - u) o, gathered without forming it.

    Attributes:
        sums: of u x over each class, (C, width).
        mixed: of (1 - u) u x over each class, (C, width).
        lower: Gram matrix of u x, its lower triangle.
    """

    def __init__(self, points: _Points, means: Array) -> None:
        self.sums, self.mixed = np.zeros((2, *means.shape))
        self.lower = np.zeros_like(points.gram, order="F")

    def add(self, classes: Classes, rows: Any, block: Array, sure: Array) -> None:
        """Add samples; scales the block."""
        block *= sure[:, None]
        self.lower = add_product(self.lower, block)
        add_class_sums(self.sums, classes, rows, block)
        add_class_sums(self.mixed, classes, rows, block, 1.0 - sure)

    def gram_with(self, others: Array, doubts: Array) -> Array:
        """Give the lower Gram matrix of x', with the sums of (1 - u)^2 by class, (C, 1)."""
        from scipy.linalg.blas import dsyr2k

        mixed = self.mixed + 0.5 * doubts * others
        gram: Array = dsyr2k(1.0, mixed.T, others.T, beta=1.0, c=self.lower, lower=1, overwrite_c=1)
        return gram


def _scatter(gram: Array, means: Array, counts: npt.NDArray[np.int64], samples: int) -> Array:
    """Scatter within classes, over N: the lower triangle, of which alone the rest is made."""
    from scipy.linalg.blas import dsyrk

    scaled = means * np.sqrt(counts)
    lower = gram.copy(order="F")
    scatter: Array = dsyrk(-1.0, scaled.T, beta=1.0, c=lower, lower=1, overwrite_c=1)
    scatter *= 1.0 / samples
    return scatter


def _largest(scatter: Array, ones: Array) -> float:
    """Estimate the largest eigenvalue as the published code does, which decides the shrinkage.

    Three double power steps from the row sums; not the eigenvalue itself.
    """
    from scipy.linalg.blas import dsymv

    start = dsymv(1.0, scatter, ones, lower=1)
    for _ in range(3):
        step = dsymv(1.0, scatter, start, lower=1)
        middle = step / (np.linalg.norm(step) or 1.0)
        step = dsymv(1.0, scatter, middle, lower=1)
        start = step / (np.linalg.norm(step) or 1.0)
    return float(start @ dsymv(1.0, scatter, middle, lower=1))


def _head(
    scatter: Array, means: Array, classes: Classes, shrinkage: float, width: int
) -> tuple[Array, Array]:
    """Solve for the weights (width, C) and offsets (C,) of a stage; changes the scatter."""
    from scipy.linalg import cho_factor, cho_solve

    level = np.trace(scatter) / width
    scatter *= 1.0 - shrinkage
    scatter.flat[:: len(scatter) + 1] += shrinkage * level
    try:
        factor = cho_factor(scatter, lower=True, check_finite=False)
        weights: Array = cho_solve(factor, means.T, check_finite=False)
    except np.linalg.LinAlgError:  # so little shrinkage that rounding made an eigenvalue negative
        weights = np.linalg.pinv(symmetric(np.tril(scatter)), hermitian=True) @ means.T
    prior = np.log(classes.counts / classes.counts.sum())
    return weights, prior - 0.5 * np.einsum("cd,dc->c", means, weights)


def _probabilities(odds: Array, offsets: Array) -> Array:
    """Turn logits less their offsets into probabilities, in place."""
    odds += offsets
    odds -= odds.max(axis=1, keepdims=True)
    np.exp(odds, out=odds)
    odds /= odds.sum(axis=1, keepdims=True)
    return odds


def _pick(odds: Array, ids: npt.NDArray[np.int64]) -> Array:
    own: Array = odds[np.arange(len(ids)), ids]
    return own
