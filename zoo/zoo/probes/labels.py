"""Label columns -> the array that estimators read, with the task and the names of the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.probes import features
from zoo.probes.words import are, count, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.probes.rows import Rows
    from zoo.types.probe import Task

_FEW = 20
_SEPARATORS = r"\s*[;|]\s*"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels of every row.

    Attributes:
        values: as in :class:`zoo.types.Probe`; meaningless where not ``present``.
        names: as in :class:`zoo.types.Probe`.
        present: (N,) whether the row has a label at all.
        notes: how they were understood.
    """

    task: Task
    values: npt.NDArray[Any]
    names: tuple[str, ...]
    present: npt.NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def read(rows: Rows, columns: Sequence[str], task: Task | None) -> Labels:
    """Read one or several label columns; ``task`` is the person's word, or None.

    Raises:
        InputError: they cannot be what was asked for, or hold NaN.
    """
    if len(columns) > 1:
        return _several(rows, columns, task)
    name = columns[0]
    column = rows.light.column(name).combine_chunks()
    if features.is_list(column.type):
        return _lists(rows, name, column, task)
    if features.is_text(column.type):
        return _texts(rows, name, column, task)
    return _numbers(rows, name, column, task)


# One column of texts.


def _texts(rows: Rows, name: str, column: Any, task: Task | None) -> Labels:
    import pyarrow.compute as pc

    column = pc.utf8_trim_whitespace(column)
    present = _array(pc.fill_null(pc.not_equal(column, ""), fill_value=False))
    if task == "regression":
        return _parsed(rows, name, column, present)
    guessed = task is None and _is_joined(column)
    if task == "multi-label" or guessed:
        split = pc.split_pattern_regex(column, _SEPARATORS)
        note = f"{name!r} joins several labels with ';' or '|': multi-label; --task classification"
        labels = _lists(rows, name, split, "multi-label")
        notes = (f"{note} keeps each text whole.",) if guessed else ()
        return Labels(
            task="multi-label",
            values=labels.values,
            names=labels.names,
            present=present & labels.present,
            notes=notes,
        )
    return _classes(column, present)


def _is_joined(column: Any) -> bool:
    import pyarrow.compute as pc

    pieces = pc.list_flatten(pc.split_pattern_regex(column, _SEPARATORS))
    whole = pc.count_distinct(column).as_py()
    return len(pieces) > len(column) and pc.count_distinct(pieces).as_py() < whole


def _parsed(rows: Rows, name: str, column: Any, present: npt.NDArray[np.bool_]) -> Labels:
    values = np.full(len(column), np.nan)
    for row, text in enumerate(column.to_pylist()):
        try:
            values[row] = float(text) if present[row] else np.nan
        except ValueError:
            raise InputError(
                f"column {name!r} of {rows.origin.source!r} is to be a number, but {text!r} in "
                f"{rows.locate(row)} is none.",
                "--task classification reads it as classes.",
            ) from None
    _refuse_nan(rows, name, values, present)
    return Labels(task="regression", values=values, names=(name,), present=present)


def _classes(column: Any, present: npt.NDArray[np.bool_]) -> Labels:
    """Give each distinct text or number an id, in sorted order."""
    import pyarrow as pa

    kept = column.filter(pa.array(present)).dictionary_encode()
    order = sorted(range(len(kept.dictionary)), key=kept.dictionary.to_pylist().__getitem__)
    values = np.full(len(column), -1, dtype=np.int64)
    if order:
        values[present] = np.argsort(order)[_array(kept.indices)]
    names = tuple(_name(kept.dictionary[number].as_py()) for number in order)
    return Labels(task="classification", values=values, names=names, present=present)


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value.is_integer() else repr(value)
    return str(value)


# One column of numbers.


def _numbers(rows: Rows, name: str, column: Any, task: Task | None) -> Labels:
    declared = rows.declared.get(name)
    names = declared.names if declared else ()
    present = ~_array(column.is_null())
    if task == "multi-label":
        return _several(rows, [name], task)
    values = np.where(present, _floats(column), 0.0)
    _refuse_nan(rows, name, values, present)
    if names:
        present = present & (values != -1)  # the data set's word for: no label
    if task == "regression":
        return Labels(task="regression", values=values, names=(name,), present=present)
    if names:
        return _declared(rows, name, values, names, present)
    known = values[present]
    notes: tuple[str, ...] = ()
    if task is None and len(known) and str(column.type) != "bool":
        is_target, notes = _guess_task(name, known)
        if is_target:
            return Labels(
                task="regression", values=values, names=(name,), present=present, notes=notes
            )
    labels = _classes(column, present)
    companion = _companion(rows, name, labels)
    return Labels(
        task="classification",
        values=labels.values,
        names=companion or labels.names,
        present=present,
        notes=() if companion else notes,
    )


