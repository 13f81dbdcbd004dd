"""Whether to ask the teachers once and keep what they say, and whether the disk has room for it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zoo.errors import InputError
from zoo.render.quantities import size_text

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.building.recipe import Views

#: Left free on the disk, for the checkpoints and for everybody else.
_MARGIN = 256 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheDecision:
    """Whether the teachers' outputs are kept on disk.

    Attributes:
        cache: they are.
        reason: why, half a sentence.
    """

    cache: bool
    reason: str


def should_cache(
    wanted: Literal["auto", "yes", "no"],
    views: Views,
    epochs: float,
    *,
    size: int = 0,
    free: int | None = None,
    teachers: int = 0,
    memory: int | None = None,
) -> CacheDecision:
    """Decide whether to keep what the teachers say.

    Args:
        wanted: what the person asked for.
        views: which crops the networks see.
        epochs: passes over the data.
        size: of the cache, in bytes.
        free: room on the disk for it; None where nobody knows.
        teachers: memory of all teachers at once, in bytes.
        memory: what the device has for them; None where nobody knows.

    Raises:
        InputError: a cache was asked for that would never be read.
    """
    if wanted == "yes" and views.kind == "random":
        raise InputError(
            "what the teachers say about random views cannot be kept: every epoch has new ones",
            "--no-cache, or fixed views: --views 2",
        )
    if wanted != "auto":
        return CacheDecision(cache=wanted == "yes", reason="as asked for")
    if views.kind == "random":
        return CacheDecision(cache=False, reason="random views are new in every epoch")
    short = memory is not None and teachers > memory
    if short:
        reason = f"all teachers at once ({size_text(teachers)}) do not fit the device"
        return CacheDecision(cache=True, reason=f"{reason}, so they are asked one after the other")
    if epochs <= views.count:
        return CacheDecision(cache=False, reason="no view of a sample is seen twice")
    if free is not None and size + _MARGIN > free:
        reason = f"the disk has {size_text(free)} free, the cache would take {size_text(size)}"
        return CacheDecision(cache=False, reason=reason)
    times = f"{epochs / views.count:.2g} times"
    return CacheDecision(cache=True, reason=f"every view of a sample is seen {times}")


def free_bytes(folder: Path, ours: Path | None = None) -> int:
    """Room on the disk of a folder, which need not exist yet.

    Args:
        folder: where something is to be written.
        ours: what lies here already counts as free: it is part of what is to be written.
    """
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    held = (each for each in ours.rglob("*") if each.is_file()) if ours else ()
    return shutil.disk_usage(existing).free + sum(each.stat().st_size for each in held)


def require_room(folder: Path, size: int, ours: Path | None = None) -> None:
    """Make sure that a cache fits before its first byte is written.

    Args:
        folder: where it will lie.
        size: of what is to be written.
        ours: see :func:`free_bytes`.

    Raises:
        InputError: it does not; names its size, the free space and the folder.
    """
    free = free_bytes(folder, ours)
    if size and size + _MARGIN > free:
        raise InputError(
            f"what the teachers say about the data takes {size_text(size)}, "
            f"but the disk of {folder} has only {size_text(free)} free",
            "ask them anew in every epoch (--no-cache), take fewer views or samples, or an output "
            "folder on a larger disk",
        )
