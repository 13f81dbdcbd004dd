"""One checkpoint, layer by layer: what the estimators say, and how like a reference each layer is.

A layer is like a reference in the eyes of every estimator that reads one; by default the reference
is the output of the checkpoint's own head, where it has one, else the layer a new head would read.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from zoo.catalogue import build, expand_names
from zoo.engine import LocalEngine, ModelTask
from zoo.errors import ZooError, unknown_name
from zoo.events import Listener, ignore
from zoo.label_embeddings import embed_for
from zoo.pipeline import estimator_jobs, prepare
from zoo.plan import find_candidates
from zoo.ranking.rank import ModelScores, choose_layer, estimator_cell
from zoo.readings import ATTRIBUTED, ATTRIBUTION, comparing, read_models
from zoo.scoring import score_layer
from zoo.types.failure import Failure
from zoo.types.provenance import Provenance
from zoo.types.ranking import EstimatorCell, ProbeSummary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.catalogue import Catalogue
    from zoo.engine import EstimatorJob, ModelResult
    from zoo.pipeline import Prepared
    from zoo.plan import PlannedModel
    from zoo.readings import Readings
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.features import Features
    from zoo.types.model import Checkpoint
    from zoo.types.ranking import Exclusion
    from zoo.types.score import ScoreRecord
    from zoo.types.specs import EstimatorSpec

LOGITS = "logits"


class Similarity(msgspec.Struct, frozen=True, kw_only=True):
    """How like a reference something is, in one estimator's eyes.

    Attributes:
        value: higher is more alike; None where it cannot be told.
        details: named parts of it.
        note: what it is made of, or why it is missing.
    """

    value: float | None
    details: dict[str, float] = {}
    note: str = ""

    @classmethod
    def of(cls, record: ScoreRecord) -> Similarity:
        """Read it from the record of an estimator that had a reference."""
        note = record.not_applicable or record.note
        return cls(value=record.value, details=record.details, note=note)


class LayerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One layer.

    Attributes:
        score: consensus of the estimators among the layers; None without one.
        estimators: their own words.
        similarity: estimator -> how like the reference it is.
    """

    layer: str
    dimension: int | None
    score: float | None
    estimators: dict[str, EstimatorCell]
    similarity: dict[str, Similarity]


class LayerReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where to cut one checkpoint.

    Attributes:
        cut_at: the layer to read: the best, unless the usual one is tied with it.
        chosen_by: ``consensus``, or the estimator of similarity where nothing else was measured.
        default_layer: the usual one, which a new head would read.
        against: what the layers are compared with, such as ``hub:org/name:logits``.
    """

    model: str
    probe: ProbeSummary
    cut_at: str
    chosen_by: str
    default_layer: str
    against: str
    layers: tuple[LayerRow, ...]
    failures: tuple[Failure, ...]
    provenance: Provenance
    seconds: float = 0.0
    schema_version: int = 1


def measure_layers(
    request: Request,
    settings: Settings,
    catalogue: Catalogue,
    *,
    against: str = "",
    attribution: str = ATTRIBUTION,
    on_event: Listener = ignore,
) -> LayerReport:
    """Measure every layer of ``request.models[0]`` in one pass.

    Args:
        request: data, one model, estimators; its ``layers`` are always all of them.
        settings: how to run.
        catalogue: what the plugins provide.
        against: a reference model, with ``:layer`` behind it or not; empty: its own head.
        attribution: method of the attribution maps; empty: none.
        on_event: is told what happens while it happens, from any thread.

    Raises:
        ZooError: the model cannot be measured at all.
    """
    started = time.monotonic()
    other, layer = split_layer(against, catalogue.specs("source"))
    models = tuple(dict.fromkeys((request.models[0], *([other] if other else []))))
    request = msgspec.structs.replace(request, models=models, layers="all")
    prepared = prepare(request, settings, catalogue)
    similar = _comparing(request, prepared, catalogue)
    names = _named(request, settings, prepared)
    jobs = _scoring(request, prepared, catalogue)

    def task_of(planned: PlannedModel, checkpoint: Checkpoint) -> ModelTask:
        first = planned.candidate.model == names[0]
        return ModelTask(
            checkpoint=checkpoint,
            runtime=catalogue.spec("runtime", planned.runtime),
            rivals=tuple(catalogue.spec("runtime", name) for name in planned.rivals),
            layers="all",
            estimators=jobs if first else (),
            permutations=request.permutations,
            folds=request.folds,
            seed=request.probe.seed,
            attributions=attribution if similar else "",
            attribution_samples=min(ATTRIBUTED, prepared.probe.samples),
        )

    embedded = embed_for(
        request,
        prepared.probe,
        [job.spec for job in jobs],
        catalogue=catalogue,
        settings=settings,
        on_event=on_event,
    )
    with LocalEngine(settings, prepared.probe, on_event, extras=embedded.extras) as engine:
        readings = read_models(
            prepared, engine, task_of, settings=settings, catalogue=catalogue, on_event=on_event
        )
        readings.failures += embedded.failures
        result = _require(names[0], prepared, readings)
        reference = _reference(engine, readings, result, names[-1] if other else "", layer)
        compared = _compare(engine, result, reference, _built(similar, request))
    report = _report(prepared, readings, result, reference, compared)
    return msgspec.structs.replace(report, seconds=time.monotonic() - started)


def split_layer(text: str, schemes: Mapping[str, object]) -> tuple[str, str]:
    """Take ``hub:org/name:block.3`` apart: the reference, and the layer or nothing."""
    head, colon, tail = text.rpartition(":")
    if not colon or not head or head in schemes or "/" in tail:
        return text, ""
    return head, tail


@dataclass(frozen=True)
class _Target:
    """What layers are compared with; ``features`` is None where it could not be read."""

    name: str
    features: Features | None


def _named(request: Request, settings: Settings, prepared: Prepared) -> tuple[str, ...]:
    """References of the model and of the one it is compared with, as the plan has them."""
    _, candidates = find_candidates(request, settings)
    planned = [each.candidate.model for each in prepared.plan.models]
    lost = {each.model for each in prepared.plan.failures}
    lost |= {each.model for each in prepared.plan.excluded}
    kept = iter(planned)
    return tuple(
        each.model if each.model in lost else next(kept, each.model) for each in candidates
    )


def _scoring(
    request: Request, prepared: Prepared, catalogue: Catalogue
) -> tuple[EstimatorJob, ...]:
    """Everything that needs no reference scores the layers with the labels."""
    jobs = estimator_jobs(request, prepared.plan, catalogue)
    return tuple(job for job in jobs if "reference" not in job.spec.needs)


def _comparing(
    request: Request, prepared: Prepared, catalogue: Catalogue
) -> dict[str, EstimatorSpec]:
    task, known = prepared.probe.task, catalogue.specs("estimator")
    named = expand_names(request.estimators, known, task)
    return comparing([name for name in named if known[name].reads("reference")], catalogue, task)


def _built(
    similar: Mapping[str, EstimatorSpec], request: Request
) -> list[tuple[EstimatorSpec, object]]:
    return [(spec, build(spec, request.options.get(name))) for name, spec in similar.items()]


def _require(model: str, prepared: Prepared, readings: Readings) -> ModelResult:
    """Give the result of the one model this is about.

    Raises:
        ZooError: with what went wrong with it.
    """
    if model in readings.results:
        return readings.results[model]
    failures = [*prepared.plan.failures, *readings.failures]
    for failure in failures:
        if failure.model == model:
            raise ZooError(f"{model} cannot be measured: {failure.error}", failure.hint)
    for each in prepared.plan.excluded:
        if each.model == model:
            raise ZooError(f"{model} cannot be measured: {each.reason}.")
    raise ZooError(f"{model} gave no layer.")


def _reference(
    engine: LocalEngine, readings: Readings, result: ModelResult, other: str, layer: str
) -> _Target:
    """Find what the layers are compared with.

    Raises:
        UnknownNameError: the reference has no such layer.
    """
    chosen = readings.results.get(other) if other else result
    if chosen is None:
        return _Target(other, None)
    known = [tap.name for tap in chosen.layers]
    if layer and layer not in {*known, LOGITS}:
        raise unknown_name(f"layer of {chosen.model}", layer, known)
    wanted = layer or (chosen.default_layer if other else LOGITS)
    features = _head(engine, chosen) if wanted == LOGITS else engine.read(chosen, wanted)
    if features is None and layer:
        raise unknown_name(f"layer of {chosen.model}", layer, known)
    if features is None:
        wanted = chosen.default_layer
        features = engine.read(chosen, wanted)
    return _Target(f"{chosen.model}:{wanted}", features)


def _head(engine: LocalEngine, result: ModelResult) -> Features | None:
    """The output of a checkpoint's own head as features; None without a head."""
    usual = engine.read(result, result.default_layer)
    if usual.logits is None:
        return None
    try:
        maps = engine.read(result, LOGITS).extras.get("attributions")
    except ZooError:
        maps = None
    extras = {} if maps is None else {"attributions": maps}
    return replace(usual, values=usual.logits, layer=LOGITS, extras=extras, _memo={})


