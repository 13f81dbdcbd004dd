"""Worker processes, each with a pool of its own, and the one thread that hands out jobs.

One process a pool: a process that dies takes one job with it and nothing of its neighbours', and
a GPU gets the same process every time. Everything below runs in one thread, so nothing is locked.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import threading
import time
from collections import defaultdict
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo.engine.machine import usable_cores, usable_memory
from zoo.engine.process import Reports, WorkerContext, begin, worker_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from zoo.events import Listener
    from zoo.settings import Settings

CPU = "cpu"
#: What a worker takes before any checkpoint is open: the interpreter and the libraries.
WORKER_BYTES = 600 << 20
#: What is nearly finished goes first.
SCORE, PREPARE, EXTRACT = 0.0, 1.0, 2.0
_TICK_SECONDS = 0.5
#: A process gets 3 s to end by itself before pebble kills it.
_END_SECONDS = 5.0


@dataclass(kw_only=True, eq=False)
class Job:
    """One call in one worker.

    Attributes:
        function: importable; never raises.
        done: is told the answer, or the error that kept the worker from answering.
        order: what is smaller goes first.
        devices: which workers may take it: those of the CPU, or the owners of some GPUs.
        memory: bytes it may need at its peak.
        timeout: seconds, or None.
        attempts: how many workers it may outlive.
        gains: it runs faster in the owner of a GPU, which may take it while no other job waits.
    """

    function: Callable[[Any], Any]
    argument: Any
    done: Callable[[Any], None]
    order: tuple[float, ...]
    devices: tuple[str, ...] = (CPU,)
    memory: int = 0
    timeout: float | None = None
    attempts: int = 1
    gains: bool = False


@dataclass(eq=False)
class _Lane:
    """One worker process and the job it is at."""

    device: str
    pool: Any
    context: WorkerContext
    job: Job | None = None
    since: float = 0.0


class Workers:
    """Runs jobs on as many processes as there is work, cores and memory for.

    Attributes:
        limit: how many processes share the cores; each GPU has one more.
        busy: name of the function -> seconds that all workers together spent on it.
    """

    def __init__(
        self,
        settings: Settings,
        on_event: Listener,
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._on_crash = on_crash
        self._threads = settings.threads
        self._memory = usable_memory()
        cores = settings.jobs or usable_cores() // max(1, settings.threads)
        self.limit = max(1, min(cores, self._memory // (2 * WORKER_BYTES)))
        self._on_event = on_event
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ready: list[Job] = []
        self._lanes: list[_Lane] = []
        self._closing: list[threading.Thread] = []
        self._thread: threading.Thread | None = None
        self._mail: _Mail | None = None
        self._starting = threading.Lock()
        self._closed = False
        self.busy: defaultdict[str, float] = defaultdict(float)

    def call(self, action: Callable[[], None]) -> None:
        """Run something in the thread of the workers; from any thread."""
        with self._starting:
            if self._closed:
                raise RuntimeError("the engine was left; nothing more can be submitted")
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)
                self._thread.start()
        self._inbox.put(action)

    def add(self, job: Job) -> None:
        """Queue a job; only from the thread of the workers."""
        self._ready.append(job)

    def close(self, *, at_once: bool = False) -> None:
        """End all processes; ``at_once`` in the middle of their jobs."""
        with self._starting:
            self._closed = True
        if self._thread is None:
            return
        self._inbox.put(partial(self._stop, at_once=at_once))
        self._inbox.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while True:
            try:
                action = self._inbox.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                action = self._check
            if action is None:
                return
            try:
                action()
                self._hand_out()
            except Exception as error:  # noqa: BLE001 -- nobody may wait for ever on a defect
                self._on_crash(error)

    def _hand_out(self) -> None:
        for job in sorted(self._ready, key=lambda each: each.order):
            if not self._fits(job):
                continue
            lane = self._unwanted_lane(job) or self._idle_lane(job.devices)
            if lane is not None:
                self._ready.remove(job)
                self._start(lane, job)

    def _fits(self, job: Job) -> bool:
        running = [lane.job.memory for lane in self._lanes if lane.job is not None]
        return not running or sum(running) + job.memory <= self._memory

    def _unwanted_lane(self, job: Job) -> _Lane | None:
        """An idle owner of a GPU that no job is waiting for."""
        if not job.gains:
            return None
        wanted = {device for each in self._ready for device in each.devices}
        unwanted = (e for e in self._lanes if e.job is None and e.device not in {CPU, *wanted})
        return next(unwanted, None)

    def _idle_lane(self, devices: tuple[str, ...]) -> _Lane | None:
        lanes = [lane for lane in self._lanes if lane.device in devices]
        for lane in lanes:
            if lane.job is None:
                return lane
        for device in devices:
            limit = self.limit if device == CPU else 1
            if sum(lane.device == device for lane in lanes) < limit:
                return self._new_lane(device)
        return None

    def _new_lane(self, device: str) -> _Lane:
        from pebble import ProcessPool

        if self._mail is None:
            self._mail = _Mail(self._on_event)
        context = WorkerContext()
        pool = ProcessPool(
            max_workers=1,
            initializer=begin,
            initargs=(worker_environment(self._threads), self._mail.reports, device),
            context=context,
        )
        lane = _Lane(device, pool, context)
        self._lanes.append(lane)
        return lane

    def _start(self, lane: _Lane, job: Job) -> None:
        lane.job, lane.since = job, time.perf_counter()
        try:
            future = lane.pool.schedule(job.function, args=(job.argument,), timeout=job.timeout)
        except (RuntimeError, BrokenProcessPool) as error:
            self._lose(lane, job, error)
            return
        future.add_done_callback(
            lambda done: self._inbox.put(partial(self._finish, lane, job, done))
        )

    def _finish(self, lane: _Lane, job: Job, future: Future[Any]) -> None:
        if lane.job is not job:
            return
        error = future.exception() if not future.cancelled() else None
        if isinstance(error, BrokenProcessPool):
            self._lose(lane, job, error)
            return
        lane.job = None
        self.busy[job.function.__name__] += time.perf_counter() - lane.since
        if error is not None and not isinstance(error, TimeoutError) and job.attempts > 1:
            job.attempts -= 1
            self._ready.append(job)
        else:
            job.done(future.result() if error is None else error)

    def _lose(self, lane: _Lane, job: Job, error: BaseException) -> None:
        """Give up a process that cannot start or died between two jobs."""
        self._lanes.remove(lane)
        self._retire(lane)
        if job.attempts > 0:
            job.attempts -= 1
            self._ready.append(job)
        else:
            job.done(error)

    def _check(self) -> None:
        for lane in list(self._lanes):
            if lane.job is not None and not lane.pool.active:
                self._lose(lane, lane.job, BrokenProcessPool("the worker process ended"))

    def _retire(self, lane: _Lane) -> None:
        lane.pool.stop()
        thread = threading.Thread(target=lane.pool.join, name="end of a worker", daemon=True)
        thread.start()
        self._closing.append(thread)

    def _stop(self, *, at_once: bool) -> None:
        self._ready.clear()
        for lane in self._lanes:
            lane.job = None
            lane.pool.stop()
            if at_once:
                lane.context.kill()
        for lane in self._lanes:
            self._retire(lane)
        self._lanes.clear()
        for thread in self._closing:
            thread.join(timeout=_END_SECONDS)
        if self._mail is not None:
            self._mail.close()


class _Mail:
    """Brings the events of all workers to the listener, in a thread of its own."""

    def __init__(self, on_event: Listener) -> None:
        context = WorkerContext()
        self._receiver, self._sender = context.Pipe(duplex=False)
        self.reports = Reports(self._sender, context.Lock())
        self._open = True
        self._on_event = on_event
        self._thread = threading.Thread(target=self._read, name="engine mail", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Deliver what is there and end."""
        self._open = False
        self._thread.join(timeout=_END_SECONDS)

    def _read(self) -> None:
        while True:
            waiting = self._receiver.poll(0.1)
            if not waiting and not self._open:
                return
            if waiting:
                # A worker that was killed while it wrote leaves something unreadable.
                with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
                    self._on_event(self._receiver.recv())
