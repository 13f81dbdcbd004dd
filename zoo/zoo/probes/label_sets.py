"""Labels that are several a row: lists, or several columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.probes import features
from zoo.probes.label_values import Labels, as_array, as_floats, classes_of, refuse_nan
from zoo.probes.words import flag, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.probes.rows import Rows
    from zoo.types.probe import Task


def lists(rows: Rows, name: str, column: Any, task: Task | None) -> Labels:
    """Read one column of lists: label sets, 0/1 marks or targets."""
    import pyarrow.compute as pc

    present = ~as_array(column.is_null())
    parents, flat = as_array(pc.list_parent_indices(column)), pc.list_flatten(column)
    vectors = _vectors(rows, name, present, flat)
    if vectors is not None and task != "multi-label" and not set(np.unique(vectors)) <= {0, 1}:
        if task == "classification":
            raise InputError(f"column {name!r} holds a list of numbers a row, which is no class.")
        names = tuple(f"{name}[{number}]" for number in range(vectors.shape[1]))
        return Labels(task="regression", values=vectors, names=names, present=present)
    if task in {"classification", "regression"}:
        raise InputError(
            f"column {name!r} of {rows.origin.source!r} holds lists, which is multi-label, not "
            f"{task}.",
            "--task multi-label",
        )
    if vectors is not None:
        names = _declared_names(rows, name, vectors.shape[1])
        return Labels(task="multi-label", values=vectors, names=names, present=present)
    return _sets(rows, name, (parents, flat), present)


def _vectors(
    rows: Rows, name: str, present: npt.NDArray[np.bool_], flat: Any
) -> npt.NDArray[np.float64] | None:
    """Lists of one length that are 0/1 marks or targets, not ids; (N, T)."""
    rowed = int(present.sum())
    width = len(flat) // rowed if rowed else 0
    if width < 2 or width * rowed != len(flat) or features.is_text(flat.type):
        return None
    lengths = {len(each) for each in rows.light.column(name).to_pylist() if each is not None}
    values = as_floats(flat)
    if lengths != {width}:
        return None
    refuse_nan(rows, name, values, np.ones(len(values), dtype=bool), width)
    marks = values.reshape(rowed, width)
    repeats = any(len(set(row)) < width for row in marks.tolist())
    if features.is_whole(flat.type) and not (set(np.unique(values)) <= {0, 1} and repeats):
        return None
    whole = np.zeros((len(present), width))
    whole[present] = marks
    return whole


def _sets(
    rows: Rows, name: str, lists: tuple[npt.NDArray[np.int64], Any], present: npt.NDArray[np.bool_]
) -> Labels:
    parents, flat = lists
    if features.is_text(flat.type):
        filled = as_array(flat.is_valid()) & np.array(flat.to_pylist(), object).astype(bool)
    else:
        filled = as_array(flat.is_valid())
    declared = rows.declared.get(name)
    if declared and declared.names and features.is_whole(flat.type):
        ids, names = as_floats(flat).astype(np.int64), declared.names
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(names):
            raise InputError(f"column {name!r} names a label that is not in its list of names.")
    else:
        classes = classes_of(flat, filled)
        ids, names = classes.values, classes.names
    values = np.zeros((len(present), len(names)))
    values[parents[filled], ids[filled]] = 1
    return Labels(task="multi-label", values=values, names=names, present=present)


def _declared_names(rows: Rows, name: str, width: int) -> tuple[str, ...]:
    declared = rows.declared.get(name)
    names = declared.names if declared else ()
    return names if len(names) == width else tuple(f"{name}[{n}]" for n in range(width))


def several(rows: Rows, columns: Sequence[str], task: Task | None) -> Labels:
    """Read several columns of numbers: 0/1 marks or targets."""
    present = np.ones(rows.light.num_rows, dtype=bool)
    parts = []
    for name in columns:
        column = rows.light.column(name).combine_chunks()
        if not (features.is_whole(column.type) or features.is_real(column.type)):
            raise InputError(
                f"column {name!r} of {rows.origin.source!r} holds {column.type}, no numbers; "
                "several label columns are 0/1 marks or regression targets.",
                f"{flag('--label', name)} alone",
            )
        valid = ~as_array(column.is_null())
        parts.append(np.where(valid, as_floats(column), 0.0))
        refuse_nan(rows, name, parts[-1], valid)
        present &= valid
    values = np.stack(parts, axis=1)
    marks = set(np.unique(values[present]).tolist()) <= {0, 1}
    if task == "classification" or (task == "multi-label" and not marks):
        raise InputError(
            f"{listed(columns)} of {rows.origin.source!r} cannot be read as {task}.",
            "One --label is enough for classes; multi-label columns hold 0 and 1.",
        )
    if marks and task != "regression":
        return Labels(task="multi-label", values=values, names=tuple(columns), present=present)
    return Labels(task="regression", values=values, names=tuple(columns), present=present)
