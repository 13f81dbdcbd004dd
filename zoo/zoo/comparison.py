"""The agreement map: how alike checkpoints see the same data. It says nothing of transfer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.catalogue import build
from zoo.engine import LocalEngine, ModelTask
from zoo.errors import InputError, ZooError
from zoo.events import Listener, ignore
from zoo.pipeline import prepare
from zoo.readings import ATTRIBUTION, comparing, read_models
from zoo.scoring import score_layer
from zoo.types.failure import Failure
from zoo.types.provenance import Provenance
from zoo.types.ranking import Exclusion, ProbeSummary

if TYPE_CHECKING:
    from zoo.catalogue import Catalogue
    from zoo.plan import PlannedModel
    from zoo.readings import Readings
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.features import Features
    from zoo.types.model import Checkpoint
    from zoo.types.specs import EstimatorSpec

#: Attribution maps cost a backward pass a sample: beyond so many, none are made.
MOST_ATTRIBUTED = 500

Matrix = tuple[tuple[float | None, ...], ...]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """One estimator's map.

    Attributes:
        estimator: its name.
        matrix: row: a model; column: the model it is compared with; None where it cannot be told.
        mean: agreement of each model with the others.
        note: what the numbers are made of.
    """

    estimator: str
    matrix: Matrix
    mean: tuple[float | None, ...]
    note: str = ""


class AgreementMap(msgspec.Struct, frozen=True, kw_only=True):
    """Which checkpoints see the data alike: for choosing different ones, not better ones.

    Attributes:
        models: in the order of the matrices.
        layers: where each was read.
        agreement: one map an estimator.
        similarity: estimator -> its matrix, by name.
    """

    probe: ProbeSummary
    models: tuple[str, ...]
    layers: tuple[str, ...]
    agreement: tuple[Agreement, ...]
    similarity: dict[str, Matrix]
    excluded: tuple[Exclusion, ...]
    failures: tuple[Failure, ...]
    provenance: Provenance
    kind: str = "agreement"
    seconds: float = 0.0
    schema_version: int = 1


def compare_models(
    request: Request,
    settings: Settings,
    catalogue: Catalogue,
    *,
    attribution: str = ATTRIBUTION,
    on_event: Listener = ignore,
) -> AgreementMap:
    """Compare every model of a request with every other, at the layer a new head would read.

    Args:
        request: data, models, and estimators that read a reference; none takes the first.
        settings: how to run.
        catalogue: what the plugins provide.
        attribution: method of the attribution maps; empty: none.
        on_event: is told what happens while it happens, from any thread.

    Raises:
        InputError: fewer than two models, or an estimator that compares nothing.
        ZooError: fewer than two models could be measured.
    """
    started = time.monotonic()
    similar = comparing(request.estimators, catalogue)
    if not similar:
        raise InputError("no installed estimator compares a model with another.")
    prepared = prepare(
        msgspec.structs.replace(request, estimators=tuple(similar), layers="last"),
        settings,
        catalogue,
    )

    def task_of(planned: PlannedModel, checkpoint: Checkpoint) -> ModelTask:
        return ModelTask(
            checkpoint=checkpoint,
            runtime=catalogue.spec("runtime", planned.runtime),
            rivals=tuple(catalogue.spec("runtime", name) for name in planned.rivals),
            estimators=(),
            attributions=attribution,
            attribution_samples=min(prepared.probe.samples, MOST_ATTRIBUTED),
        )

    with LocalEngine(settings, prepared.probe, on_event) as engine:
        readings = read_models(
            prepared, engine, task_of, settings=settings, catalogue=catalogue, on_event=on_event
        )
        features = [engine.read(each, each.default_layer) for each in readings.results.values()]
    failures = [*prepared.plan.failures, *readings.failures]
    _require_two(readings, [str(each) for each in failures], prepared.plan.excluded)
    agreement = tuple(
        _agreement(spec, build(spec, request.options.get(name)), features)
        for name, spec in similar.items()
    )
    return AgreementMap(
        probe=prepared.plan.probe,
        models=tuple(readings.results),
        layers=tuple(each.default_layer for each in readings.results.values()),
        agreement=agreement,
        similarity={each.estimator: each.matrix for each in agreement},
        excluded=prepared.plan.excluded,
        failures=tuple(failures),
        provenance=readings.provenance(request.probe.seed),
        seconds=time.monotonic() - started,
    )


def _require_two(readings: Readings, failures: list[str], excluded: tuple[Exclusion, ...]) -> None:
    count = len(readings.results)
    if count >= 2:
        return
    reasons = "; ".join([*failures, *(f"{each.model}: {each.reason}" for each in excluded)][:3])
    raise ZooError(
        "an agreement map needs at least 2 models that can be measured, and there "
        f"{'is' if count == 1 else 'are'} {count}{f' ({reasons})' if reasons else ''}."
    )


def _agreement(spec: EstimatorSpec, estimator: Any, features: list[Features]) -> Agreement:
    """Fill one matrix; what cannot be compared stays empty."""
    notes: dict[str, None] = {}
    rows = []
    for one in features:
        row = []
        for other in features:
            beside = replace(one, reference=other)
            records, failed = score_layer(beside, [(spec, estimator)], permutations=0, folds=0)
            row.append(records[0].value if records else None)
            words = [each.not_applicable or each.note for each in records]
            words += [each.error for each in failed]
            notes |= dict.fromkeys(word for word in words if word)
        rows.append(tuple(row))
    return Agreement(
        estimator=spec.name,
        matrix=tuple(rows),
        mean=tuple(_mean(row, index) for index, row in enumerate(rows)),
        note="; ".join(notes),
    )


def _mean(row: tuple[float | None, ...], itself: int) -> float | None:
    others = [value for index, value in enumerate(row) if index != itself and value is not None]
    return sum(others) / len(others) if others else None
