"""Scoring inside a worker process, from what the store keeps. Nothing here raises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.catalogue import build
from zoo.engine.failures import ERRORS, failure_of
from zoo.engine.jobs import ScoreDone
from zoo.engine.keys import extraction_key, known_records, score_key
from zoo.engine.pieces import read_extractions, read_features
from zoo.engine.process import owned_device, report
from zoo.errors import ZooError
from zoo.events import Event
from zoo.store import Store
from zoo.types.score import ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.engine.extract import Layer
    from zoo.engine.jobs import ScoreJob
    from zoo.engine.tasks import EstimatorJob
    from zoo.types.failure import Failure
    from zoo.types.features import Features
    from zoo.types.specs import EstimatorSpec


def score_features(job: ScoreJob) -> ScoreDone:
    """Score every wanted layer by every estimator; what is known already is not done again."""
    store = Store(job.store)
    records: list[ScoreRecord] = []
    failures: list[Failure] = []
    try:
        extraction = read_extractions(store, job.pieces)
        if extraction is None:
            return ScoreDone(lost=True)
        keep(store, {extraction_key(job.names.features): msgspec.json.encode(extraction)})
        for layer in extraction.scored(job.task.layers):
            answer = _score_layer(store, job, layer)
            if answer is None:
                return ScoreDone(lost=True)
            records += answer[0]
            failures += answer[1]
    except ERRORS as error:
        return ScoreDone(failures=(failure_of(error, "score", job.task.checkpoint.model),))
    return ScoreDone(extraction=extraction, records=tuple(records), failures=tuple(failures))


def keep(store: Store, values: dict[str, bytes]) -> None:
    """Write records, or say that they could not be kept: the answer stands either way."""
    try:
        store.records.write(values)
    except OSError as error:
        report(Event(kind="note", message=f"scores could not be kept: {error}"))


def features_to_score(store: Store, job: ScoreJob, layer: str) -> Features | None:
    """Read one layer with everything that estimators may want; None when it is not there."""
    task = job.task
    features = read_features(
        store,
        job.pieces,
        layer,
        model=task.checkpoint.model,
        labels=job.labels,
        task=job.probe_task,
        extras=job.extras,
    )
    if features is None or task.reference is None:
        return features
    reference = read_features(
        store,
        job.reference,
        task.reference.layer,
        model=task.reference.model,
        labels=job.labels,
        task=job.probe_task,
        extras={},
    )
    return replace(features, reference=reference)


def _score_layer(
    store: Store, job: ScoreJob, layer: Layer
) -> tuple[list[ScoreRecord], list[Failure]] | None:
    jobs = job.task.estimators
    known = known_records(store, job.names, job.task, [layer.name])
    missing = [each for each in jobs if (layer.name, each.spec.name) not in known]
    fresh: list[ScoreRecord] = []
    failures: list[Failure] = []
    if missing and layer.problem:
        fresh = [_not_applicable(job, layer, each) for each in missing]
    elif missing:
        features = features_to_score(store, job, layer.name)
        if features is None:
            return None
        fresh, failures = _score(job, features, missing)
    known.update({(layer.name, record.estimator): record for record in fresh})
    keys = {each.spec.name: score_key(job.names, layer.name, each, job.task) for each in jobs}
    keep(store, {keys[each.estimator]: msgspec.json.encode(each) for each in fresh})
    cells = [(layer.name, each.spec.name) for each in jobs]
    return [known[cell] for cell in cells if cell in known], failures


def _score(
    job: ScoreJob, features: Features, missing: Sequence[EstimatorJob]
) -> tuple[list[ScoreRecord], list[Failure]]:
    from zoo.algebra import lent
    from zoo.scoring import score_layer

    model = job.task.checkpoint.model
    estimators: list[tuple[EstimatorSpec, Any]] = []
    failures = []
    for each in missing:
        try:
            if each.spec.reads("reference") and features.reference is None and job.reference:
                raise ZooError("the features of the reference vanished from the store.")
            estimators.append((each.spec, build(each.spec, each.options)))
        except ERRORS as error:
            failed_to_build = failure_of(error, "score", model)
            failures.append(msgspec.structs.replace(failed_to_build, **each.owner))
    task = job.task
    with lent(owned_device()):
        records, failed = score_layer(
            features,
            estimators,
            permutations=task.permutations,
            folds=task.folds,
            seed=task.seed,
            owners={each.spec.name: each.owner for each in missing},
        )
    failures += [msgspec.structs.replace(each, model=model) for each in failed]
    return list(records), failures


def _not_applicable(job: ScoreJob, layer: Layer, estimator: EstimatorJob) -> ScoreRecord:
    return ScoreRecord(
        model=job.task.checkpoint.model,
        layer=layer.name,
        estimator=estimator.spec.name,
        not_applicable=layer.problem,
    )
