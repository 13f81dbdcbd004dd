"""Try again, politely: exponential backoff with jitter, a deadline, and the server's own wish."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When to give up, and how long to wait before that.

    Attributes:
        attempts: tries in all, where none of them makes progress.
        unreachable: tries where the server cannot even be connected to.
        first: upper bound of the first wait in seconds; it doubles every time.
        longest: upper bound of every wait.
        deadline: seconds of waiting in all. A server that asks for more is not waited for.
        sleep: how to wait; tests do not.
        jitter: draws the share of a wait, between 0 and 1, that is really waited.
    """

    attempts: int = 6
    unreachable: int = 3
    first: float = 1.0
    longest: float = 10.0
    deadline: float = 90.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def call(self, action: Callable[[], T], progress: Callable[[], int] | None = None) -> T:
        """Run ``action`` until it succeeds or fails for good.

        Args:
            action: what to do.
            progress: a number that grows while ``action`` gets anywhere, such as bytes received;
                a failure after progress starts the count of attempts afresh.

        Raises:
            Exception: the last failure, unchanged.
        """
        failures, waited, reached = 0, 0.0, progress() if progress else 0
        while True:
            try:
                return action()
            except Exception as error:
                if progress and progress() > reached:
                    failures, waited, reached = 0, 0.0, progress()
                failures += 1
                if failures >= self._limit(error):
                    raise
                wait = self._wait(error, failures)
                if waited + wait > self.deadline:
                    raise
            waited += wait
            self.sleep(wait)

    def _limit(self, error: Exception) -> int:
        if is_unreachable(error):
            return self.unreachable
        return self.attempts if is_transient(error) else 1

    def _wait(self, error: Exception, failures: int) -> float:
        bound = min(self.longest, self.first * 2.0 ** (failures - 1))
        backoff = bound * (0.5 + 0.5 * self.jitter())
        return max(backoff, retry_after(_headers(error)) or 0.0)


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    import httpx2

    if isinstance(error, httpx2.TransportError):
        return not isinstance(error, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError))
    status = status_of(error)
    # Large files are redirected to signed links, which expire: a new request brings a new link.
    expired = status == 403 and bool(getattr(error, "response").history)  # noqa: B009 -- untyped
    return expired or status in _TRANSIENT


def is_unreachable(error: BaseException) -> bool:
    """Whether no connection came about: no network, no such host, nobody listening."""
    import httpx2

    return isinstance(error, httpx2.ConnectError)


def status_of(error: BaseException) -> int | None:
    """Give the HTTP status that an error carries, if it carries one."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return int(status) if status is not None else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read for how many seconds a server asks to be left alone, if it does."""
    value = headers.get("Retry-After")
    if value is not None:
        try:
            return max(0.0, float(value))
        except ValueError:
            return _until(value)
    from huggingface_hub.utils import parse_ratelimit_headers

    limit = parse_ratelimit_headers(headers)
    if limit is None or limit.remaining:
        return None
    seconds: int = limit.reset_in_seconds
    return float(seconds)


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return None


def _headers(error: BaseException) -> Mapping[str, str]:
    response: Any = getattr(error, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", {})
    return headers
