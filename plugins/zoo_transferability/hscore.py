"""H-score, plain and regularised: how much of the labels' span the features reach.

With the projector P on the span of the labels, less the intercept, and the ridge smoother S of the
centred features, both are one trace:

    H = tr(P S),  S = U diag(s / (s + ridge)) U'

The plain one has ridge 0, the regularised one the ridge of the Ledoit-Wolf covariance. For classes
P is the class means, and H the between-class over the total variance. For labels and targets it is
the sum of squared canonical correlations (cca-score).

Bao et al., ICIP 2019; Ibrahim et al., "Newer is not always better", ECML 2022, arXiv 2110.06893.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.labels import as_matrix, label_sets, varies
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
        """Score one layer, in [0, min(rank, C - 1)], or up to the rank of the targets."""
        factorisation = features.factorisation
        saturated = factorisation.interpolates or factorisation.wide
        return Score(
            _trace(features, np.ones(factorisation.rank)),
            saturated=saturated,
            note="saturated: N <= D gives the same for any features" if saturated else "",
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on one factorisation."""
        return _traces(features, labels, np.ones(features.factorisation.rank))

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples; equal to scoring the others from scratch."""
        return np.array([_plain_without(features, group) for group in folds])


class RegularisedHScore:
    """H-score with the Ledoit-Wolf covariance, which stays informative when N <= D."""

    def score(self, features: Features) -> Score:
        """Score one layer; as :class:`HScore`, but for N / (N - 1)."""
        factorisation = features.factorisation
        shrinkage, ridge = ledoit_wolf(factorisation)
        value = _trace(features, _weights(factorisation, ridge)) * _bias(factorisation.samples)
        return Score(value, details={"shrinkage": shrinkage})

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on one factorisation."""
        factorisation = features.factorisation
        _, ridge = ledoit_wolf(factorisation)
        traces = _traces(features, labels, _weights(factorisation, ridge))
        return traces * _bias(factorisation.samples)

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples; equal to scoring the others from scratch."""
        factorisation, values = features.factorisation, []
        for group in folds:
            _, ridge = ledoit_wolf(factorisation, group)
            bias = _bias(int((~group).sum()))
            values.append(_without(features, group, ridge) * bias)
        return np.array(values)


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


def _trace(features: Features, weights: Array) -> float:
    """Compute tr(P S) for the labels of a layer."""
    factorisation = features.factorisation
    if features.task != "classification":
        return float(weights @ np.square(factorisation.left(_basis(features.labels))).sum(axis=1))
    explained = weights @ np.square(factorisation.left_classes(features.labels))
    return float((explained / factorisation.classes(features.labels).counts).sum())


def _traces(features: Features, labels: Sequence[npt.NDArray[Any]], weights: Array) -> Array:
    """Compute tr(P S) for many label sets."""
    factorisation = features.factorisation
    if features.task != "classification":
        bases = (_basis(each) for each in labels)
        return np.array([weights @ np.square(factorisation.left(each)).sum(1) for each in bases])
    traces = []
    for columns, width in label_sets(features, labels):
        explained = weights @ np.square(factorisation.left(columns))
        shares = explained / np.asarray(columns.sum(axis=0))
        traces.append(shares.reshape(-1, width).sum(axis=1))
    return np.concatenate(traces)


def _without(features: Features, group: npt.NDArray[np.bool_], ridge: float) -> float:
    """Compute tr(P S) of the samples that stay, exactly.

    Their smoother is H_RR + H_Rg (I - H_gg)^-1 H_gR, with the intercept in H, and only its
    products with a basis of their labels are needed.
    """
    from scipy.linalg import cho_factor, solve_triangular

    factorisation = features.factorisation
    weights, gone = _weights(factorisation, ridge), factorisation.left_vectors[group]
    if features.task == "classification":
        classes = factorisation.classes(features.labels)
        indicators = classes.indicators()
        counts = np.asarray(indicators[~group].sum(axis=0))
        sums = factorisation.left_classes(features.labels) - (indicators[group].T @ gone).T
        present = counts > 0
        scale = np.sqrt(counts[present])
        # The intercept alone explains one class's worth.
        sums, counts, intercept = sums[:, present] / scale, scale, 1.0
    else:
        basis = _basis(features.labels[~group])
        sums, counts, intercept = factorisation.left_vectors[~group].T @ basis, basis.sum(0), 0.0
    smoothed = gone * weights
    inner = np.eye(len(gone)) - 1.0 / factorisation.samples - smoothed @ gone.T
    lower, _ = cho_factor(inner, lower=True, check_finite=False)
    reach = smoothed @ sums + counts / factorisation.samples
    reach = solve_triangular(lower, reach, lower=True, check_finite=False)
    fitted = weights @ np.square(sums) + counts**2 / factorisation.samples
    return float((fitted + np.square(reach).sum(axis=0)).sum()) - intercept


def _plain_without(features: Features, group: npt.NDArray[np.bool_]) -> float:
    """Score without a group, from scratch where the others cannot tell all directions apart."""
    if features.factorisation.rank < int((~group).sum()) - 1:
        try:
            return _without(features, group, 0.0)
        except np.linalg.LinAlgError:  # a direction that only the group has
            pass
    return HScore().score(features.rows(~group)).value


def _basis(labels: npt.NDArray[Any]) -> Array:
    """Give an orthonormal basis of what varies in numeric labels, (N, r)."""
    columns = as_matrix(labels)
    columns = columns[:, varies(columns)]
    if not columns.shape[1]:
        raise NotApplicable("no target varies from sample to sample.")
    columns = columns - columns.mean(axis=0)
    columns /= np.linalg.norm(columns, axis=0)
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    basis: Array = left[:, singular > singular[0] * len(columns) * np.finfo(float).eps]
    return basis


def _weights(factorisation: Factorisation, ridge: float) -> Array:
    weights: Array = factorisation.eigenvalues / (factorisation.eigenvalues + ridge)
    return weights


def _bias(samples: int) -> float:
    """The covariance between classes is over N - 1, the total one over N."""
    return samples / (samples - 1)
