"""A ridge-regression head, judged by leaving every sample out once, in closed form.

With the hat matrix H of the fit, the residual of sample i in the fit that never saw it is
(y_i - yhat_i) / (1 - h_i): one fit gives all N of them (Allen's PRESS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.labels import label_sets, targets
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.factorisation import Factorisation
    from zoo.types.features import Features
    from zoo.types.probe import Task

    Array = npt.NDArray[np.float64]

#: Label columns that are predicted at once, so that many shuffles need little memory.
CHUNK = 1024


class RidgeLOO:
    """Accuracy in percent for classes; mean of 1 - PRESS / TSS for labels, targets, embeddings.

    The penalty is the one on the grid with the least generalised cross-validation error: it
    needs the spectrum only, so that every shuffle of the labels can have its own, and the score
    is not the figure that was optimised.

    Args:
        penalties: size of the grid, logarithmic over the spectrum.
        ridge: one fixed penalty instead.
    """

    def __init__(self, *, penalties: int = 33, ridge: float | None = None) -> None:
        if penalties < 1:
            raise InputError(f"ridge_loo.penalties must be at least 1, not {penalties}.")
        if ridge is not None and ridge <= 0:
            raise InputError(f"ridge_loo.ridge must be above 0, not {ridge:g}.")
        self.penalties = penalties
        self.ridge = ridge

    def score(self, features: Features) -> Score:
        """Score one layer. The only sample of a class counts neither for nor against it."""
        columns = targets(features)
        ridge = self._ridge(features.factorisation, columns)
        residuals, leverages = _fit(features.factorisation, ridge, columns)
        value = judge(columns, left_out(residuals, leverages), features.task)
        bounds = (0.0, 100.0) if features.task == "classification" else None
        return Score(value, details={"ridge": ridge}, bounds=bounds)

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets, each with its own penalty."""
        factorisation, task = features.factorisation, features.task
        result = []
        for stacked, width in label_sets(features, labels, CHUNK):
            coordinates = factorisation.left(stacked)
            columns = stacked.toarray() if task == "classification" else stacked
            ridges = self._ridges(factorisation, columns, coordinates, width)
            weights = factorisation.eigenvalues[:, None]
            weights = weights / (weights + ridges)
            residuals = columns - columns.mean(axis=0)
            coordinates *= np.repeat(weights, width, axis=1)
            residuals -= factorisation.left_vectors @ coordinates
            leverages = factorisation.leverages(ridges)
            for index in range(len(ridges)):
                own = slice(index * width, (index + 1) * width)
                errors = left_out(residuals[:, own], leverages[:, index])
                result.append(judge(columns[:, own], errors, task))
        return np.array(result)

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples, at the penalty of all samples."""
        factorisation = features.factorisation
        columns = targets(features)
        ridge = self._ridge(factorisation, columns)
        fitted = _fit(factorisation, ridge, columns)
        result = np.empty(len(folds))
        for index, group in enumerate(folds):
            errors = left_out(*factorisation.ridge_without(group, ridge, *fitted))
            result[index] = judge(columns[~group], errors, features.task)
        return result

    def _ridge(self, factorisation: Factorisation, columns: Array) -> float:
        coordinates = factorisation.left(columns)
        return float(self._ridges(factorisation, columns, coordinates, columns.shape[1])[0])

    def _ridges(
        self, factorisation: Factorisation, columns: Array, coordinates: Array, width: int
    ) -> Array:
        """Choose the penalty of every label set of ``width`` columns: (B,)."""
        sets = columns.shape[1] // width
        if self.ridge is not None or not factorisation.rank:
            return np.full(sets, self.ridge or 1.0)
        spectrum, samples = factorisation.eigenvalues, factorisation.samples
        low = max(spectrum[0] * 1e-2, spectrum[-1] * 1e-9)
        grid = np.geomspace(low, spectrum[-1] * 1e2, self.penalties)
        kept = grid[:, None] / (spectrum + grid[:, None])
        squares = np.square(coordinates)
        variance = columns.var(axis=0)
        rest = samples * variance - squares.sum(axis=0)
        rest = np.zeros_like(rest) if factorisation.interpolates else np.maximum(rest, 0.0)
        errors = (np.square(kept) @ squares + rest).reshape(len(grid), sets, width)
        freedom = samples - 1 - (1 - kept).sum(axis=1)
        if factorisation.interpolates:
            freedom = kept.sum(axis=1)
        # Targets weigh the same whatever their units.
        scale = np.maximum(variance, 1e-300).reshape(sets, width)
        criterion = (errors / scale).sum(axis=2) / np.square(freedom)[:, None]
        best: Array = grid[criterion.argmin(axis=0)]
        return best


def _fit(factorisation: Factorisation, ridge: float, columns: Array) -> tuple[Array, Array]:
    residuals = factorisation.ridge_residuals(ridge, columns)
    return residuals, factorisation.leverages(np.array([ridge]))[:, 0]


def left_out(residuals: Array, leverages: Array) -> Array:
    """Turn the residuals of one fit into those of N fits, each without its own sample."""
    # A sample alone in its direction has leverage 1: nothing is known of it without itself.
    errors: Array = residuals / np.maximum(1.0 - leverages, 1e-12)[:, None]
    return errors


def judge(columns: Array, errors: Array, task: Task) -> float:
    """Reduce left-out errors (N, M) to one figure."""
    if task != "classification":
        total = np.square(columns - columns.mean(axis=0)).sum(axis=0)
        varying = total > 0
        press = np.square(errors).sum(axis=0)[varying]
        return float((1.0 - press / total[varying]).mean())
    # Without sample i its own class is rarer, so that a head that has learnt nothing would always
    # be wrong. Class frequencies are no secret: the intercept stays that of all samples.
    intercepts = (columns - columns.mean(axis=0)) / (len(columns) - 1)
    right = (columns - errors + intercepts).argmax(axis=1) == columns.argmax(axis=1)
    several = columns @ columns.sum(axis=0) > 1
    return 100.0 * float(right[several].mean()) if several.any() else 0.0
