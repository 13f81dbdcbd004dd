"""The head-only recipe: a linear head on frozen features."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.probes.sample import choose, quantile_strata

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Index = npt.NDArray[np.int64]

#: Inverse L2 strengths of the logistic head, on the sum of the losses as scikit-learn has it.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
ALPHAS = tuple(10.0**power for power in range(-2, 7))
#: Share of the pool that a seed trains on, and of that which chooses the strength.
TRAINED, FITTED = 0.75, 0.8


def rows_of(labels: npt.NDArray[Any], task: str, share: float, seed: int) -> Index:
    """Draw a stratified share of the rows."""
    strata = labels if task == "classification" else quantile_strata(labels)
    return choose(strata, max(2, round(share * len(labels))), seed)


def head_result(
    train: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    test: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    *,
    task: str,
    seed: int,
) -> float:
    """Train a head and measure it.

    Args:
        train: (N, D) features to train on.
        labels: (N,) class ids, or real values.
        test: (M, D) features of the test split.
        expected: (M,) their labels.
        task: ``classification`` or ``regression``.
        seed: of the inner split.

    Returns:
        Accuracy in [0, 1], or R2.
    """
    fitted, unseen = _coordinates(train.astype(np.float64), test.astype(np.float64))
    if task == "regression":
        from sklearn.linear_model import RidgeCV

        return float(RidgeCV(alphas=ALPHAS).fit(fitted, labels).score(unseen, expected))
    strength = _strength(fitted, labels, seed)
    return float((_logistic(fitted, labels, strength).predict(unseen) == expected).mean())


def _coordinates(train: Array, test: Array) -> tuple[Array, Array]:
    """Standardise, and turn into the row space: an L2 head loses nothing outside it."""
    scale = train.std(axis=0)
    scale[scale < 1e-12] = np.inf
    mean = train.mean(axis=0)
    train, test = (train - mean) / scale, (test - mean) / scale
    if train.shape[0] >= train.shape[1]:
        return train, test
    basis, _ = np.linalg.qr(train.T)
    return train @ basis, test @ basis


def _strength(features: Array, labels: npt.NDArray[Any], seed: int) -> float:
    """Choose the strength with the smallest log loss on an inner stratified split."""
    rows = rows_of(labels, "classification", FITTED, seed)
    held = np.setdiff1d(np.arange(len(labels)), rows)
    if not len(held) or len(np.unique(labels[rows])) < 2:
        return STRENGTHS[len(STRENGTHS) // 2]
    losses = []
    for strength in STRENGTHS:
        model = _logistic(features[rows], labels[rows], strength)
        columns = {label: place for place, label in enumerate(model.classes_)}
        chances = model.predict_proba(features[held])
        given = [
            chances[row, columns[label]] if label in columns else 0.0
            for row, label in enumerate(labels[held])
        ]
        losses.append(-np.log(np.maximum(given, 1e-6)).mean())
    return STRENGTHS[int(np.argmin(losses))]


def _logistic(features: Array, labels: npt.NDArray[Any], strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # Of a nearly separable fit with a weak penalty; its predictions have long settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=300).fit(features, labels)
