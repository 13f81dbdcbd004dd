"""From what the store or the workers know to the answer for one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo.engine.extract import Extraction
from zoo.engine.keys import extraction_key, known_records
from zoo.engine.tasks import ModelResult
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.engine.keys import Names
    from zoo.engine.layout import Located
    from zoo.engine.tasks import ModelTask
    from zoo.store import Store
    from zoo.types.score import ScoreRecord


def look_up(store: Store, what: Located, task: ModelTask, runtime: str) -> ModelResult | None:
    """Answer from the records alone; None when anything is missing.

    Whoever asks for no score wants the files, which the records do not promise.
    """
    attempts = what.attempts(store)
    failures = [each for each in attempts.values() if each is not None]
    if len(attempts) < len(what.attributing) and not failures:
        return None
    what = what.without_attributions() if failures else what
    name = extraction_key(what.names.features)
    known = store.records.read([name])
    if name not in known or not (task.estimators or not what.missing(store)):
        return None
    extraction = msgspec.json.decode(known[name], type=Extraction)
    layers = [layer.name for layer in extraction.scored(task.layers)]
    notes = unattributed(task, failures)
    if is_unusable(extraction, task):
        return conclude(
            task, extraction, what.names, failures=notes, runtime=runtime, from_store=True
        )
    found = known_records(store, what.names, task, layers)
    cells = [(layer, job.spec.name) for layer in layers for job in task.estimators]
    if any(cell not in found for cell in cells):
        return None
    records = [found[cell] for cell in cells]
    return conclude(task, extraction, what.names, records, notes, runtime=runtime, from_store=True)


def is_unusable(extraction: Extraction, task: ModelTask) -> bool:
    """Whether none of the layers to score holds numbers that can be scored."""
    return all(layer.problem for layer in extraction.scored(task.layers))


def conclude(
    task: ModelTask,
    extraction: Extraction,
    names: Names,
    records: Sequence[ScoreRecord] = (),
    failures: Sequence[Failure] = (),
    *,
    runtime: str,
    from_store: bool,
) -> ModelResult:
    """Put an answer together; a model without a single usable layer has failed."""
    model = task.checkpoint.model
    if is_unusable(extraction, task):
        problem = extraction.scored(task.layers)[-1].problem
        hint = "Its numbers overflow on this data; leave it out."
        failures = [Failure(stage="extract", error=f"{problem}.", hint=hint, model=model)]
        records = ()
    return ModelResult(
        model=model,
        records=tuple(records),
        failures=tuple(failures),
        default_layer=extraction.default_layer,
        layers=extraction.taps,
        prepare_seconds=extraction.prepare_seconds,
        load_seconds=extraction.load_seconds,
        forward_seconds=extraction.forward_seconds,
        device=extraction.device,
        score_seconds=sum(record.seconds for record in records),
        from_store=from_store,
        features=names.features,
        attributions=names.attributions,
        runtime=runtime,
    )


def unattributed(task: ModelTask, failures: Sequence[Failure]) -> list[Failure]:
    """Say once, in the name of the task's model, why nothing is attributed."""
    model = task.checkpoint.model
    return [msgspec.structs.replace(each, model=model) for each in failures[:1]]


def failed(task: ModelTask, failure: Failure) -> ModelResult:
    """Answer with nothing but a failure, in the name of the task's model."""
    model = task.checkpoint.model
    return ModelResult(model=model, failures=(msgspec.structs.replace(failure, model=model),))
