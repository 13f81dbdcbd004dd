"""How a broken promise of a plugin becomes one sentence."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.host import PLUGIN_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator


class BrokenPromiseError(Exception):
    """What a plugin should do and does not, in one sentence.

    Attributes:
        check: the name of the check under which it belongs; empty: nobody has said so yet.
    """

    check: str = ""


class NotTriedError(Exception):
    """A check that cannot be made here; the message says what is missing, as half a sentence."""


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn whatever somebody's method raises into a broken promise."""
    try:
        yield
    except BrokenPromiseError:
        raise
    except PLUGIN_ERRORS as error:
        raise BrokenPromiseError(f"{what} raises {described(error)}") from error


def sentences(said: Any) -> list[str]:
    """Take what a ``check`` says.

    Raises:
        BrokenPromiseError: it is no list of sentences.
    """
    if isinstance(said, str) or not all(isinstance(each, str) for each in said):
        raise BrokenPromiseError(f"check must give a list of sentences, and gives {said!r}")
    return list(said)


def described(error: BaseException) -> str:
    """Give the kind of an exception and the first line of its text, without a full stop."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__


def methods_of(protocol: type) -> list[str]:
    """Name what an object needs to have for a protocol."""
    return [name for name in vars(protocol) if not name.startswith("_")]


def lacking(made: object, protocol: type) -> str:
    """Say which parts of a protocol an object does not have; empty for none."""
    missing = [name for name in methods_of(protocol) if not hasattr(made, name)]
    return f"lacks {', '.join(missing)}" if missing else ""


def mismatch(method: Any, promised: Any) -> str:
    """Say why a method cannot be called as a protocol's is; empty where it can.

    Args:
        method: bound to its object.
        promised: the function of the protocol.
    """
    _, *parameters = inspect.signature(promised).parameters.values()
    plain = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    named = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    try:
        inspect.signature(method).bind(*plain, **dict.fromkeys(named))
    except TypeError as error:
        shown = ", ".join([*plain, *(["*", *named] if named else [])])
        return f"is called as {promised.__name__}({shown}): {error}"
    except ValueError:  # written in C: it has no signature to compare
        return ""
    return ""
