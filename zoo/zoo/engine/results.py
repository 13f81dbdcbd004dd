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

    from zoo.engine.tasks import ModelTask
    from zoo.store import Store
    from zoo.types.score import ScoreRecord


def look_up(store: Store, features: str, task: ModelTask) -> ModelResult | None:
    """Answer from the records alone; None when anything is missing."""
    name = extraction_key(features)
    known = store.records.read([name])
    if name not in known:
        return None
    extraction = msgspec.json.decode(known[name], type=Extraction)
    layers = [layer.name for layer in extraction.scored(task.layers)]
    if is_unusable(extraction, task):
        return conclude(task, extraction, from_store=True)
    found = known_records(store, features, task, layers)
    cells = [(layer, job.spec.name) for layer in layers for job in task.estimators]
    if any(cell not in found for cell in cells):
        return None
    return conclude(task, extraction, [found[cell] for cell in cells], from_store=True)


def is_unusable(extraction: Extraction, task: ModelTask) -> bool:
    """Whether none of the layers to score holds numbers that can be scored."""
    return all(layer.problem for layer in extraction.scored(task.layers))


def conclude(
    task: ModelTask,
    extraction: Extraction,
    records: Sequence[ScoreRecord] = (),
    failures: Sequence[Failure] = (),
    *,
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
    )


def failed(task: ModelTask, failure: Failure) -> ModelResult:
    """Answer with nothing but a failure, in the name of the task's model."""
    model = task.checkpoint.model
    return ModelResult(model=model, failures=(msgspec.structs.replace(failure, model=model),))
