"""Run estimators on one layer: the value, its null under shuffled labels, and its folds.

A score alone has no scale. The same value under shuffled labels says what no information looks
like, and the values without each fold of the samples say how far the score would move with others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from zoo.catalogue import build
from zoo.checks import check_features
from zoo.errors import InputError, NotApplicable, PluginError, ZooError
from zoo.feature_files import features_of, read_npz
from zoo.host import PLUGIN_ERRORS
from zoo.labels import groups, shuffled, stratified_folds
from zoo.types.failure import Failure
from zoo.types.protocols import ManyFolds, ManyLabels
from zoo.types.score import Score, ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.types.features import Features
    from zoo.types.specs import EstimatorSpec

    Array = npt.NDArray[np.float64]

#: Files with more samples than this are cut to a stratified sample of about the second size.
MOST_SAMPLES = 20_000
SAMPLE = 5_000
_NO_FEATURES = "reads a registry entry, not features: zoo recommend asks it."


def score_layer(
    features: Features,
    estimators: Sequence[tuple[EstimatorSpec, Any]],
    *,
    permutations: int = 50,
    folds: int = 10,
    seed: int = 0,
) -> tuple[list[ScoreRecord], list[Failure]]:
    """Score one layer of one model with every estimator, each its own failure domain.

    The first estimator that needs the factorisation pays for it, all others share it. Shuffles
    and folds depend on the labels and the seed alone: they are equal for every model of a run.

    Args:
        features: as they come; :func:`zoo.checks.check_features` is applied first.
        estimators: specs with the objects built from them; priors, which see no data, are skipped.
        permutations: shuffled label sets for the null; fewer than 2 leave it out.
        folds: folds of the jack-knife; fewer than 2 leave it out.
        seed: of both.

    Returns:
        One record an estimator, in order, those that do not apply with the reason; and what
        failed, without a record.
    """
    wanted = [pair for pair in estimators if pair[0].reads_features]
    try:
        checked = check_features(features)
    except NotApplicable as error:
        return [_dash(features, spec, error.message) for spec, _ in wanted], []
    except ZooError as error:
        return [], [Failure.of(error, stage="score", model=features.model or None)]
    resamples = _Resamples(checked, permutations, folds, seed)
    records, failures = [], []
    for spec, estimator in wanted:
        try:
            records.append(_score(spec, estimator, resamples))
        except NotApplicable as error:
            records.append(_dash(features, spec, error.message))
        except PLUGIN_ERRORS as error:
            hint = f"zoo plugins show {spec.name}"
            failures.append(
                Failure.of(
                    error, stage=f"score {spec.name}", model=features.model or None, hint=hint
                )
            )
    return records, failures


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Features that somebody brought, and what the estimators say of them.

    Attributes:
        features: after the checks: labels are 0..C-1, broken samples may have been dropped.
        rows: samples there were; fewer are scored when there are too many.
        records: one an estimator, in order.
        failures: estimators that broke.
    """

    features: Features
    rows: int
    records: tuple[ScoreRecord, ...]
    failures: tuple[Failure, ...]


def score_arrays(
    source: str | Path | Mapping[str, npt.NDArray[Any]],
    estimators: Sequence[str] = (),
    *,
    catalogue: Catalogue,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    task: str | None = None,
    permutations: int = 50,
    folds: int = 10,
    seed: int = 0,
    on_nonfinite: Literal["raise", "drop"] = "raise",
) -> Scored:
    """Score features that a person brings.

    Args:
        source: an ``.npz`` file or its arrays; see :func:`zoo.feature_files.features_of`.
        estimators: names; empty takes the default ones that do the task.
        catalogue: where the names are looked up.
        options: estimator -> its options.
        task: overrides the guess.
        permutations: as in :func:`score_layer`.
        folds: as in :func:`score_layer`.
        seed: as in :func:`score_layer`; also of the sample of a very large file.
        on_nonfinite: ``drop`` leaves out samples with NaN or infinity.

    Raises:
        InputError: the file, the arrays, a name or an option cannot be used.
    """
    options = options or {}
    known = catalogue.specs("estimator")
    for name in options:
        catalogue.spec("estimator", name)
    if isinstance(source, (str, Path)):
        features = features_of(read_npz(source), task=task, source=str(source))
    else:
        features = features_of(source, task=task)
    names = estimators or [
        name
        for name, spec in known.items()
        if spec.default and spec.reads_features and features.task in spec.tasks
    ]
    pairs = [(catalogue.spec("estimator", each), each) for each in dict.fromkeys(names)]
    built = [(spec, build(spec, options.get(name))) for spec, name in pairs]
    rows = len(features.values)
    try:
        features = check_features(_subsample(features, seed), on_nonfinite=on_nonfinite)
    except NotApplicable as error:
        raise InputError(f"{features.model}: {error.message}") from error
    records, failures = score_layer(
        features, built, permutations=permutations, folds=folds, seed=seed
    )
    records += [_dash(features, spec, _NO_FEATURES) for spec, _ in built if not spec.reads_features]
    return Scored(features=features, rows=rows, records=tuple(records), failures=tuple(failures))


