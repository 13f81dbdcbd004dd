"""From a question to a ranking: plan, fetch, extract and score, rank.

Each checkpoint is its own failure domain from the first look at its files to its last score.
Everything measured goes to the store as soon as it exists, so that the same command, killed at any
moment, goes on where it stopped.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.engine import EstimatorJob, LocalEngine, ModelResult, ModelTask
from zoo.engine.devices import check_device, choose_devices
from zoo.engine.machine import may_have_gpu, usable_cores
from zoo.errors import InputError, NotApplicable, ZooError
from zoo.events import Event, Listener, ignore
from zoo.host import PLUGIN_ERRORS
from zoo.plan import choose_estimators, make_plan, source_of
from zoo.probes import load, summary
from zoo.ranking import ModelScores, rank
from zoo.sources import open_sources
from zoo.types.failure import Failure
from zoo.types.provenance import provenance_now
from zoo.types.ranking import Exclusion, Ranking

if TYPE_CHECKING:
    from zoo.catalogue import Catalogue
    from zoo.plan import Plan, PlannedModel
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.model import Checkpoint, ModelEntry
    from zoo.types.probe import Probe
    from zoo.types.score import Score


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A question that can be answered: the data is read and the plan is made."""

    request: Request
    probe: Probe
    plan: Plan


def prepare(request: Request, settings: Settings, catalogue: Catalogue) -> Prepared:
    """Read the data and decide who takes part, without fetching a weight.

    Raises:
        ZooError: the question cannot be answered; nothing has been written.
    """
    probe = load(_located(request), request.probe, catalogue)
    if probe.modality == "features":
        raise InputError(
            f"{request.data} holds features that somebody extracted, not images or texts.",
            f"zoo score {request.data} scores them.",
        )
    _check_device(settings.device)
    cores = settings.jobs or usable_cores()
    plan = make_plan(request, summary(probe), settings, catalogue, cores)
    return Prepared(request=request, probe=probe, plan=plan)


def _check_device(text: str) -> None:
    """Refuse what this machine cannot have, without importing a framework to ask."""
    if check_device(text).startswith("cuda") and not may_have_gpu():
        choose_devices(text, 0)


def _located(request: Request) -> str:
    """Find relative data where the person was, which is not where a run is resumed."""
    there = Path(request.folder) / request.data
    moved = request.folder and Path(request.folder) != Path.cwd() and there.exists()
    return str(there) if moved else request.data


def recommend(
    prepared: Prepared,
    settings: Settings,
    catalogue: Catalogue,
    *,
    run: str = "",
    on_event: Listener = ignore,
) -> Ranking:
    """Measure every planned model and rank them.

    Args:
        prepared: the question, and what was decided.
        settings: how to run.
        catalogue: what the plugins provide.
        run: name of the run, for the ranking.
        on_event: is told what happens while it happens, from any thread.
    """
    started = time.monotonic()
    plan = prepared.plan
    on_event(Event(kind="plan", total=len(plan.models), message=_plan_line(plan)))
    for failure in plan.failures:
        on_event(Event(kind="failure", model=failure.model or "", message=str(failure)))
    measured = _Measurement(prepared, settings, catalogue, on_event).run(started)
    ranking = msgspec.structs.replace(
        _conclude(prepared, measured, catalogue),
        run=run,
        seconds=time.monotonic() - started,
    )
    for result in measured.results.values():
        for record in result.records:
            list(catalogue.host.call("zoo_score_recorded", record=record))
    list(catalogue.host.call("zoo_ranking_ready", ranking=ranking))
    late = tuple(each for each in catalogue.host.failures if each not in ranking.failures)
    return msgspec.structs.replace(ranking, failures=(*ranking.failures, *late))


@dataclass(kw_only=True)
class Measured:
    """What a run has measured so far."""

    results: dict[str, ModelResult] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    unreached: list[Exclusion] = field(default_factory=list)
    revisions: dict[str, str] = field(default_factory=dict)


