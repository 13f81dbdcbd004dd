"""What can go wrong between a client and a Hub, on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

FaultKind = Literal[
    "status",  # answer with an error status
    "reset",  # reset the connection in the middle of the body, or before it
    "truncate",  # close cleanly in the middle of the body
    "corrupt",  # send as many bytes, but other ones
    "stall",  # stop sending in the middle of the body
    "slow",  # send the body in small steps
    "hang",  # accept the request and never answer
    "no_commit",  # leave the X-Repo-Commit header out
    "no_range",  # send the whole file when a range was asked for
]


@dataclass
class Fault:
    """One thing to go wrong.

    Attributes:
        match: regular expression, searched in ``METHOD path?query``.
        kind: what to do; see :data:`FaultKind`.
        times: how often; each use takes one off.
        status: for ``status``.
        code: the ``X-Error-Code`` to send with it.
        headers: further headers to send with it, such as ``Retry-After``.
        at: for ``reset``, ``truncate`` and ``stall``: after how many bytes of the body; None
            takes the middle.
        seconds: how long to ``stall`` or ``hang``, or how long a ``slow`` body takes in all.
    """

    match: str
    kind: FaultKind = "status"
    times: int = 1
    status: int = 503
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    at: int | None = None
    seconds: float = 5.0

    def applies(self, request: str) -> bool:
        """Whether it has uses left for this request."""
        return self.times > 0 and re.search(self.match, request) is not None
