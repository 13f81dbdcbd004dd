"""What a run says while it goes on. Terminals and logs subscribe; the pipeline knows neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

EventKind = Literal["plan", "fetch", "fetched", "prepare", "batch", "model", "failure", "note"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        kind: ``batch`` events carry the progress inside one model, the others are milestones.
        model: the checkpoint it concerns.
        done: items finished so far (bytes for ``fetch``, inputs for ``prepare`` and ``batch``).
        total: items in all.
        seconds: time that the finished thing took.
        message: one line for a log.
    """

    kind: EventKind
    model: str = ""
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    message: str = ""


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
