"""Ctrl-C that lets a step end: the first asks, the second does not."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stop:
    """Whether somebody wants an end.

    Attributes:
        requested: somebody does.
    """

    requested: bool = False


@contextmanager
def polite_stop() -> Iterator[Stop]:
    """Note the first Ctrl-C (or SIGTERM, which schedulers send) instead of breaking off.

    Raises:
        KeyboardInterrupt: at the second.
    """
    stop = Stop()

    def ask(number: int, frame: Any) -> None:
        del number, frame
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
