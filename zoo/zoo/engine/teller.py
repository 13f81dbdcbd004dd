"""Between the engine and whoever listens to it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.events import Event, Listener


class Teller:
    """Tells the listener one event at a time, and never lets it break the engine."""

    def __init__(self, on_event: Listener) -> None:
        self._on_event = on_event
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def __call__(self, event: Event) -> None:
        """Pass an event on."""
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
