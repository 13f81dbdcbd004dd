"""Standard output belongs to the command: what anybody else prints goes to standard error.

A plugin, a library in C and a child process all write to what they take for standard output. In
the process of ``zoo`` the file descriptor itself is turned; where somebody runs a command in a
process of theirs, only ``sys.stdout`` is.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.running import who_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from zoo_cli.invocation import Invocation


class Overheard:
    """Stands where standard output was: passes on to standard error, and knows who spoke.

    Attributes:
        said: plugin -> the first line that it printed.
    """

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def write(self, text: str) -> int:
        """Write to standard error."""
        plugin, words = who_runs(), text.strip()
        if plugin and words:
            self.said.setdefault(plugin, words.splitlines()[0])
        return sys.stderr.write(text) if sys.stderr else len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write to standard error."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush standard error; the interpreter asks at exit, where there may be none."""
        if sys.stderr:
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextmanager
def claimed(invocation: Invocation) -> Iterator[Overheard]:
    """Keep standard output for ``invocation.stream`` and turn everybody else away.

    Whoever claims it within another's claim shares that one.
    """
    if isinstance(sys.stdout, Overheard):
        yield sys.stdout
        return
    before, overheard = sys.stdout, Overheard()
    invocation.stream = _own_descriptor(before) if invocation.alone else before
    sys.stdout = overheard
    try:
        yield overheard
    finally:
        if not invocation.alone:  # at its end a process may still be printing
            sys.stdout, invocation.stream = before, None


@contextmanager
def turned_away() -> Iterator[None]:
    """Send what anybody prints to standard error for a while, in any process."""
    before, own = sys.stdout, None
    try:
        before.flush()
        descriptor = before.fileno()
        own = os.dup(descriptor)
        _turn(descriptor)
    except (OSError, io.UnsupportedOperation, AttributeError):
        descriptor = -1
    sys.stdout = Overheard()
    try:
        yield
    finally:
        sys.stdout = before
        if own is not None:
            os.dup2(own, descriptor)
            os.close(own)


def _own_descriptor(stream: TextIO | None) -> TextIO:
    """Move standard output to a descriptor that nobody else knows; give it as a stream."""
    if stream is None:  # closed by the caller: nobody reads
        return Path(os.devnull).open("w", encoding="utf-8")
    try:
        stream.flush()
        own = os.dup(stream.fileno())
        _turn(stream.fileno())
    except (OSError, io.UnsupportedOperation, AttributeError):
        return stream
    return open(own, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)


def _turn(descriptor: int) -> None:
    """Point a descriptor at standard error, or at nothing where that is closed."""
    try:
        os.dup2(2, descriptor)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
