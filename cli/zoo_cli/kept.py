"""What lies in Zoo's folder, and what of it may go."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: folder or file of the store -> (what it is, whether it can be computed again)
KINDS = {
    "features": ("activations of past forward passes", True),
    "attributions": ("which part of the input a layer responds to", True),
    "inputs": ("decoded and resized images", True),
    "graphs": ("exported graphs", True),
    "grown": ("checkpoints grown for other commands", True),
    "scores": ("scores of past runs", False),
    "runs": ("rankings and journals of past runs", False),
    "other": ("anything else", False),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that can go without the others: a feature file, a prepared input set, a run.

    Attributes:
        used: seconds since the epoch of the last use.
    """

    kind: str
    path: Path
    bytes: int
    files: int
    used: float


def kept(folder: Path) -> list[Kept]:
    """List everything in Zoo's folder; nothing when it does not exist yet."""
    found = []
    for top in sorted(folder.iterdir()) if folder.is_dir() else ():
        kind = top.name.split(".")[0].partition("-")[0]
        kind = kind if kind in KINDS else "other"
        prunable = KINDS[kind][1]
        units = _units(top) if prunable and top.is_dir() else (top,)
        found += [_measure(kind, path) for path in units]
    return found


def choose(
    found: Iterable[Kept], *, now: float, older_than: float | None, max_size: float | None
) -> list[Kept]:
    """Pick what to remove, the longest unused first."""
    by_age = sorted((each for each in found if KINDS[each.kind][1]), key=lambda each: each.used)
    total = sum(each.bytes for each in by_age)
    chosen = []
    for each in by_age:
        too_old = older_than is not None and now - each.used > older_than
        too_much = max_size is not None and total > max_size
        if too_old or too_much:
            chosen.append(each)
            total -= each.bytes
    return chosen


def remove(chosen: Iterable[Kept]) -> list[tuple[Kept, str]]:
    """Remove, and give back what could not be, with the reason."""
    left = []
    for each in chosen:
        try:
            if each.path.is_dir():
                shutil.rmtree(each.path)
            else:
                each.path.unlink(missing_ok=True)
        except OSError as error:
            left.append((each, error.strerror or str(error)))
    return left


def _units(folder: Path) -> Iterator[Path]:
    """Look through the folders that only spread keys by their first letters."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and len(path.name) <= 2:
            yield from (each for each in sorted(path.iterdir()) if each.suffix != ".lock")
        elif not path.name.startswith("."):  # what is being made, and its lock
            yield path


def _measure(kind: str, path: Path) -> Kept:
    files = [each for each in (path.rglob("*") if path.is_dir() else (path,)) if each.is_file()]
    facts = [each.stat() for each in files] or [path.stat()]
    used = max(fact.st_mtime for fact in facts)  # the store touches what it reads
    size = sum(fact.st_size for fact in facts) if files else 0
    return Kept(kind=kind, path=path, bytes=size, files=len(files), used=used)
