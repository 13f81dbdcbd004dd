"""On whose behalf this thread works: whoever hears something said knows which plugin said it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUNNING: ContextVar[str] = ContextVar("zoo_running", default="")


@contextmanager
def running(plugin: str) -> Iterator[None]:
    """Work for a plugin; within it, calls for another one are that one's."""
    token = _RUNNING.set(plugin)
    try:
        yield
    finally:
        _RUNNING.reset(token)


def who_runs() -> str:
    """Name the plugin that this thread works for; empty: none, or nobody said so."""
    return _RUNNING.get()
