"""Run estimators on one layer: the value, its null under shuffled labels, and its folds.

A score alone has no scale. The same value under shuffled labels says what no information looks
like, and the values without each fold of the samples say how far the score would move with others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from zoo.catalogue import EVERY, build, expand_names
from zoo.checks import check_features
from zoo.errors import InputError, NotApplicable, PluginError, ZooError
from zoo.feature_files import (
    GRAPH_ARRAYS,
    features_of,
    read_npz,
    reference_beside,
    with_reference,
)
from zoo.host import PLUGIN_ERRORS
from zoo.resamples import Resamples, layer_folds
from zoo.running import running
from zoo.types.failure import Failure
from zoo.types.score import Score, ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.types.features import Features
    from zoo.types.specs import EstimatorSpec

    Array = npt.NDArray[np.float64]

#: Files with more samples than this are cut to a stratified sample of about the second size.
MOST_SAMPLES = 20_000
SAMPLE = 5_000
#: What a method asks for, and where it comes from.
_NEEDS = {
    "features": "features: X of a file",
    "labels": "labels: y or Y of a file",
    "logits": "source-head logits: logits or probs of a file, a checkpoint with a head",
    "reference": "a reference model: --reference MODEL or FILE",
    "label_embeddings": "label embeddings: --label-encoder NAME; class_embeddings or Z of a file",
    "attributions": "attribution maps: attributions of a file",
}
_NO_FEATURES = "reads a registry entry, not features: zoo recommend asks it."


def score_layer(
    features: Features,
    estimators: Sequence[tuple[EstimatorSpec, Any]],
    *,
    permutations: int = 50,
    folds: int = 10,
    seed: int = 0,
    owners: Mapping[str, Mapping[str, str]] | None = None,
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
        owners: estimator -> ``plugin`` and ``version``, which its failures name.

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
    # A view each: who writes into what all estimators read fails alone.
    resamples = Resamples(_read_only(checked), permutations, folds, seed)
    records, failures = [], []
    for spec, estimator in wanted:
        owner = (owners or {}).get(spec.name, {})
        try:
            with running(owner.get("plugin", "")):
                record = _score(spec, estimator, resamples)
            records.append(_noted(record, spec, features))
        except NotApplicable as error:
            records.append(_dash(features, spec, error.message))
        except PLUGIN_ERRORS as error:
            failures.append(_failure(error, spec.name, features, owner))
    return records, failures


def _failure(
    error: BaseException, name: str, features: Features, owner: Mapping[str, str]
) -> Failure:
    hint = f"zoo plugins show {name}"
    if owner:
        hint = f"zoo plugins check {owner['plugin'].partition(':')[0]}"
    model = features.model or None
    return Failure.of(error, stage=f"score {name}", model=model, hint=hint, **owner)


def _read_only(features: Features) -> Features:
    """Give the same numbers as views that cannot be written to; whoever owns them still can."""
    reference = features.reference
    return replace(
        features,
        values=_locked(features.values),
        labels=_locked(features.labels),
        logits=None if features.logits is None else _locked(features.logits),
        reference=None if reference is None else _read_only(reference),
        extras={name: _locked(array) for name, array in features.extras.items()},
    )


def _locked(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _noted(record: ScoreRecord, spec: EstimatorSpec, features: Features) -> ScoreRecord:
    """Say beside a score that its attributions are not what was asked for."""
    if not spec.reads("attributions") or "attributions" not in features.extras:
        return record
    own, other = features.attribution_note, features.reference
    notes = [record.note, f"attributions: {own}" if own else ""]
    if spec.reads("reference") and other is not None and "attributions" in other.extras:
        beside = other.attribution_note
        if beside and beside != own:
            notes.append(f"attributions of the reference: {beside}")
        if bool(beside) != bool(own):
            notes.append("maps of two kinds are compared")
    return msgspec.structs.replace(record, note="; ".join(note for note in notes if note))


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Features that somebody brought, and what the estimators say of them.

    Attributes:
        features: after the checks: labels are 0..C-1, broken samples may have been dropped.
        rows: samples there were; fewer are scored when there are too many.
        records: one an estimator, in order.
        failures: estimators that broke.
        notes: what was understood or left out, one sentence each.
    """

    features: Features
    rows: int
    records: tuple[ScoreRecord, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...] = ()


