"""``training.jsonl``: what the losses were, a line an interval."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from zoo.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_MOST_LINES = 1000


class JournalLine(msgspec.Struct, frozen=True, kw_only=True):
    """What happened since the line before.

    Attributes:
        step: steps of the optimiser so far.
        epoch: passes over the data so far.
        losses: ``<learner>.<loss>`` -> its mean, unweighted.
        shown: those of them that a person should see as another number.
        rates: ``body``, ``head``, ``extras`` -> learning rate of the last step.
        samples_per_second: since the line before; 0 where nothing was measured.
    """

    step: int
    epoch: float
    losses: dict[str, float]
    shown: dict[str, float] = {}
    rates: dict[str, float] = {}
    samples_per_second: float = 0.0

    def visible(self) -> dict[str, float]:
        """Give every loss as a person should see it."""
        return {**self.losses, **self.shown}


def read_journal(path: Path) -> list[JournalLine]:
    """Read the lines of a journal, up to the first that was not written to its end."""
    lines = []
    for text in path.read_bytes().splitlines() if path.exists() else ():
        try:
            lines.append(msgspec.json.decode(text, type=JournalLine))
        except msgspec.MsgspecError:
            break
    return lines


def interval(steps: int) -> int:
    """Count the steps of one line, so that a journal has at most about a thousand."""
    return -(-steps // _MOST_LINES)


class Journal:
    """A journal that is being written.

    Args:
        path: the file; what it holds beyond ``step`` is cut.
        step: the last step that counts.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        self.path = path
        kept = [line for line in read_journal(path) if line.step <= step]
        write_atomically(path, b"".join(msgspec.json.encode(line) + b"\n" for line in kept))
        self._file = path.open("ab", buffering=0)
        self.last = kept[-1] if kept else None

    def write(self, line: JournalLine) -> None:
        """Append a line."""
        self._file.write(msgspec.json.encode(line) + b"\n")
        self.last = line

    def sync(self) -> None:
        """Bring every line to the disk, before a checkpoint counts on them."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
