"""The other side of :mod:`zoo_cli.diagnosis.apart`: one line of JSON a check, as soon as it is."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from zoo_cli.diagnosis.apart import Task
from zoo_cli.diagnosis.finding import Diagnosis, attempt

if TYPE_CHECKING:
    from zoo.settings import Settings


def main() -> None:
    """Read a task from standard input and examine it."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    answers = os.dup(1)
    os.dup2(2, 1)  # native libraries print on standard output
    with os.fdopen(answers, "wb", buffering=0) as file:
        for check in task.checks:
            found = attempt(check, lambda: _examine(check, task.settings))  # noqa: B023 -- at once
            file.write(msgspec.json.encode(found, enc_hook=str) + b"\n")
    sys.stderr.flush()
    os._exit(0)  # a thread or a destructor of a library has nothing to say any more


def _examine(check: str, settings: Settings) -> Diagnosis:
    from zoo_cli.diagnosis import libraries, providers, trials

    if check.startswith(trials.PREFIX):
        return trials.examine_runtime(check, settings)
    return {**libraries.EXAMINATIONS, **providers.EXAMINATIONS}[check](check, settings)


if __name__ == "__main__":
    main()
