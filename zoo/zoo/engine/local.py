"""The engine of this machine: from a task to its records, through worker processes."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from zoo.catalogue import build
from zoo.engine.deaths import explain
from zoo.engine.devices import check_device, choose_devices
from zoo.engine.inputs import shards
from zoo.engine.jobs import ExtractDone, ExtractJob, ScoreDone, ScoreJob, ShardDone, ShardJob
from zoo.engine.keys import features_key, labels_digest, shard_key
from zoo.engine.machine import may_have_gpu
from zoo.engine.once import Once, gather
from zoo.engine.results import conclude, failed, is_unusable, look_up
from zoo.engine.worker import extract_features, find_gpus, prepare_shard, score_features
from zoo.engine.workers import WORKER_BYTES, Job, Workers
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
# What is nearly finished goes first; of what is equal, the largest, so that it is not the last.
_SCORE, _PREPARE, _EXTRACT = 0.0, 1.0, 2.0


@dataclass(eq=False)
class _Flow:
    """One task on its way."""

    task: ModelTask
    future: Future[ModelResult]
    number: int
    identity: str = ""
    input_key: str = ""
    key: str = ""
    forward: bool = False
    repeats: int = 0
    seconds: float = 0.0


class LocalEngine:
    """Measures checkpoints on one probe.

    What the store knows is not done again: scores are looked up without starting a process, kept
    features are scored without opening a checkpoint, and else one forward pass feeds every tap.
    Use it in a ``with`` block: leaving it waits for what was submitted; leaving it by an exception,
    Ctrl-C among them, ends the workers at once and keeps what is in the store.
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
        self._tell = _Teller(on_event)
        self._workers = Workers(settings, self._tell, self._crash)
        self._once = Once()
        self._pending: set[Future[ModelResult]] = set()
        self._submitted = 0
        self._prepared = self._to_prepare = 0

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
        self._submitted += 1
        flow = _Flow(task, future, self._submitted)
        try:
            self._name(flow)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- one model must not stop the others
            hint = "zoo registry verify checks its files."
            future.set_result(failed(task, Failure.of(error, stage="load", hint=hint)))
            return future
        try:
            known = look_up(self._store, flow.key, task)
        except OSError as error:
            hint = "Name a folder that can be written with ZOO_HOME."
            raise ZooError(f"the store cannot be used: {error}.", hint) from error
        if known is not None:
            future.set_result(known)
            return future
        self._pending.add(future)
        self._workers.call(partial(self._begin, flow))
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
            self._workers.close(at_once=at_once)
            self._crash(CancelledError())
        if not at_once:
            self._tell.check()

    def _name(self, flow: _Flow) -> None:
        checkpoint, probe = flow.task.checkpoint, self._probe
        runtime = build(flow.task.runtime)
        flow.identity = runtime.identity()
        flow.input_key = runtime.input_key(checkpoint, probe.modality)
        flow.key = features_key(
            checkpoint, flow.identity, flow.input_key, probe.fingerprint, self._labels
        )

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
        asks: list[Callable[[Then], None]] = [
            partial(self._once.ask, "devices", self._find_devices),
            *(partial(self._once.ask, key, start) for key, start in self._shards(flow).items()),
        ]
        gather(asks, partial(self._forward, flow, done))

    def _shards(self, flow: _Flow) -> dict[str, Callable[[Then], None]]:
        if self._probe.modality != "image":
            return {}
        fingerprint, ranges = self._probe.fingerprint, shards(self._probe.samples)
        named = {
            shard_key(flow.identity, flow.input_key, fingerprint, self._labels, rows): rows
            for rows in ranges
        }
        return {key: partial(self._prepare, flow, key, rows) for key, rows in named.items()}

    def _prepare(self, flow: _Flow, key: str, rows: range, done: Then) -> None:
        known = self._store.read("inputs", key, names=())
        if known is not None:
            done(ShardDone(seconds=float(known.metadata["seconds"])))
            return
        self._to_prepare += len(rows)
        job = ShardJob(
            store=self._store.folder,
            key=key,
            checkpoint=flow.task.checkpoint,
            runtime=flow.task.runtime,
            inputs=tuple(self._probe.inputs[rows.start : rows.stop]),
        )
        self._workers.add(
            Job(
                function=prepare_shard,
                argument=job,
                done=partial(self._after_shard, flow, len(rows), done),
                order=(_PREPARE, flow.number, rows.start),
                memory=WORKER_BYTES,
                attempts=2,
            )
        )

    def _after_shard(self, flow: _Flow, rows: int, done: Then, answer: Any) -> None:
        self._prepared += rows
        self._tell(Event(kind="prepare", done=self._prepared, total=self._to_prepare))
        if isinstance(answer, BaseException):
            answer = ShardDone(failure=self._explain(flow, answer, "extract"))
        done(answer)

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
            shards=tuple(self._shards(flow)),
            texts=() if prepared else tuple(self._probe.inputs),
            threads=self._settings.threads,
            prepare_seconds=sum(each.seconds for each in prepared),
        )
        size = checkpoint.entry.bytes or _UNKNOWN_BYTES
        self._workers.add(
            Job(
                function=extract_features,
                argument=job,
                done=partial(self._after_forward, flow, done),
                order=(_EXTRACT, -size, flow.number),
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
            for key in answer.lost:
                self._once.forget(key)
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
        self._workers.add(
            Job(
                function=score_features,
                argument=job,
                done=partial(self._scored, flow),
                order=(_SCORE, flow.number),
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
            job = Job(function=find_gpus, argument=None, done=choose, order=(_SCORE,), attempts=2)
            self._workers.add(job)

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


class _Teller:
    """Tells the listener one event at a time, and never lets it break the engine."""

    def __init__(self, on_event: Listener) -> None:
        self._on_event = on_event
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def __call__(self, event: Event) -> None:
        with self._lock:
            if self._error is not None:
                return
            try:
                self._on_event(event)
            except Exception as error:  # noqa: BLE001 -- it is raised by check
                self._error = error

    def check(self) -> None:
        """Raise what the listener raised."""
        if self._error is not None:
            raise self._error


def _vanished() -> Failure:
    hint = "Do not prune the store while a run goes on; start the command again."
    return Failure(stage="extract", error="its files vanished from the store.", hint=hint)