class _Measurement:
    """Fetches and measures every planned model; downloads overlap with forward passes.

    With a budget, a model is handed to the engine only when a worker is free for it: the engine
    finishes whatever it was given.
    """

    def __init__(
        self, prepared: Prepared, settings: Settings, catalogue: Catalogue, on_event: Listener
    ) -> None:
        self.plan, self.request, self.probe = prepared.plan, prepared.request, prepared.probe
        self.settings, self.catalogue, self.on_event = settings, catalogue, on_event
        self.sources = open_sources(catalogue, settings, self._told)
        self.stopped = threading.Event()
        self.jobs = estimator_jobs(self.request, self.plan, catalogue)
        self.measured = Measured()
        self.fetching: dict[Future[Checkpoint], PlannedModel] = {}
        self.fetched: list[tuple[PlannedModel, Checkpoint]] = []
        self.running: dict[Future[ModelResult], PlannedModel] = {}

    def run(self, started: float) -> Measured:
        deadline = started + self.request.budget if self.request.budget else None
        pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="fetch")
        try:
            with LocalEngine(self.settings, self.probe, self.on_event) as engine:
                for planned in self.plan.models:
                    self.fetching[pool.submit(self._fetch, planned)] = planned
                while self.fetching or self.fetched or self.running:
                    self._step(engine, deadline)
        except BaseException:
            self.stopped.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return self.measured

    def _step(self, engine: LocalEngine, deadline: float | None) -> None:
        """Start what may be started, and take in whatever ends next."""
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            self._leave_out_the_rest()
            left = None
        room = engine.workers.limit - len(self.running) if deadline else len(self.fetched)
        for planned, checkpoint in self.fetched[: max(0, room)]:
            self.running[engine.submit(self._task(planned, checkpoint))] = planned
        del self.fetched[: max(0, room)]
        pending: list[Future[Any]] = [*self.fetching, *self.running]
        done, _ = wait(pending, timeout=left, return_when=FIRST_COMPLETED)
        for future in done:
            self._advance(future)

    def _leave_out_the_rest(self) -> None:
        """Start nothing more, and end the downloads: they go on where they stopped next time."""
        self.stopped.set()
        for future in self.fetching:
            future.cancel()
        waiting = [*self.fetching.values(), *(planned for planned, _ in self.fetched)]
        reason = f"not reached within --budget {self.request.budget:g} s"
        self.measured.unreached += [
            Exclusion(model=planned.candidate.model, reason=reason)
            for planned in self.plan.models
            if planned in waiting
        ]
        self.fetching.clear()
        self.fetched.clear()

    def _told(self, event: Event) -> None:
        """Pass on what a download says; an end of the run ends it here, to go on later."""
        if self.stopped.is_set():
            raise ZooError("interrupted.")
        self.on_event(event)

    def _fetch(self, planned: PlannedModel) -> Checkpoint:
        return source_of(planned.candidate, self.sources).fetch(planned.candidate)

    def _advance(self, future: Future[Any]) -> None:
        if future in self.running:
            self._finish(self.running.pop(future), future.result())
            return
        planned = self.fetching.pop(future)
        model = planned.candidate.model
        try:
            checkpoint = future.result()
        except Exception as error:  # noqa: BLE001 -- one checkpoint must not stop the others
            self._fail(Failure.of(error, stage="fetch", model=model))
            return
        self.measured.revisions[model] = checkpoint.entry.parsed.revision or checkpoint.digest
        self.fetched.append((planned, checkpoint))

    def _task(self, planned: PlannedModel, checkpoint: Checkpoint) -> ModelTask:
        return ModelTask(
            checkpoint=checkpoint,
            runtime=self.catalogue.spec("runtime", planned.runtime),
            layers=self.request.layers,
            estimators=self.jobs,
            permutations=self.request.permutations,
            folds=self.request.folds,
            seed=self.request.probe.seed,
        )

    def _finish(self, planned: PlannedModel, result: ModelResult) -> None:
        model = planned.candidate.model
        for failure in result.failures:
            self._fail(failure)
        if result.records:
            self.measured.results[model] = result
            seconds = result.load_seconds + result.forward_seconds + result.score_seconds
            self.on_event(
                Event(
                    kind="model",
                    model=model,
                    done=len(self.measured.results),
                    total=len(self.plan.models),
                    seconds=seconds,
                    message="from the store" if result.from_store else "",
                )
            )

    def _fail(self, failure: Failure) -> None:
        self.measured.failures.append(failure)
        self.on_event(Event(kind="failure", model=failure.model or "", message=str(failure)))


