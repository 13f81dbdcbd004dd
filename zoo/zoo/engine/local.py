"""The engine of this machine: from a task to its records, through worker processes."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from zoo.catalogue import build
from zoo.engine.deaths import explain
from zoo.engine.devices import check_device, choose_devices
from zoo.engine.jobs import ExtractDone, ExtractJob, ScoreDone, ScoreJob
from zoo.engine.keys import features_key, labels_digest
from zoo.engine.machine import may_have_gpu
from zoo.engine.once import Once, gather
from zoo.engine.preparation import Preparation, Wanted
from zoo.engine.results import conclude, failed, is_unusable, look_up
from zoo.engine.teller import Teller
from zoo.engine.worker import extract_features, find_gpus, score_features
from zoo.engine.workers import EXTRACT, SCORE, WORKER_BYTES, Job, Workers
from zoo.errors import InputError, ZooError
from zoo.events import Event, ignore
from zoo.store import Store
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from zoo.engine.tasks import ModelResult, ModelTask
    from zoo.events import Listener
    from zoo.settings import Settings
    from zoo.types.probe import Probe

    Then = Callable[[Any], None]

_UNKNOWN_BYTES = 512 << 20
#: How often something may vanish from the store under our feet.
_REPEATS = 2


@dataclass(eq=False)
class _Flow:
    """One task on its way."""

    task: ModelTask
    future: Future[ModelResult]
    wanted: Wanted
    key: str
    forward: bool = False
    repeats: int = 0
    seconds: float = 0.0


class LocalEngine:
    """Measures checkpoints on one probe.

    What the store knows is not done again: scores are looked up without starting a process, kept
    features are scored without opening a checkpoint, and else one forward pass feeds every tap.
    Use it in a ``with`` block: leaving it waits for what was submitted; leaving it by an exception,
    Ctrl-C among them, ends the workers at once and keeps what is in the store.

    Attributes:
        workers: the processes, with the seconds they were busy.
    """

    def __init__(self, settings: Settings, probe: Probe, on_event: Listener = ignore) -> None:
        """Prepare; nothing is started before it is needed.

        Args:
            settings: how to run.
            probe: images or texts, with labels.
            on_event: is told what happens, one event at a time, from threads of the engine.

        Raises:
            InputError: the device is none.
        """
        self._settings, self._probe = settings, probe
        self._device = check_device(settings.device)
        self._store = Store(settings.folder)
        self._labels = labels_digest(probe)
        self._tell = Teller(on_event)
        self.workers = Workers(settings, self._tell, self._crash)
        self._preparation = Preparation(self.workers, self._store, probe, self._labels, self._tell)
        self._once = Once()
        self._pending: set[Future[ModelResult]] = set()
        self._submitted = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(at_once=error is not None)

    def submit(self, task: ModelTask) -> Future[ModelResult]:
        """Measure one checkpoint.

        Returns:
            A future that raises only what no model is to blame for: InputError for a device that
            is not here, CancelledError when the engine was left early.

        Raises:
            ZooError: the store cannot be used.
        """
        future: Future[ModelResult] = Future()
        future.set_running_or_notify_cancel()
        try:
            wanted, key = self._name(task)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- one model must not stop the others
            hint = "zoo registry verify checks its files."
            future.set_result(failed(task, Failure.of(error, stage="load", hint=hint)))
            return future
        try:
            known = look_up(self._store, key, task)
        except OSError as error:
            hint = "Name a folder that can be written with ZOO_HOME."
            raise ZooError(f"the store cannot be used: {error}.", hint) from error
        if known is not None:
            future.set_result(known)
            return future
        self._pending.add(future)
        self.workers.call(partial(self._begin, _Flow(task, future, wanted, key)))
        return future

    def close(self, *, at_once: bool = False) -> None:
        """Wait for everything submitted, or drop it ``at_once``; then end the workers."""
        try:
            if not at_once:
                wait(list(self._pending))
        except BaseException:
            at_once = True
            raise
        finally:
            self.workers.close(at_once=at_once)
            self._crash(CancelledError())
        if not at_once:
            self._tell.check()

    def _name(self, task: ModelTask) -> tuple[Wanted, str]:
        checkpoint, probe = task.checkpoint, self._probe
        runtime = build(task.runtime)
        self._submitted += 1
        wanted = Wanted(
            checkpoint=checkpoint,
            runtime=task.runtime,
            identity=runtime.identity(),
            input_key=runtime.input_key(checkpoint, probe.modality),
            number=self._submitted,
        )
        key = features_key(
            checkpoint, wanted.identity, wanted.input_key, probe.fingerprint, self._labels
        )
        return wanted, key

    # Everything below runs in the thread of the workers.

    def _begin(self, flow: _Flow) -> None:
        if self._store.has("features", flow.key):
            self._score(flow)
        else:
            self._extract(flow)

    def _extract(self, flow: _Flow) -> None:
        start = partial(self._gather_inputs, flow)
        self._once.ask(flow.key, start, partial(self._extracted, flow))

    def _gather_inputs(self, flow: _Flow, done: Then) -> None:
        devices = partial(self._once.ask, "devices", self._find_devices)
        prepared = self._preparation.asks(flow.wanted)
        gather([devices, *prepared], partial(self._forward, flow, done))

    def _forward(self, flow: _Flow, done: Then, answers: list[Any]) -> None:
        devices, prepared = answers[0], answers[1:]
        failures = [each.failure for each in prepared if each.failure is not None]
        if isinstance(devices, InputError) or failures:
            done(devices if not failures else ExtractDone(failure=failures[0]))
            return
        flow.forward = True
        checkpoint = flow.task.checkpoint
        job = ExtractJob(
            store=self._store.folder,
            key=flow.key,
            checkpoint=checkpoint,
            runtime=flow.task.runtime,
            modality=self._probe.modality,
            shards=tuple(self._preparation.keys(flow.wanted)),
            texts=() if prepared else tuple(self._probe.inputs),
            threads=self._settings.threads,
            prepare_seconds=sum(each.seconds for each in prepared),
        )
        size = checkpoint.entry.bytes or _UNKNOWN_BYTES
        self.workers.add(
            Job(
                function=extract_features,
                argument=job,
                done=partial(self._after_forward, flow, done),
                order=(EXTRACT, -size, flow.wanted.number),
                devices=devices,
                memory=WORKER_BYTES + 2 * size,
                timeout=self._settings.timeout or None,
            )
        )

    def _after_forward(self, flow: _Flow, done: Then, answer: Any) -> None:
        if isinstance(answer, BaseException):
            done(ExtractDone(failure=self._explain(flow, answer, "extract")))
        elif not answer.lost:
            done(answer)
        elif flow.repeats < _REPEATS:
            flow.repeats += 1
            self._preparation.forget(answer.lost)
            self._gather_inputs(flow, done)
        else:
            done(ExtractDone(failure=_vanished()))

    def _extracted(self, flow: _Flow, answer: ExtractDone | InputError) -> None:
        if isinstance(answer, InputError):
            self._settle(flow.future, error=answer)
        elif answer.extraction is None:
            self._settle(flow.future, failed(flow.task, answer.failure or _vanished()))
        elif is_unusable(answer.extraction, flow.task):
            result = conclude(flow.task, answer.extraction, from_store=not flow.forward)
            self._settle(flow.future, result)
        else:
            flow.seconds = answer.seconds
            self._score(flow)

    def _score(self, flow: _Flow) -> None:
        limit = self._settings.timeout
        job = ScoreJob(
            store=self._store.folder,
            key=flow.key,
            task=flow.task,
            labels=self._probe.labels,
            probe_task=self._probe.task,
        )
        self.workers.add(
            Job(
                function=score_features,
                argument=job,
                done=partial(self._scored, flow),
                order=(SCORE, flow.wanted.number),
                memory=WORKER_BYTES,
                timeout=max(1.0, limit - flow.seconds) if limit else None,
            )
        )

    def _scored(self, flow: _Flow, answer: ScoreDone | BaseException) -> None:
        task = flow.task
        if isinstance(answer, BaseException):
            result = failed(task, self._explain(flow, answer, "score"))
        elif answer.lost and flow.repeats < _REPEATS:
            flow.repeats += 1
            self._once.forget(flow.key)
            self._extract(flow)
            return
        elif answer.extraction is None:
            failures = answer.failures or (_vanished(),)
            result = failed(task, failures[0])
        else:
            result = conclude(
                task,
                answer.extraction,
                answer.records,
                answer.failures,
                from_store=not flow.forward,
            )
        self._settle(flow.future, result)

    def _find_devices(self, done: Then) -> None:
        def choose(gpus: Any) -> None:
            try:
                devices = choose_devices(self._device, gpus if isinstance(gpus, int) else 0)
            except InputError as error:
                done(error)
                return
            if self._device == "auto":
                self._tell(Event(kind="note", message=f"device: {', '.join(devices)}"))
            done(devices)

        if self._device == "cpu" or (self._device == "auto" and not may_have_gpu()):
            choose(0)
        else:
            job = Job(function=find_gpus, argument=None, done=choose, order=(SCORE,), attempts=2)
            self.workers.add(job)

    def _explain(self, flow: _Flow, error: BaseException, stage: str) -> Failure:
        model, timeout = flow.task.checkpoint.model, self._settings.timeout
        return explain(error, stage=stage, model=model, timeout=timeout)

    def _settle(
        self,
        future: Future[ModelResult],
        result: ModelResult | None = None,
        error: BaseException | None = None,
    ) -> None:
        self._pending.discard(future)
        with suppress(InvalidStateError):
            if error is not None or result is None:
                future.set_exception(error)
            else:
                future.set_result(result)

    def _crash(self, error: BaseException) -> None:
        for future in list(self._pending):
            self._settle(future, error=error)


def _vanished() -> Failure:
    hint = "Do not prune the store while a run goes on; start the command again."
    return Failure(stage="extract", error="its files vanished from the store.", hint=hint)
