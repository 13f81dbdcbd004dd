"""What a person rules out before anything is downloaded."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for when candidates are left out.

    Attributes:
        max_size: bytes that a checkpoint may have; None: any.
        licenses: those that it may have; none: any.
        inspected: whether the checkpoints were looked at already, so that what is not known now
            stays unknown.
    """

    max_size: int | None = None
    licenses: tuple[str, ...] = ()
    inspected: bool = False
