"""What labels are once they are read, and how arrow columns become them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.probes.words import are, count

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.probes.rows import Rows
    from zoo.types.probe import Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels of every row.

    Attributes:
        values: as in :class:`zoo.types.Probe`; meaningless where not ``present``.
        names: as in :class:`zoo.types.Probe`.
        present: (N,) whether the row has a label at all.
        notes: how they were understood.
        merged: (N,) whether the label went to another row, such as one of the same image.
        pixels: boxes that are still to be divided by the size of their image.
    """

    task: Task
    values: npt.NDArray[Any]
    names: tuple[str, ...]
    present: npt.NDArray[np.bool_]
    notes: tuple[str, ...] = ()
    merged: npt.NDArray[np.bool_] | None = None
    pixels: bool = False


def classes_of(column: Any, present: npt.NDArray[np.bool_]) -> Labels:
    """Give each distinct text or number an id, in sorted order."""
    import pyarrow as pa

    kept = column.filter(pa.array(present)).dictionary_encode()
    order = sorted(range(len(kept.dictionary)), key=kept.dictionary.to_pylist().__getitem__)
    values = np.full(len(column), -1, dtype=np.int64)
    if order:
        values[present] = np.argsort(order)[as_array(kept.indices)]
    names = tuple(name_of(kept.dictionary[number].as_py()) for number in order)
    return Labels(task="classification", values=values, names=names, present=present)


def name_of(value: Any) -> str:
    """Write a value as a label: ``true``, ``3`` for 3.0, a text as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value.is_integer() else repr(value)
    return str(value)


def refuse_nan(
    rows: Rows,
    name: str,
    values: npt.NDArray[np.float64],
    present: npt.NDArray[np.bool_],
    width: int = 1,
) -> None:
    """Refuse NaN and infinity; ``width`` values make a row."""
    wrong = np.flatnonzero(present & ~np.isfinite(values))
    if len(wrong):
        raise InputError(
            f"column {name!r} of {rows.origin.source!r} holds "
            f"{count(len(wrong), 'label')} that {are(len(wrong))} NaN or "
            f"infinite; the first is in {rows.locate(int(wrong[0]) // width)}.",
            "Correct them, or leave the cell empty: rows without a label are left out.",
        )


def as_floats(column: Any) -> npt.NDArray[np.float64]:
    """Numbers or booleans as float64, nulls as 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    filled = pc.fill_null(column.cast(pa.float64(), safe=False), 0.0)
    return as_array(filled)


def as_array(column: Any) -> npt.NDArray[Any]:
    """Arrow to numpy."""
    found: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return found
