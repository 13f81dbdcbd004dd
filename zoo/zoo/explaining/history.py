"""Recorded transfers that a person keeps in a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.score_tables import KINDS, SETS, number_in, read_lines
from zoo.types.reporting import TransferRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SOURCES = ("source", "model")
_TARGETS = ("target", *SETS)
_CLASSES = ("source_labels", "target_labels")
#: Columns that are neither results nor anything known of a pair before the transfer.
_BESIDE = frozenset((*_SOURCES, *_TARGETS, *_CLASSES, *KINDS, "value", "seed", "seconds"))
#: Of a column's name that is shown: a file that is no table has lines for names.
_LONGEST = 40
_NAMED = "A file of transfers: source,target,value - value is what a held-out part was judged at."


def read_history(path: Path) -> tuple[TransferRecord, ...]:
    """Read transfers, one a line.

    Args:
        path: a CSV with ``source`` (or ``model``), ``target`` (or ``set``) and ``value``;
            ``metric`` names what was measured. Classes are lists with semicolons between, in
            ``source_labels`` and ``target_labels``. Every other column is a number known before.

    Raises:
        InputError: no such file, a column is missing, or a bad number; with file and line.
    """
    lines = read_lines(path)
    columns = list(next(iter(lines.values())))
    source, target = (_column(columns, names, path) for names in (_SOURCES, _TARGETS))
    _column(columns, ("value",), path)
    known = [name for name in columns if name not in _BESIDE]
    return tuple(
        TransferRecord(
            source=line[source],
            target=line[target],
            value=number_in(line, "value", path, number),
            metric=line.get("metric") or "accuracy",
            origin=f"{path.name}, line {number}",
            quantities={
                name: number_in(line, name, path, number) for name in known if line[name].strip()
            },
            source_labels=_classes(line, "source_labels"),
            target_labels=_classes(line, "target_labels"),
        )
        for number, line in lines.items()
    )


def _column(columns: Sequence[str], names: Sequence[str], path: Path) -> str:
    found = [name for name in names if name in columns]
    if not found:
        known = ", ".join(each[:_LONGEST] for each in columns).rstrip(".")
        raise InputError(
            f"{path} has no column {names[0]!r}; it has: {known}.",
            _NAMED,
        )
    return found[0]


def _classes(line: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in line.get(name, "").split(";") if each.strip())