def estimator_jobs(request: Request, plan: Plan, catalogue: Catalogue) -> tuple[EstimatorJob, ...]:
    """Pair each estimator with its options and with the version of the plugin it comes from."""
    versions = {plugin.name: plugin.version for plugin in catalogue.host.installed}
    provided = catalogue.provided("estimator")
    return tuple(
        EstimatorJob(
            spec=spec,
            options=request.options.get(name, {}),
            distribution_version=versions.get(provided[name].plugin, ""),
        )
        for name, spec in choose_estimators(request, plan.probe, catalogue).items()
    )


def prior_scores(plan: Plan, catalogue: Catalogue) -> dict[str, Score]:
    """Score every planned model by the data-free estimators, which see only its entry.

    With several priors installed, the first in the catalogue is shown. One that breaks is a
    failure of its plugin: the scores stand without it.
    """
    name = next(
        (name for name, spec in catalogue.specs("estimator").items() if spec.data_free), None
    )
    scores: dict[str, Score] = {}
    if name is None:
        return scores
    try:
        prior = catalogue.create("estimator", name)
        for planned in plan.models:
            with suppress(NotApplicable):
                scores[planned.candidate.model] = prior.score_entry(planned.candidate.entry)
    except PLUGIN_ERRORS as error:
        plugin = catalogue.provided("estimator")[name].plugin
        catalogue.host.refuse(f"{name}: {error}", plugin=plugin, stage="prior")
        return {}
    return scores


def _conclude(prepared: Prepared, measured: Measured, catalogue: Catalogue) -> Ranking:
    plan, probe = prepared.plan, prepared.probe
    entries = {each.candidate.model: each.candidate.entry for each in plan.models}
    order: dict[str | None, int] = {name: place for place, name in enumerate(entries)}
    ranked = rank(
        [_scores(result, entries[model]) for model, result in measured.results.items()],
        samples=probe.samples,
        classes=plan.probe.classes,
        smallest_class=_smallest_class(probe),
        priors=prior_scores(plan, catalogue),
    )
    return Ranking(
        run="",
        probe=plan.probe,
        ranking=ranked.ranking,
        prior=ranked.prior,
        excluded=(*plan.excluded, *measured.unreached),
        failures=(
            *plan.failures,
            # In the order of the plan, whichever came first: the same run gives the same document.
            *sorted(measured.failures, key=lambda each: order.get(each.model, -1)),
            *(_unranked(each) for each in ranked.unranked),
            *catalogue.host.failures,
        ),
        provenance=provenance_now(
            seed=prepared.request.probe.seed,
            device=", ".join(sorted({each.device for each in measured.results.values()})),
            revisions={
                name: measured.revisions[name] for name in order if name in measured.revisions
            },
        ),
        warnings=ranked.warnings,
        agreement=ranked.agreement,
        prior_agreement=ranked.prior_agreement,
    )


def _scores(result: ModelResult, entry: ModelEntry) -> ModelScores:
    return ModelScores(
        model=result.model,
        records=result.records,
        default_layer=result.default_layer,
        entry=entry,
        dimensions={tap.name: tap.dimension for tap in result.layers if tap.dimension},
        seconds=result.load_seconds + result.forward_seconds + result.score_seconds,
    )


def _unranked(exclusion: Exclusion) -> Failure:
    return Failure(stage="score", model=exclusion.model, error=exclusion.reason)


def _smallest_class(probe: Probe) -> int | None:
    if probe.task != "classification":
        return None
    import numpy as np

    return int(np.bincount(probe.labels).min())


def _plan_line(plan: Plan) -> str:
    text = f"{len(plan.models)} model{'' if len(plan.models) == 1 else 's'}"
    if plan.download:
        text += f", {plan.download / 1e6:,.0f} MB to download"
    return f"{text}, {len(plan.excluded)} left out" if plan.excluded else text