def _guess_task(name: str, known: npt.NDArray[np.float64]) -> tuple[bool, tuple[str, ...]]:
    distinct = np.unique(known)
    span = f"{distinct[0]:g} to {distinct[-1]:g}"
    if not np.array_equal(known, np.rint(known)):
        note = f"{name!r} has {count(len(distinct), 'number')} ({span}): regression"
        return True, (f"{note}; --task classification makes them classes.",)
    # Ids of many classes start at 0 or 1 and leave few gaps; counts, years and prices do not.
    ids = distinct[0] in {0, 1} and distinct[-1] < 2 * len(distinct)
    if len(distinct) > _FEW and not (ids and 2 * len(distinct) <= len(known)):
        note = f"{name!r} has {len(distinct)} whole numbers ({span}): regression"
        return True, (f"{note}; --task classification makes them classes.",)
    if set(distinct.tolist()) <= {0, 1}:
        return False, ()
    note = f"{name!r} has {count(len(distinct), 'whole number')} ({span}), read as classes"
    return False, (f"{note}; --task regression reads them as quantities.",)


def _declared(
    rows: Rows,
    name: str,
    values: npt.NDArray[np.float64],
    names: tuple[str, ...],
    present: npt.NDArray[np.bool_],
) -> Labels:
    ids = values.astype(np.int64)
    wrong = np.flatnonzero(present & ((ids < 0) | (ids >= len(names))))
    if len(wrong):
        raise InputError(
            f"column {name!r} of {rows.origin.source!r} has {count(len(names), 'class', 'classes')}"
            f", but {rows.locate(int(wrong[0]))} says class {ids[wrong[0]]}."
        )
    return Labels(task="classification", values=ids, names=names, present=present)


def _companion(rows: Rows, name: str, labels: Labels) -> tuple[str, ...]:
    """Take the class names of a column that spells the label out, such as ``label_text``."""
    for suffix in ("_text", "_name", "_names"):
        if name + suffix in rows.light.column_names:
            spelt = rows.light.column(name + suffix).to_pylist()
            pairs = {(int(i), text) for i, text in zip(labels.values, spelt, strict=True) if i >= 0}
            if len(pairs) == len(labels.names) and all(text for _, text in pairs):
                return tuple(str(text) for _, text in sorted(pairs))
    return ()


# Lists, and several columns.


def _lists(rows: Rows, name: str, column: Any, task: Task | None) -> Labels:
    import pyarrow.compute as pc

    present = ~_array(column.is_null())
    parents, flat = _array(pc.list_parent_indices(column)), pc.list_flatten(column)
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
    values = _floats(flat)
    if lengths != {width}:
        return None
    _refuse_nan(rows, name, values, np.ones(len(values), dtype=bool), width)
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
        filled = _array(flat.is_valid()) & np.array([bool(each) for each in flat.to_pylist()])
    else:
        filled = _array(flat.is_valid())
    declared = rows.declared.get(name)
    if declared and declared.names and features.is_whole(flat.type):
        ids, names = _floats(flat).astype(np.int64), declared.names
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(names):
            raise InputError(f"column {name!r} names a label that is not in its list of names.")
    else:
        classes = _classes(flat, filled)
        ids, names = classes.values, classes.names
    values = np.zeros((len(present), len(names)))
    values[parents[filled], ids[filled]] = 1
    return Labels(task="multi-label", values=values, names=names, present=present)


def _declared_names(rows: Rows, name: str, width: int) -> tuple[str, ...]:
    declared = rows.declared.get(name)
    names = declared.names if declared else ()
    return names if len(names) == width else tuple(f"{name}[{n}]" for n in range(width))


def _several(rows: Rows, columns: Sequence[str], task: Task | None) -> Labels:
    present = np.ones(rows.light.num_rows, dtype=bool)
    parts = []
    for name in columns:
        column = rows.light.column(name).combine_chunks()
        if not (features.is_whole(column.type) or features.is_real(column.type)):
            raise InputError(
                f"column {name!r} of {rows.origin.source!r} holds {column.type}, no numbers; "
                "several label columns are 0/1 marks or regression targets.",
                f"--label {name} alone",
            )
        valid = ~_array(column.is_null())
        parts.append(np.where(valid, _floats(column), 0.0))
        _refuse_nan(rows, name, parts[-1], valid)
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


def _refuse_nan(
    rows: Rows,
    name: str,
    values: npt.NDArray[np.float64],
    present: npt.NDArray[np.bool_],
    width: int = 1,
) -> None:
    wrong = np.flatnonzero(present & ~np.isfinite(values))
    if len(wrong):
        raise InputError(
            f"column {name!r} of {rows.origin.source!r} holds "
            f"{count(len(wrong), 'label')} that {are(len(wrong))} NaN or "
            f"infinite; the first is in {rows.locate(int(wrong[0]) // width)}.",
            "Correct them, or leave the cell empty: rows without a label are left out.",
        )


def _floats(column: Any) -> npt.NDArray[np.float64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    filled = pc.fill_null(column.cast(pa.float64(), safe=False), 0.0)
    return _array(filled)


def _array(column: Any) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return found
