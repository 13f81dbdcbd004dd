"""How a worker process begins and ends. Light: it runs before numpy is loaded."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Lock

    from zoo.events import Event

_STARTING = threading.Lock()


class WorkerProcess(SpawnProcess):
    """A process that starts from nothing but the importable modules."""

    def start(self) -> None:
        """Start, shielded from Ctrl-C until it can handle signals itself."""
        with _STARTING, _without_main(), _interrupts_blocked():
            super().start()


class WorkerContext(SpawnContext):
    """Makes worker processes and remembers them, so that they can be stopped at once."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[WorkerProcess] = []

    def Process(self, *args: Any, **options: Any) -> WorkerProcess:  # type: ignore[override] # noqa: N802 -- the name pebble calls
        """Make a process that is not started yet."""
        process = WorkerProcess(*args, **options)
        self._made = [each for each in self._made if each.exitcode is None]
        self._made.append(process)
        return process

    def kill(self) -> None:
        """End every process at once; the store never sees half a file."""
        for process in self._made:
            if process.pid is not None:
                process.kill()


class Reports:
    """Carries events from workers to the process that started them.

    A worker killed while it holds the lock must not stop the others: they then fall silent.
    """

    def __init__(self, sender: Connection, lock: Lock) -> None:
        self._sender, self._lock, self._open = sender, lock, True

    def send(self, event: Event) -> None:
        """Send an event, or drop it when nobody can take it: work never waits for news."""
        if not self._open:
            return
        self._open = self._lock.acquire(timeout=2.0)
        if self._open:
            try:
                if self._has_room():
                    self._sender.send(event)
            except OSError:
                self._open = False
            finally:
                self._lock.release()

    def _has_room(self) -> bool:
        # select knows only sockets on Windows
        return sys.platform == "win32" or bool(select.select([], [self._sender], [], 0)[1])


def worker_environment(threads: int) -> dict[str, str]:
    """Variables that the libraries of a worker read when they are loaded."""
    count = str(threads)
    return {
        # Threads that spin while they wait are 5 to 15 times slower on shared cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "VECLIB_MAXIMUM_THREADS": count,
        "NUMEXPR_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "false",
        # Everything is on this machine by now: a worker never asks the network.
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@dataclass
class _Own:
    """What this process was given when it began."""

    device: str = "cpu"
    reports: Reports | None = None


_own = _Own()


def begin(environment: dict[str, str], reports: Reports, device: str) -> None:
    """Prepare a new worker: the first of our code that runs in it."""
    os.environ.update(environment)
    _own.reports, _own.device = reports, device
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    os.dup2(2, 1)  # stdout belongs to the answer of the command
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a library that asks a question gets no answer instead of hanging
    os.close(nothing)


def report(event: Event) -> None:
    """Tell the listener of the engine, from inside a worker."""
    if _own.reports is not None:
        _own.reports.send(event)


def owned_device() -> str:
    """Name the device that this worker runs on."""
    return _own.device


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    # A spawned process runs the parent's script again, which in a script without an
    # ``if __name__ == "__main__"`` starts everything anew. Workers need nothing from it.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