def score_arrays(
    source: str | Path | Mapping[str, npt.NDArray[Any]],
    estimators: Sequence[str] = (),
    *,
    catalogue: Catalogue,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    reference: str | Path | Mapping[str, npt.NDArray[Any]] | None = None,
    task: str | None = None,
    permutations: int = 50,
    folds: int = 10,
    seed: int = 0,
    on_nonfinite: Literal["raise", "drop"] = "raise",
) -> Scored:
    """Score features that a person brings.

    Args:
        source: an ``.npz`` file or its arrays; see :func:`zoo.feature_files.features_of`.
        estimators: names; empty takes the default ones that do the task; ``all`` every one that
            does it and whose needs are here.
        catalogue: where the names are looked up.
        options: estimator -> its options.
        reference: the same samples through another model, an ``.npz`` with ``X``; without it,
            ``reference`` of the file or a file ``ref_NAME.npz`` beside it is taken.
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
    for name in {*options, *estimators} - {EVERY}:
        catalogue.spec("estimator", name)
    features = _read(source, task)
    names = expand_names(estimators, known, features.task) or [
        name
        for name, spec in known.items()
        if spec.default and spec.reads_features and features.task in spec.tasks
    ]
    features, notes = _with_reference(features, source, reference, [known[each] for each in names])
    named = [each for each in names if each in estimators or not _missing(known[each], features)]
    owners = {each: catalogue.stranger("estimator", each) for each in named}
    built, unbuilt = _built([known[each] for each in named], options, features, owners)
    rows = len(features.values)
    try:
        features = check_features(_subsample(features, seed), on_nonfinite=on_nonfinite)
    except NotApplicable as error:
        raise InputError(f"{features.model}: {error.message}") from error
    records, failures = score_layer(
        features,
        built,
        permutations=permutations,
        folds=folds,
        seed=seed,
        owners=owners,
    )
    records += [_dash(features, spec, _NO_FEATURES) for spec, _ in built if not spec.reads_features]
    if rows > len(features.values):
        notes.append(f"{rows - len(features.values)} of {rows} samples were left out.")
    return Scored(
        features=features,
        rows=rows,
        records=tuple(records),
        failures=(*unbuilt, *failures),
        notes=tuple(notes),
    )


def _built(
    specs: Iterable[EstimatorSpec],
    options: Mapping[str, Mapping[str, Any]],
    features: Features,
    owners: Mapping[str, Mapping[str, str]],
) -> tuple[list[tuple[EstimatorSpec, Any]], list[Failure]]:
    """Make every estimator; one that cannot be made is a failure of its own."""
    built, failures = [], []
    for spec in specs:
        try:
            with running(owners[spec.name].get("plugin", "")):
                built.append((spec, build(spec, options.get(spec.name))))
        except InputError:  # the person's own words
            raise
        except PLUGIN_ERRORS as error:
            failures.append(_failure(error, spec.name, features, owners[spec.name]))
    return built, failures


def _read(source: str | Path | Mapping[str, npt.NDArray[Any]], task: str | None) -> Features:
    if isinstance(source, (str, Path)):
        return features_of(read_npz(source), task=task, source=str(source))
    return features_of(source, task=task)


def _with_reference(
    features: Features,
    source: str | Path | Mapping[str, npt.NDArray[Any]],
    reference: str | Path | Mapping[str, npt.NDArray[Any]] | None,
    specs: Sequence[EstimatorSpec],
) -> tuple[Features, list[str]]:
    """Add the reference that was named, else one that lies beside the file and is read."""
    if reference is not None:
        named = isinstance(reference, (str, Path))
        arrays = read_npz(reference) if isinstance(reference, (str, Path)) else reference
        return with_reference(
            features, arrays, source=str(reference) if named else "the reference"
        ), []
    wanted = any(spec.reads("reference") for spec in specs)
    if features.reference is not None or not wanted or not isinstance(source, (str, Path)):
        return features, []
    beside = reference_beside(source)
    if beside is None:
        return features, []
    try:
        found = with_reference(features, read_npz(beside), source=str(beside))
    except InputError as error:
        return features, [f"{error.message} It was not used."]
    return found, [f"{beside} is taken as the reference model's features."]


def _subsample(features: Features, seed: int) -> Features:
    """Cut a very large file to a stratified sample that the estimators can afford."""
    samples = len(features.values)
    if samples <= MOST_SAMPLES:
        return features
    parts = -(-samples // SAMPLE)
    return features.rows(layer_folds(features, parts, seed) == 0)


def _score(spec: EstimatorSpec, estimator: Any, resamples: Resamples) -> ScoreRecord:
    features = resamples.features
    missing = _missing(spec, features)
    if missing:
        raise NotApplicable(missing)
    started = time.perf_counter()
    score = estimator.score(features)
    if not isinstance(score, Score) or not np.isfinite(score.value):
        raise PluginError(f"the estimator {spec.name!r} returned {score!r}, which is no score.")
    null, folds, *notes = resamples.of(spec, estimator)
    notes = [each for each in (score.note, *notes) if each]
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


def _missing(spec: EstimatorSpec, features: Features) -> str:
    """Say what an estimator needs that is not here; empty when nothing is missing."""
    if features.task not in spec.tasks:
        return f"does {', '.join(spec.tasks)}, not {features.task}."
    graph = any(name.startswith(GRAPH_ARRAYS) for name in features.extras)
    here = {
        "features": features.values.shape[1] > 0 or (graph and spec.reads("attributions")),
        "labels": features.labels.size > 0,
        "logits": features.logits is not None,
        "reference": features.reference is not None,
        "label_embeddings": bool({"class_embeddings", "Z"} & features.extras.keys()),
    }
    absent = [need for need in spec.needs if not here.get(need, need in features.extras)]
    return " ".join(f"needs {_NEEDS.get(each, f'{each}, which is not here')}." for each in absent)


def _dash(features: Features, spec: EstimatorSpec, reason: str) -> ScoreRecord:
    return ScoreRecord(
        model=features.model,
        layer=features.layer,
        estimator=spec.name,
        not_applicable=reason,
    )
