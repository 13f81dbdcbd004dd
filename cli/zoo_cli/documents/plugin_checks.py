"""What ``zoo plugins check`` prints."""

from __future__ import annotations

from typing import Literal

import msgspec

from zoo_cli.documents.base import Document


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How one promise of one plugin was found.

    Attributes:
        plugin: ``distribution:entry-point``.
        version: of its distribution.
        check: ``load``, ``light import``, a hook, or the kind and name of what it provides.
        promise: name of the promise; empty where ``check`` says it all.
        ok: nothing is wrong.
        state: ``kept``, ``broken``, ``expected`` (to be broken, with the reason in ``detail``) or
            ``not-tried`` (with what was missing in ``detail``).
        detail: what was seen, in a sentence or a few words.
        hint: what to do; may be empty.
        seconds: how long it took.
    """

    plugin: str
    check: str
    ok: bool
    version: str = ""
    promise: str = ""
    state: Literal["kept", "broken", "expected", "not-tried"] = "kept"
    detail: str = ""
    hint: str = ""
    seconds: float = 0.0


class CheckReport(Document, frozen=True, kw_only=True):
    """What was promised, and what was found.

    Attributes:
        checks: one a promise.
    """

    checks: tuple[Finding, ...]
