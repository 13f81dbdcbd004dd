"""H-score, plain and regularised: between-class over total variance of the features.

With the class projector P and the ridge smoother S of the centred features, both are one trace:

    H = tr(P S),  S = U diag(s / (s + ridge)) U'

The plain one has ridge 0; the regularised one takes the ridge of the Ledoit-Wolf covariance.

Bao et al., ICIP 2019; Ibrahim et al., "Newer is not always better", ECML 2022, arXiv 2110.06893.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.labels import label_columns, stacked_columns
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.factorisation import Factorisation
    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class HScore:
    """Plain H-score: the classes present less one, whatever the features, once N <= D."""

    def score(self, features: Features) -> Score:
        """Score one layer, in [0, min(rank, C - 1)]."""
        factorisation = features.factorisation
        saturated = factorisation.interpolates or factorisation.samples <= factorisation.width
        return Score(
            float(self.score_many(features, [features.labels])[0]),
            saturated=saturated,
            note="saturated: N <= D gives C - 1 for any features" if saturated else "",
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on one factorisation."""
        return _trace(features, labels, np.ones(features.factorisation.rank))


class RegularisedHScore:
    """H-score with the Ledoit-Wolf covariance, which stays informative when N <= D."""

    def score(self, features: Features) -> Score:
        """Score one layer, in [0, C - 1] but for N / (N - 1)."""
        shrinkage, _ = ledoit_wolf(features.factorisation)
        value = float(self.score_many(features, [features.labels])[0])
        return Score(value, details={"shrinkage": shrinkage})

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on one factorisation."""
        factorisation = features.factorisation
        _, ridge = ledoit_wolf(factorisation)
        weights = factorisation.eigenvalues / (factorisation.eigenvalues + ridge)
        return _trace(features, labels, weights) * _bias(factorisation.samples)

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples; equal to scoring the others from scratch.

        The smoother of the samples R that stay is H_RR + H_Rg (I - H_gg)^-1 H_gR, with the
        intercept in H, and only its class sums are needed.
        """
        from scipy.linalg import cho_factor, solve_triangular

        factorisation, samples = features.factorisation, features.factorisation.samples
        columns = label_columns(features.labels, features.task)
        coordinates = factorisation.left(columns)
        result = np.empty(len(folds))
        for index, group in enumerate(folds):
            _, ridge = ledoit_wolf(factorisation, group)
            weights = factorisation.eigenvalues / (factorisation.eigenvalues + ridge)
            gone = factorisation.left_vectors[group]
            sums = coordinates - gone.T @ columns[group]
            counts = columns[~group].sum(axis=0)
            smoothed = gone * weights
            inner = np.eye(len(gone)) - 1.0 / samples - smoothed @ gone.T
            lower, _ = cho_factor(inner, lower=True, check_finite=False)
            reach = smoothed @ sums + counts / samples
            reach = solve_triangular(lower, reach, lower=True, check_finite=False)
            fitted = weights @ np.square(sums) + counts**2 / samples + np.square(reach).sum(axis=0)
            present = counts > 0
            # The intercept alone explains one class's worth.
            traces = fitted[present] / counts[present]
            result[index] = (traces.sum() - 1.0) * _bias(samples - len(gone))
        return result


def ledoit_wolf(
    factorisation: Factorisation, without: npt.NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Compute the Ledoit-Wolf shrinkage towards a multiple of the identity.

    The usual D x D product of squared features is only ever summed, which gives the sum of
    fourth powers of the sample norms.

    Args:
        factorisation: of the features.
        without: (N,) bool, samples to leave out.

    Returns:
        The shrinkage in [0, 1], and the equal penalty of a ridge regression.
    """
    samples, trace, squares, fourth = (
        _moments(factorisation) if without is None else _moments_without(factorisation, without)
    )
    width = factorisation.width
    mean = trace / samples / width
    frobenius = squares / samples**2
    beta = (fourth / samples - frobenius) / (width * samples)
    delta = (frobenius - width * mean**2) / width
    if delta <= 0:  # the covariance is a multiple of the identity already
        return 1.0, np.inf
    shrinkage = float(np.clip(beta / delta, 0.0, 1.0))
    ridge = samples * shrinkage * mean / (1.0 - shrinkage) if shrinkage < 1 else np.inf
    return shrinkage, ridge


def _moments(factorisation: Factorisation) -> tuple[int, float, float, float]:
    norms, spectrum = factorisation.squared_norms, factorisation.eigenvalues
    return (
        factorisation.samples,
        float(norms.sum()),
        float(spectrum @ spectrum),
        float(norms @ norms),
    )


def _moments_without(
    factorisation: Factorisation, group: npt.NDArray[np.bool_]
) -> tuple[int, float, float, float]:
    """Moments about the mean of the samples that stay, from their principal coordinates."""
    spectrum, left = factorisation.eigenvalues, factorisation.left_vectors
    gone = left[group] * np.sqrt(spectrum)
    samples = factorisation.samples - len(gone)
    mean = -gone.sum(axis=0) / samples
    length = float(mean @ mean)
    norms = factorisation.squared_norms - 2 * left @ (np.sqrt(spectrum) * mean) + length
    norms = norms[~group]
    # ||diag(s) - gone' gone - samples * mean mean'||^2, term by term.
    squares = float(
        spectrum @ spectrum
        - 2 * (np.square(gone) @ spectrum).sum()
        + np.square(gone @ gone.T).sum()
        - 2 * samples * (np.square(mean) @ spectrum - np.square(gone @ mean).sum())
        + (samples * length) ** 2
    )
    return samples, float(norms.sum()), squares, float(norms @ norms)


def _trace(features: Features, labels: Sequence[npt.NDArray[Any]], weights: Array) -> Array:
    columns = stacked_columns(labels, features.task)
    counts = np.asarray(columns.sum(axis=0))
    explained = weights @ np.square(features.factorisation.left(columns))
    traces: Array = (explained / counts).reshape(len(labels), -1).sum(axis=1)
    return traces


def _bias(samples: int) -> float:
    """The covariance between classes is over N - 1, the total one over N."""
    return samples / (samples - 1)
