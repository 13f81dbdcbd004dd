"""Examinations in processes of their own: one that hangs or dies is a finding, not the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

import msgspec

from zoo.settings import Settings
from zoo_cli.diagnosis.finding import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from types import TracebackType

_LIMIT = 60.0
_AT_ONCE = 2
_GLANCE = 0.2
_MODULE = "zoo_cli.diagnosis.patient"


class Task(msgspec.Struct, frozen=True):
    """What one process examines."""

    checks: tuple[str, ...]
    settings: Settings


@dataclass(frozen=True)
class _Run:
    """The checks that a process answered, and why it did not answer the others."""

    answered: list[Diagnosis]
    reason: str


class Apart:
    """Examines groups of checks, each in a process; leaving the block ends what still runs."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        limit: float = _LIMIT,
        module: str = _MODULE,
    ) -> None:
        self._settings, self._limit, self._module = settings, limit, module
        self._environment = {**os.environ, **environment}
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            if process.poll() is None:
                process.kill()

    def examine(self, checks: Sequence[str]) -> Future[list[Diagnosis]]:
        """Start with checks that the module knows; the result has a finding for each."""
        return self._pool.submit(self._examine, tuple(checks))

    def _examine(self, checks: tuple[str, ...]) -> list[Diagnosis]:
        found: list[Diagnosis] = []
        while len(found) < len(checks):
            run = self._run(checks[len(found) :])
            found += run.answered
            if len(found) < len(checks):
                found.append(Diagnosis(checks[len(found)], "fail", run.reason))
        return found

    def _run(self, checks: tuple[str, ...]) -> _Run:
        # Files, not pipes: a grandchild that outlives the process would keep a pipe open.
        with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=answers,
                stderr=complaints,
                env=self._environment,
            )
            self._processes.append(process)
            _tell(process, msgspec.json.encode(Task(checks, self._settings)))
            reason = self._wait(process, answers) + _last_line(complaints)
            answers.seek(0)
            lines = [line for line in answers.read().splitlines(keepends=True) if b"\n" in line]
        answered = [msgspec.json.decode(line, type=Diagnosis) for line in lines]
        return _Run(answered, reason)

    def _wait(self, process: subprocess.Popen[bytes], answers: IO[bytes]) -> str:
        """Wait while checks are answered in time, and say how the process ended."""
        size, end = 0, time.monotonic() + self._limit
        while True:
            try:
                code = process.wait(_GLANCE)
            except subprocess.TimeoutExpired:
                grown = os.fstat(answers.fileno()).st_size
                if grown > size:
                    size, end = grown, time.monotonic() + self._limit
                elif time.monotonic() > end:
                    process.kill()
                    process.wait()
                    return f"not done after {self._limit:.0f} s: it hangs, or the machine is busy"
            else:
                break
        if code < 0:
            return f"the process that tried it was killed by {_signal_name(-code)}"
        return f"the process that tried it ended with {code}"


def _tell(process: subprocess.Popen[bytes], task: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(task)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    return f": {lines[-1].strip()[:200]}" if lines else ""
