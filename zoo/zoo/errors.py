"""Errors that are already explained: what failed, why, what to do. Never a traceback."""

from __future__ import annotations

import difflib
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: More known names than these are not all listed, but the nearest.
_LISTED, _NEAR = 60, 8


class ExitCode(IntEnum):
    """How a ``zoo`` command ends."""

    DONE = 0
    """Everything asked for was done."""
    FAILED = 1
    """It could not be done; the message says why."""
    USAGE = 2
    """Wrong usage or bad input; nothing was written."""
    PARTIAL = 3
    """Done, but some models or plugins failed and are listed."""
    NOTHING = 4
    """Nothing matched what was asked for."""
    INTERRUPTED = 130
    """Interrupted by the person; partial results are kept."""


class ZooError(Exception):
    """A failure with one clear sentence and, where there is one, the way out.

    Attributes:
        message: what failed, with the person's own words, and why.
        hint: what to do or to type next; empty when nothing is known to help.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[ZooError], tuple[str, str]]:
        """Survive the trip back from a worker process."""
        return type(self), (self.message, self.hint)


class InputError(ZooError):
    """The person's input cannot be used: a path, a column, an option, a file."""

    exit_code = ExitCode.USAGE


class UnknownNameError(InputError):
    """A name that nothing answers to."""


class UnlabelledError(InputError):
    """Data that would do if it had labels."""


class RegistryError(InputError):
    """A registry file that does not say what it should."""


class OfflineError(InputError):
    """Something is needed from the network while offline was asked for."""


class NothingMatchedError(ZooError):
    """A correct question with no answer, such as a filter that excludes every model."""

    exit_code = ExitCode.NOTHING


class CheckpointError(ZooError):
    """One checkpoint cannot be used; the others go on."""


class UnknownModelError(InputError, CheckpointError):
    """There is no such model: bad input where a person named it, one failure in a registry."""


class OutOfMemoryError(CheckpointError):
    """A batch did not fit; at a batch of one, the checkpoint does not fit this device."""


class HubError(ZooError):
    """The Hub could not be reached, or answered with an error."""


class UnreachableError(HubError):
    """No connection to the Hub; what is cached can still be used."""


class PluginError(ZooError):
    """A plugin broke its side of the contract."""


class NotApplicable(ZooError):  # noqa: N818 -- an answer, not a failure: the table shows a dash
    """A method that has nothing to say about this input; the message is the reason."""


def unknown_name(
    kind: str, name: str, available: Iterable[str], hint: str = ""
) -> UnknownNameError:
    """Name what was typed, the nearest known name, and every known name unless they are many."""
    known = sorted(available)
    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    if len(known) > _LISTED:
        near = difflib.get_close_matches(name, known, n=_NEAR, cutoff=0.0)
        listed = f" Among the {len(known)}: {', '.join(near)}."
    else:
        listed = f" Available: {', '.join(known)} ({len(known)} total)." if known else ""
    return UnknownNameError(f"no {kind} called {name!r}.{guess}{listed}", hint)
