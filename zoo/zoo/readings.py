"""Run planned checkpoints over the data once, so that their layers can be looked at."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.catalogue import EVERY
from zoo.errors import InputError, ZooError
from zoo.events import Event, Listener, ignore
from zoo.host import PLUGIN_ERRORS
from zoo.plan import source_of
from zoo.sources import open_sources
from zoo.types.failure import Failure
from zoo.types.provenance import provenance_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zoo.catalogue import Catalogue
    from zoo.engine import LocalEngine, ModelResult, ModelTask
    from zoo.pipeline import Prepared
    from zoo.plan import PlannedModel
    from zoo.settings import Settings
    from zoo.types.model import Checkpoint
    from zoo.types.probe import Task
    from zoo.types.provenance import Provenance
    from zoo.types.specs import EstimatorSpec

#: Attribution maps are made of so many samples: one backward pass a layer each.
ATTRIBUTED = 100
#: What is attributed where a person does not say.
ATTRIBUTION = "gradient_x_input"


@dataclass(kw_only=True)
class Readings:
    """What came out of the engine.

    Attributes:
        results: model -> what was measured; those without features are among the failures.
        failures: every checkpoint's own, in the order of the plan.
        revisions: model -> commit or digest of its weights.
        precision: numbers that the forward passes computed in.
    """

    results: dict[str, ModelResult] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    revisions: dict[str, str] = field(default_factory=dict)
    precision: str = "fp32"

    def provenance(self, seed: int) -> Provenance:
        """Say what was run, with what."""
        devices = sorted({each.device for each in self.results.values() if each.device})
        return provenance_now(
            seed=seed,
            device=", ".join(devices),
            revisions=self.revisions,
            runtimes={name: each.runtime for name, each in self.results.items()},
            precision=self.precision,
        )


def read_models(
    prepared: Prepared,
    engine: LocalEngine,
    task_of: Callable[[PlannedModel, Checkpoint], ModelTask],
    *,
    settings: Settings,
    catalogue: Catalogue,
    on_event: Listener = ignore,
) -> Readings:
    """Fetch every planned model and hand it to the engine; each is its own failure domain.

    Args:
        prepared: the data, and which models.
        engine: open; its features can be read until it is closed.
        task_of: what to measure on a model.
        settings: how to fetch.
        catalogue: where the sources are.
        on_event: is told what happens, from any thread.
    """
    plan = prepared.plan
    on_event(Event(kind="plan", total=len(plan.models)))
    stopped = threading.Event()

    def told(event: Event) -> None:
        if stopped.is_set():
            raise ZooError("interrupted.")
        on_event(event)

    sources = open_sources(catalogue, settings, told)
    answers: dict[str, ModelResult | Failure] = {}
    readings = Readings(precision=plan.precision)
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="fetch") as pool:
        try:
            fetching = {
                pool.submit(source_of(each.candidate, sources).fetch, each.candidate): each
                for each in plan.models
            }
            running = {}
            for future in as_completed(fetching):
                planned = fetching[future]
                model = planned.candidate.model
                try:
                    checkpoint = future.result()
                except PLUGIN_ERRORS as error:  # one checkpoint must not stop the others
                    failure = Failure.of(error, stage="fetch", model=model)
                    scheme = planned.candidate.entry.parsed.source
                    answers[model] = catalogue.blamed(failure, "source", scheme)
                    continue
                revision = checkpoint.entry.parsed.revision
                readings.revisions[model] = revision or checkpoint.digest
                running[engine.submit(task_of(planned, checkpoint))] = model
            for done in as_completed(running):
                result = answers[running[done]] = done.result()
                words = "from the store" if result.from_store else ""
                seconds = _seconds(result)
                on_event(Event(kind="model", model=running[done], seconds=seconds, message=words))
        except BaseException:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return _sorted(readings, answers, prepared, on_event)


def _sorted(
    readings: Readings,
    answers: Mapping[str, ModelResult | Failure],
    prepared: Prepared,
    on_event: Listener,
) -> Readings:
    """Bring the answers, which come as they are ready, into the order of the plan."""
    for planned in prepared.plan.models:
        answer = answers[planned.candidate.model]
        if isinstance(answer, Failure):
            readings.failures.append(answer)
        else:
            readings.failures += answer.failures
            if answer.features:
                readings.results[planned.candidate.model] = answer
    for failure in readings.failures:
        on_event(Event(kind="failure", model=failure.model or "", message=str(failure)))
    return readings


def _seconds(result: ModelResult) -> float:
    return result.load_seconds + result.forward_seconds + result.score_seconds


def comparing(
    names: Sequence[str], catalogue: Catalogue, task: Task | None = None
) -> dict[str, EstimatorSpec]:
    """Take the named estimators that compare a model with a reference, else the first there is.

    ``all`` names every one of them.

    Raises:
        UnknownNameError: no such estimator.
        InputError: a named one reads no reference.
    """
    known = catalogue.specs("estimator")
    every = [name for name, spec in known.items() if spec.reads("reference")]
    usable = [name for name in every if task is None or task in known[name].tasks]
    chosen = [own for name in names for own in (usable if name == EVERY else [name])]
    named = {name: catalogue.spec("estimator", name) for name in chosen or usable[:1]}
    wrong = [name for name, spec in named.items() if not spec.reads("reference")]
    if wrong:
        raise InputError(
            f"the estimator {wrong[0]!r} compares no model with another.",
            f"Those that do: {', '.join(every)}." if every else "No installed plugin provides one.",
        )
    return named
