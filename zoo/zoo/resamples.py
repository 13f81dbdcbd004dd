"""What a score is held against: shuffled labels, and the same without some of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.host import PLUGIN_ERRORS
from zoo.labels import groups, shuffled, stratified_folds
from zoo.types.failure import Failure
from zoo.types.protocols import ManyFolds, ManyLabels

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zoo.types.features import Features
    from zoo.types.specs import EstimatorSpec

    Array = npt.NDArray[np.float64]


@dataclass(eq=False)
class Resamples:
    """The shuffles and folds of one layer, made when the first estimator asks."""

    features: Features
    permutations: int
    folds: int
    seed: int

    @cached_property
    def shuffles(self) -> list[npt.NDArray[Any]]:
        """Shuffled labels; none where a single one would give no spread."""
        count = self.permutations if self.permutations > 1 else 0
        return shuffled(self.features.labels, count, self.seed)

    @cached_property
    def groups(self) -> list[npt.NDArray[np.bool_]]:
        """One (N,) mask a fold: the samples to leave out."""
        return groups(layer_folds(self.features, self.folds, self.seed))

    @cached_property
    def remainders(self) -> list[Features]:
        """The features without each fold, for estimators that know no short cut."""
        return [self.features.rows(~group) for group in self.groups]

    def null(self, estimator: Any) -> Array:
        """Score every shuffle: (B,)."""
        if not self.shuffles:
            return np.array([])
        if isinstance(estimator, ManyLabels):
            return np.asarray(estimator.score_many(self.features, self.shuffles), dtype=float)
        each = (estimator.score(self.features.with_labels(labels)) for labels in self.shuffles)
        return np.array([score.value for score in each])

    def jackknife(self, estimator: Any) -> Array:
        """Score without every fold: (K,)."""
        if not self.groups:
            return np.array([])
        if isinstance(estimator, ManyFolds):
            return np.asarray(estimator.score_folds(self.features, self.groups), dtype=float)
        return np.array([estimator.score(rest).value for rest in self.remainders])

    def of(self, spec: EstimatorSpec, estimator: Any) -> tuple[Array, Array, str, str]:
        """The null and the folds, each with the reason where there is none."""
        null, folds, null_note = np.array([]), np.array([]), ""
        if spec.cost == "expensive":
            return null, folds, "expensive: no null, no interval", ""
        if spec.reads("labels") and self.features.labels.size:
            null, null_note = _attempt(self.null, estimator, "no null")
        folds, folds_note = _attempt(self.jackknife, estimator, "no interval")
        return null, folds, null_note, folds_note


def layer_folds(features: Features, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Deal the samples into folds by their labels; without labels, at random."""
    labels, task = features.labels, features.task
    if not labels.size:
        labels, task = np.zeros(len(labels)), "classification"
    return stratified_folds(labels, task, folds, seed)


def _attempt(measure: Callable[[Any], Array], estimator: Any, missing: str) -> tuple[Array, str]:
    """Resample; the value itself stands when that fails."""
    try:
        values = measure(estimator)
    except PLUGIN_ERRORS as error:
        return np.array([]), f"{missing}: {Failure.of(error, stage='score').error}"
    if not np.isfinite(values).all():
        return np.array([]), f"{missing}: not a number on some resamples"
    return values, ""