def _compare(
    engine: LocalEngine,
    result: ModelResult,
    reference: _Target,
    estimators: list[tuple[EstimatorSpec, object]],
) -> dict[str, dict[str, Similarity]]:
    """Compare every layer with the reference: layer -> estimator -> similarity."""
    if reference.features is None or not estimators:
        return {}
    found: dict[str, dict[str, Similarity]] = {}
    for tap in result.layers:
        features = replace(engine.read(result, tap.name), reference=reference.features)
        records, failures = score_layer(features, estimators, permutations=0, folds=0)
        found[tap.name] = {record.estimator: Similarity.of(record) for record in records} | {
            failure.stage.removeprefix("score "): Similarity(value=None, note=failure.error)
            for failure in failures
        }
    return found


def _report(
    prepared: Prepared,
    readings: Readings,
    result: ModelResult,
    reference: _Target,
    compared: Mapping[str, Mapping[str, Similarity]],
) -> LayerReport:
    scores = ModelScores(
        model=result.model, records=result.records, default_layer=result.default_layer
    )
    choice = choose_layer(scores)
    consensus = {each.layer: each.score for each in choice[1]} if choice else {}
    cut_at, chosen_by = (choice[0], "consensus") if choice else _most_alike(compared, result)
    rows = [
        LayerRow(
            layer=tap.name,
            dimension=tap.dimension,
            score=consensus.get(tap.name),
            estimators={
                each.estimator: estimator_cell(each)
                for each in result.records
                if each.layer == tap.name
            },
            similarity=dict(compared.get(tap.name, {})),
        )
        for tap in result.layers
    ]
    return LayerReport(
        model=result.model,
        probe=prepared.plan.probe,
        cut_at=cut_at or result.default_layer,
        chosen_by=chosen_by,
        default_layer=result.default_layer,
        against=reference.name,
        layers=tuple(rows),
        failures=(
            *prepared.plan.failures,
            *(_left_out(each) for each in prepared.plan.excluded),
            *readings.failures,
        ),
        provenance=readings.provenance(prepared.request.probe.seed),
    )


def _left_out(exclusion: Exclusion) -> Failure:
    return Failure(stage="inspect", model=exclusion.model, error=f"{exclusion.reason}.")


def _most_alike(
    compared: Mapping[str, Mapping[str, Similarity]], result: ModelResult
) -> tuple[str, str]:
    """The layer most like the reference, the usual one among equals, and who says so."""
    for name in dict.fromkeys(name for each in compared.values() for name in each):
        found = {layer: each[name].value for layer, each in compared.items() if name in each}
        values = {layer: value for layer, value in found.items() if value is not None}
        if values:
            best = max(values.values())
            alike = [layer for layer, value in values.items() if math.isclose(value, best)]
            usual = result.default_layer
            return usual if usual in alike else alike[0], name
    return "", ""
