"""What goes away: it works for two more minor versions, and says what to use instead.

A hook or a parameter that goes is marked in :mod:`zoo.hookspecs` by ``warn_on_impl`` and
``warn_on_impl_args``; the host tells of each plugin that still uses it. A public name that goes
stands in its module's table, and :func:`old_name` finds it there.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import Any

#: Minor versions that something works for after it was announced to go.
NOTICE = 2


class Deprecated(DeprecationWarning):
    """Something of the contract that goes.

    Args:
        what: names it, as the beginning of a sentence.
        since: the version that announced it, such as ``0.2``.
        instead: what to use.
    """

    def __init__(self, what: str, *, since: str, instead: str) -> None:
        major, minor = since.split(".")[:2]
        self.gone = f"{major}.{int(minor) + NOTICE}"
        super().__init__(
            f"{what} is deprecated since Zoo {since} and gone in {self.gone}; use {instead}"
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """A public name that goes.

    Attributes:
        target: ``module:attribute`` of what it stands for.
        since: the version that announced it.
        instead: what to write; empty: the target.
    """

    target: str
    since: str
    instead: str = ""


def old_name(module: str, name: str, moved: Moved) -> Any:
    """Give what a name that goes stands for, with a :class:`DeprecationWarning` for its user."""
    home, _, attribute = moved.target.partition(":")
    instead = moved.instead or moved.target.replace(":", ".")
    notice = Deprecated(f"{module}.{name}", since=moved.since, instead=instead)
    warnings.warn(notice, stacklevel=3)
    return getattr(importlib.import_module(home), attribute)
