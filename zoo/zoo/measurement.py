"""Fetch and measure the planned models; downloads overlap with forward passes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.engine import EstimatorJob, LocalEngine, ModelResult, ModelTask, Reference
from zoo.errors import InputError, ZooError
from zoo.estimators import choose_estimators
from zoo.events import Event
from zoo.host import PLUGIN_ERRORS
from zoo.plan import source_of
from zoo.racing import Lap, race
from zoo.readings import ATTRIBUTED, ATTRIBUTION
from zoo.rounds import slices_of
from zoo.sources import open_sources
from zoo.types.failure import Failure
from zoo.types.provenance import count_names
from zoo.types.ranking import Exclusion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.pipeline import Prepared
    from zoo.plan import Plan, PlannedModel
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.model import Checkpoint
    from zoo.types.ranking import RankingRow
    from zoo.types.specs import RuntimeSpec

    #: Ranks results on the samples of the first so many slices.
    Rank = Callable[[Mapping[str, ModelResult], int], Sequence[RankingRow]]

#: Stages of a failure in which a runtime was at work.
_OF_RUNTIMES = frozenset({"load", "extract", "attribute"})


@dataclass(kw_only=True)
class Measured:
    """What a run has measured.

    Attributes:
        results: model -> what is ranked, all on the same samples.
        failures: model -> what went wrong with it last; a lost reference has the empty name.
        excluded: models that were not reached, or dropped on the way.
        revisions: model -> commit or digest of its weights.
        rounds: how many rounds of a race count; 0 where there is none.
    """

    results: dict[str, ModelResult] = field(default_factory=dict)
    failures: dict[str, tuple[Failure, ...]] = field(default_factory=dict)
    excluded: list[Exclusion] = field(default_factory=list)
    revisions: dict[str, str] = field(default_factory=dict)
    rounds: int = 0


class Measurement:
    """Measures every planned model once, or in the rounds of a race.

    With a budget, a model is handed to the engine only when a worker is free for it: the engine
    finishes whatever it was given.

    Raises:
        InputError: every estimator compares with a reference, and none is named.
    """

    def __init__(
        self, prepared: Prepared, settings: Settings, catalogue: Catalogue, on_event: Listener
    ) -> None:
        self._plan, self._request, self._probe = prepared.plan, prepared.request, prepared.probe
        self._settings, self._catalogue, self._tell = settings, catalogue, on_event
        self._sources = open_sources(catalogue, settings, self._told)
        self._stopped = threading.Event()
        self._jobs = estimator_jobs(self._request, self._plan, catalogue)
        if not self._request.reference:
            _require_no_reference(self._jobs)
        self._measured = Measured()
        self._deadline: float | None = None
        self._fetching: dict[Future[Checkpoint], PlannedModel] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._reference: Future[Checkpoint] | None = None

    def run(self, started: float, rank: Rank) -> Measured:
        """Measure; ``started`` is when the budget began, ``rank`` decides who is behind."""
        if self._request.budget:
            self._deadline = started + self._request.budget
        extras = self._embed_labels()
        slices = slices_of(self._probe, self._plan.rounds) if self._plan.rounds else ()
        pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="fetch")
        try:
            with LocalEngine(
                self._settings, self._probe, self._tell, extras=extras, slices=slices
            ) as engine:
                if self._plan.reference is not None:
                    self._reference = pool.submit(self._fetch, self._plan.reference)
                for planned in self._plan.models:
                    self._fetching[pool.submit(self._fetch, planned)] = planned
                self._measure_all(engine, rank)
        except BaseException:
            self._stopped.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        self._tell_runtimes()
        return self._measured

    def _tell_runtimes(self) -> None:
        """Say which runtimes were taken where nobody has named one."""
        if any(planned.rivals for planned in self._plan.models):
            taken = count_names(each.runtime for each in self._measured.results.values())
            if taken:
                self._tell(Event(kind="note", message=f"runtime: {taken}"))

    def _measure_all(self, engine: LocalEngine, rank: Rank) -> None:
        models = [planned.candidate.model for planned in self._plan.models]
        if not self._plan.rounds:
            self._measured.results = self._measure(engine, models, 0).results
            return

        def measure(survivors: Sequence[str], number: int) -> Lap:
            self._announce(len(survivors), number)
            return self._measure(engine, survivors, number)

        rounds = self._plan.rounds
        raced = race(models, rounds, measure=measure, rank=rank, time_left=self._has_time)
        reason = f"not reached within --budget {self._request.budget:g} s"
        unreached = [Exclusion(model=model, reason=reason) for model in raced.unreached]
        self._measured.excluded = [*raced.dropped, *unreached]
        self._measured.results, self._measured.rounds = raced.results, raced.rounds

    def _announce(self, models: int, number: int) -> None:
        rounds = self._plan.rounds
        text = f"round {number} of {len(rounds)}: {rounds[number - 1]} of {rounds[-1]} samples"
        noun = "model" if models == 1 else "models"
        self._tell(Event(kind="plan", total=models, message=f"{text}, {models} {noun}"))

    def _measure(self, engine: LocalEngine, models: Sequence[str], slices: int) -> Lap:
        """Measure models on the first so many slices, or on every sample for 0."""
        reference = self._measure_reference(engine, slices)
        order = {planned.candidate.model: planned for planned in self._plan.models}
        waiting = [order[model] for model in models if model in self._checkpoints]
        running: dict[Future[ModelResult], PlannedModel] = {}
        lap = Lap()
        while self._fetching or waiting or running:
            left = None if self._deadline is None else self._deadline - time.monotonic()
            if left is not None and left <= 0:
                lap.unreached += self._leave_out(waiting)
                waiting, left = [], None
            room = engine.workers.limit - len(running) if self._deadline else len(waiting)
            for planned in waiting[: max(0, room)]:
                running[engine.submit(self._task(planned, slices, reference))] = planned
            del waiting[: max(0, room)]
            pending: list[Future[Any]] = [*self._fetching, *running]
            done, _ = wait(pending, timeout=left, return_when=FIRST_COMPLETED)
            for future in done:
                if future in running:
                    self._finish(running.pop(future), future.result(), lap)
                else:
                    waiting += self._fetched(future)
        # Results come as they are ready; the same run gives the same document.
        lap.results = {model: lap.results[model] for model in models if model in lap.results}
        return lap

    def _has_time(self) -> bool:
        return self._deadline is None or time.monotonic() < self._deadline

    def _leave_out(self, waiting: Sequence[PlannedModel]) -> list[str]:
        """Start nothing more, and end the downloads: they go on where they stopped next time."""
        self._stopped.set()
        for future in self._fetching:
            future.cancel()
        left_out = [*self._fetching.values(), *waiting]
        self._fetching.clear()
        return [each.candidate.model for each in self._plan.models if each in left_out]

    def _told(self, event: Event) -> None:
        """Pass on what a download says; an end of the run ends it here, to go on later."""
        if self._stopped.is_set():
            raise ZooError("interrupted.")
        self._tell(event)

    def _fetch(self, planned: PlannedModel) -> Checkpoint:
        return source_of(planned.candidate, self._sources).fetch(planned.candidate)

    def _fetched(self, future: Future[Checkpoint]) -> list[PlannedModel]:
        planned = self._fetching.pop(future)
        model = planned.candidate.model
        try:
            checkpoint = future.result()
        except PLUGIN_ERRORS as error:  # one checkpoint must not stop the others
            self._fail(model, (self._not_fetched(error, planned, "fetch"),))
            return []
        self._arrived(checkpoint)
        self._checkpoints[model] = checkpoint
        return [planned]

    def _not_fetched(self, error: BaseException, planned: PlannedModel, stage: str) -> Failure:
        failure = Failure.of(error, stage=stage, model=planned.candidate.model)
        return self._catalogue.blamed(failure, "source", planned.candidate.entry.parsed.source)

    def _arrived(self, checkpoint: Checkpoint) -> None:
        revision = checkpoint.entry.parsed.revision or checkpoint.digest
        self._measured.revisions[checkpoint.model] = revision

    def _task(self, planned: PlannedModel, slices: int, reference: Reference | None) -> ModelTask:
        return ModelTask(
            checkpoint=self._checkpoints[planned.candidate.model],
            runtime=self._catalogue.spec("runtime", planned.runtime),
            rivals=self._rivals(planned),
            layers=self._request.layers,
            estimators=self._jobs,
            permutations=self._request.permutations,
            folds=self._request.folds,
            seed=self._request.probe.seed,
            attributions=ATTRIBUTION if self._attributes(reference) else "",
            attribution_samples=ATTRIBUTED,
            reference=reference,
            slices=slices,
        )

    def _rivals(self, planned: PlannedModel) -> tuple[RuntimeSpec, ...]:
        return tuple(self._catalogue.spec("runtime", name) for name in planned.rivals)

    def _attributes(self, reference: Reference | None) -> bool:
        """Whether attributions would be read: beside a reference's, or by who always does."""
        specs = [job.spec for job in self._jobs if job.spec.reads("attributions")]
        return any(
            reference is not None or "attributions" in spec.needs or not spec.reads("reference")
            for spec in specs
        )

    def _measure_reference(self, engine: LocalEngine, slices: int) -> Reference | None:
        """Measure what the others are compared with; without it they are not compared."""
        planned, fetch = self._plan.reference, self._reference
        if planned is None or fetch is None:
            return None
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        if not wait([fetch], timeout=left).done:
            return None
        try:
            checkpoint = fetch.result()
        except PLUGIN_ERRORS as error:  # the others are not compared, and go on
            self._lose_reference(self._not_fetched(error, planned, "reference"))
            return None
        self._arrived(checkpoint)
        reads = any(job.spec.reads("attributions") for job in self._jobs)
        task = ModelTask(
            checkpoint=checkpoint,
            runtime=self._catalogue.spec("runtime", planned.runtime),
            rivals=self._rivals(planned),
            estimators=(),
            attributions=ATTRIBUTION if reads else "",
            attribution_samples=ATTRIBUTED,
            slices=slices,
        )
        result = engine.submit(task).result()
        for failure in result.failures:
            if failure.stage != "attribute":
                self._lose_reference(failure)
                return None
            self._fail("", (failure,))
        return Reference(
            model=result.model,
            layer=result.default_layer,
            features=result.features,
            attributions=result.attributions,
        )

    def _lose_reference(self, failure: Failure) -> None:
        self._reference = None
        self._fail("", (failure,))

    def _embed_labels(self) -> Mapping[str, npt.NDArray[Any]]:
        from zoo.label_embeddings import embed_for

        embedded = embed_for(
            self._request,
            self._probe,
            [job.spec for job in self._jobs],
            catalogue=self._catalogue,
            settings=self._settings,
            on_event=self._tell,
        )
        for failure in embedded.failures:
            self._fail(failure.stage, (failure,))
        return embedded.extras

    def _finish(self, planned: PlannedModel, result: ModelResult, lap: Lap) -> None:
        model = planned.candidate.model
        opened_by = result.runtime or planned.runtime
        blamed = (
            self._catalogue.blamed(each, "runtime", opened_by)
            if each.stage in _OF_RUNTIMES
            else each
            for each in result.failures
        )
        self._fail(model, tuple(blamed))
        if result.records:
            lap.results[model] = result
            self._tell(
                Event(
                    kind="model",
                    model=model,
                    done=len(lap.results),
                    total=len(self._plan.models),
                    seconds=result.load_seconds + result.forward_seconds + result.score_seconds,
                    message="from the store" if result.from_store else "",
                )
            )

    def _fail(self, model: str, failures: tuple[Failure, ...]) -> None:
        """Keep what went wrong in the last round that a model took part in."""
        before = self._measured.failures.get(model, ())
        self._measured.failures[model] = failures
        for failure in failures:
            if failure not in before:
                event = Event(kind="failure", model=failure.model or "", message=str(failure))
                self._tell(event)


def _require_no_reference(jobs: Sequence[EstimatorJob]) -> None:
    """Refuse to measure what nothing could be made of."""
    if all("reference" in job.spec.needs for job in jobs):
        names = [job.spec.name for job in jobs]
        raise InputError(
            f"{', '.join(names)}: the models are compared with a reference, and none is named.",
            f"zoo recommend DATA -e {names[0]} --reference MODEL",
        )


def estimator_jobs(request: Request, plan: Plan, catalogue: Catalogue) -> tuple[EstimatorJob, ...]:
    """Pair each estimator with its options and with the version of the plugin it comes from."""
    versions = {plugin.name: plugin.version for plugin in catalogue.host.installed}
    provided = catalogue.provided("estimator")
    return tuple(
        EstimatorJob(
            spec=spec,
            options=request.options.get(name, {}),
            distribution_version=versions.get(provided[name].plugin, ""),
            plugin=catalogue.stranger("estimator", name).get("plugin", ""),
        )
        for name, spec in choose_estimators(request, plan.probe, catalogue).items()
    )
