"""A linear head trained with scikit-learn and cross-validated: the expensive reference.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016,
arXiv 1610.01644.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.labels import as_matrix, stratified_folds
from zoo.types.score import Score

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class LinearProbe:
    """Accuracy in percent for classes, macro F1 in percent for labels, mean R2 for targets.

    Every sample is predicted by a head that was trained without its fold, on features that were
    standardised without it. Classes and labels get a logistic regression, targets a ridge
    regression whose penalty is chosen within the training folds.

    Args:
        folds: parts of the cross-validation.
        penalty: of the logistic regression; None takes a tenth of the width, so that the logits
            vary as much a priori whatever the width.
        steps: most steps of L-BFGS.
        seed: of the folds.
    """

    def __init__(
        self, *, folds: int = 5, penalty: float | None = None, steps: int = 300, seed: int = 0
    ) -> None:
        if folds < 2:
            raise InputError(f"linear_probe.folds must be at least 2, not {folds}.")
        if penalty is not None and penalty <= 0:
            raise InputError(f"linear_probe.penalty must be above 0, not {penalty:g}.")
        if steps < 1:
            raise InputError(f"linear_probe.steps must be at least 1, not {steps}.")
        self.folds, self.penalty, self.steps, self.seed = folds, penalty, steps, seed

    def score(self, features: Features) -> Score:
        """Score one layer by training; the only sample of a class is never tested.

        Raises:
            NotApplicable: too few samples to leave any out.
        """
        labels, task = features.labels, features.task
        fold = stratified_folds(labels, task, self.folds, self.seed)
        tested = fold >= 0
        if not tested.any() or fold.max() < 1:
            raise NotApplicable("needs at least 2 samples in some class to leave one out.")
        values = features.values.astype(np.float64)
        predicted = np.zeros(labels.shape)
        for index in range(int(fold.max()) + 1):
            out = fold == index
            predicted[out] = self._predict(values[~out], labels[~out], values[out], features)
        truth, guesses = labels[tested], predicted[tested]
        if task == "regression":
            return Score(_r2(as_matrix(truth), as_matrix(guesses)))
        accuracy = 100.0 * float((truth == guesses).mean())
        if task == "classification":
            return Score(accuracy, bounds=(0.0, 100.0))
        value = 100.0 * _macro_f1(as_matrix(truth), as_matrix(guesses))
        return Score(value, details={"accuracy": accuracy}, bounds=(0.0, 100.0))

    def _predict(
        self, values: Array, labels: npt.NDArray[Any], others: Array, features: Features
    ) -> npt.NDArray[Any]:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(values)
        values, others = scaler.transform(values), scaler.transform(others)
        if features.task == "regression":
            return _ridge(values, labels, others)
        if features.task == "classification":
            return self._logistic(values, labels, others)
        columns = as_matrix(labels).T
        guesses = np.stack([self._logistic(values, column, others) for column in columns], axis=1)
        return guesses.reshape(len(others), *labels.shape[1:])

    def _logistic(self, values: Array, labels: npt.NDArray[Any], others: Array) -> npt.NDArray[Any]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        if (labels == labels[0]).all():
            return np.full(len(others), labels[0])
        penalty = self.penalty or values.shape[1] / 10
        head = LogisticRegression(C=1.0 / penalty, max_iter=self.steps)
        with warnings.catch_warnings():
            # A head that has not quite converged predicts the same classes.
            warnings.simplefilter("ignore", ConvergenceWarning)
            guesses: npt.NDArray[Any] = head.fit(values, labels).predict(others)
        return guesses


def _ridge(values: Array, labels: npt.NDArray[Any], others: Array) -> npt.NDArray[Any]:
    from sklearn.linear_model import RidgeCV

    penalties = len(values) * np.geomspace(1e-4, 1e2, 13)
    guesses: npt.NDArray[Any] = RidgeCV(penalties).fit(values, labels).predict(others)
    return guesses.reshape(len(others), *labels.shape[1:])


def _r2(truth: Array, guesses: Array) -> float:
    total = np.square(truth - truth.mean(axis=0)).sum(axis=0)
    errors = np.square(truth - guesses).sum(axis=0)
    return float((1.0 - errors[total > 0] / total[total > 0]).mean())


def _macro_f1(truth: Array, guesses: Array) -> float:
    both = (truth * guesses).sum(axis=0)
    either = truth.sum(axis=0) + guesses.sum(axis=0)
    return float((2 * both / np.maximum(either, 1.0)).mean())