def _subsample(features: Features, seed: int) -> Features:
    """Cut a very large file to a stratified sample that the estimators can afford."""
    samples = len(features.values)
    if samples <= MOST_SAMPLES or not features.labels.size:
        return features
    parts = -(-samples // SAMPLE)
    return features.rows(stratified_folds(features.labels, features.task, parts, seed) == 0)


@dataclass(eq=False)
class _Resamples:
    """The shuffles and folds of one layer, made when the first estimator asks."""

    features: Features
    permutations: int
    folds: int
    seed: int

    @cached_property
    def shuffles(self) -> list[npt.NDArray[Any]]:
        count = self.permutations if self.permutations > 1 else 0
        return shuffled(self.features.labels, count, self.seed)

    @cached_property
    def groups(self) -> list[npt.NDArray[np.bool_]]:
        labels, task = self.features.labels, self.features.task
        return groups(stratified_folds(labels, task, self.folds, self.seed))

    @cached_property
    def remainders(self) -> list[Features]:
        """The features without each fold, for estimators that know no short cut."""
        return [self.features.rows(~group) for group in self.groups]

    def null(self, estimator: Any) -> Array:
        if not self.shuffles:
            return np.array([])
        if isinstance(estimator, ManyLabels):
            return np.asarray(estimator.score_many(self.features, self.shuffles), dtype=float)
        each = (estimator.score(self.features.with_labels(labels)) for labels in self.shuffles)
        return np.array([score.value for score in each])

    def jackknife(self, estimator: Any) -> Array:
        if not self.groups:
            return np.array([])
        if isinstance(estimator, ManyFolds):
            return np.asarray(estimator.score_folds(self.features, self.groups), dtype=float)
        return np.array([estimator.score(rest).value for rest in self.remainders])


def _score(spec: EstimatorSpec, estimator: Any, resamples: _Resamples) -> ScoreRecord:
    features = resamples.features
    missing = _missing(spec, features)
    if missing:
        raise NotApplicable(missing)
    started = time.perf_counter()
    score = estimator.score(features)
    if not isinstance(score, Score) or not np.isfinite(score.value):
        raise PluginError(f"the estimator {spec.name!r} returned {score!r}, which is no score.")
    null, null_note = _attempt(resamples.null, estimator, "no null")
    folds, folds_note = _attempt(resamples.jackknife, estimator, "no interval")
    notes = [each for each in (score.note, null_note, folds_note) if each]
    record = ScoreRecord(
        model=features.model,
        layer=features.layer,
        estimator=spec.name,
        value=float(score.value),
        folds=tuple(folds.tolist()),
        seconds=time.perf_counter() - started,
        saturated=score.saturated,
        # JSON, which the store keeps records in, has no infinity.
        details={name: each for name, each in score.details.items() if np.isfinite(each)},
        note="; ".join(notes),
        bounds=score.bounds,
    )
    return _with_null(record, null)


def _with_null(record: ScoreRecord, null: Array) -> ScoreRecord:
    if len(null) < 2 or record.value is None:
        return record
    mean, spread = float(null.mean()), float(null.std(ddof=1))
    # A null that never moves is rounding, not a scale.
    flat = spread <= 1e-12 * max(1.0, abs(mean))
    z = None if flat else (record.value - mean) / spread
    return msgspec.structs.replace(record, null_mean=mean, null_sd=spread, z=z)


def _attempt(measure: Callable[[Any], Array], estimator: Any, missing: str) -> tuple[Array, str]:
    """Resample; the value itself stands when that fails."""
    try:
        values = measure(estimator)
    except PLUGIN_ERRORS as error:
        return np.array([]), f"{missing}: {Failure.of(error, stage='score').error}"
    if not np.isfinite(values).all():
        return np.array([]), f"{missing}: not a number on some resamples"
    return values, ""


def _missing(spec: EstimatorSpec, features: Features) -> str:
    """Say what an estimator needs that is not here; empty when nothing is missing."""
    if features.task not in spec.tasks:
        return f"does {', '.join(spec.tasks)}, not {features.task}."
    here = {
        "features": features.values.shape[1] > 0,
        "labels": features.labels.size > 0,
        "logits": features.logits is not None,
        "reference": features.reference is not None,
        "label_embeddings": bool({"class_embeddings", "Z"} & features.extras.keys()),
    }
    absent = [need for need in spec.needs if not here.get(need, need in features.extras)]
    return f"needs {' and '.join(absent)}, which are not here." if absent else ""


def _dash(features: Features, spec: EstimatorSpec, reason: str) -> ScoreRecord:
    return ScoreRecord(
        model=features.model,
        layer=features.layer,
        estimator=spec.name,
        not_applicable=reason,
    )
