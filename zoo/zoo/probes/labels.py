"""Label columns -> the array that estimators read, with the task and the names of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.probes import features, label_texts
from zoo.probes.label_sets import lists, several
from zoo.probes.label_values import Labels, as_array, as_floats, classes_of, refuse_nan
from zoo.probes.words import count, normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.probes.rows import Rows
    from zoo.types.probe import Task

_FEW = 20
_SEPARATORS = r"\s*[;|]\s*"


def read(rows: Rows, columns: Sequence[str], task: Task | None) -> Labels:
    """Read one or several label columns; ``task`` is the person's word, or None.

    Raises:
        InputError: they cannot be what was asked for, or hold NaN.
    """
    if task == "text":
        return label_texts.read(rows, columns)
    if len(columns) > 1:
        return several(rows, columns, task)
    name = columns[0]
    column = rows.light.column(name).combine_chunks()
    if task == "classification" and normal(name) in label_texts.ANSWERS:
        column = _answers(rows, name, column)
    _refuse_kind(rows, name, column.type)
    if features.is_list(column.type):
        return lists(rows, name, column, task)
    if features.is_text(column.type):
        return _texts(rows, name, column, task)
    return _numbers(rows, name, column, task)


def _refuse_kind(rows: Rows, name: str, kind: Any) -> None:
    inner = kind.value_type if features.is_list(kind) else kind
    checks = (features.is_text, features.is_whole, features.is_real)
    if str(inner) != "null" and not any(check(inner) for check in checks):
        raise InputError(
            f"column {name!r} of {rows.origin.source!r} holds {kind}; labels are texts, numbers "
            "or lists of them.",
            "--label NAME chooses another column.",
        )


def _answers(rows: Rows, name: str, column: Any) -> Any:
    """Take one answer of several; plain columns stay as they are."""
    simple = features.is_whole(column.type) or features.is_real(column.type)
    if simple or features.is_text(column.type) or not label_texts.is_readable(column.type):
        return column
    return label_texts.main_answers(rows, name)


# One column of texts.


def _texts(rows: Rows, name: str, column: Any, task: Task | None) -> Labels:
    import pyarrow.compute as pc

    column = pc.utf8_trim_whitespace(column)
    present = as_array(pc.fill_null(pc.not_equal(column, ""), fill_value=False))
    if task == "regression":
        return _parsed(rows, name, column, present)
    guessed = task is None and _is_joined(column)
    if task == "multi-label" or guessed:
        split = pc.split_pattern_regex(column, _SEPARATORS)
        note = f"{name!r} joins several labels with ';' or '|': multi-label; --task classification"
        labels = lists(rows, name, split, "multi-label")
        notes = (f"{note} keeps each text whole.",) if guessed else ()
        return Labels(
            task="multi-label",
            values=labels.values,
            names=labels.names,
            present=present & labels.present,
            notes=notes,
        )
    return classes_of(column, present)


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
    refuse_nan(rows, name, values, present)
    return Labels(task="regression", values=values, names=(name,), present=present)


# One column of numbers.


def _numbers(rows: Rows, name: str, column: Any, task: Task | None) -> Labels:
    declared = rows.declared.get(name)
    names = declared.names if declared else ()
    present = ~as_array(column.is_null())
    if task == "multi-label":
        return several(rows, [name], task)
    values = np.where(present, as_floats(column), 0.0)
    refuse_nan(rows, name, values, present)
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
    labels = classes_of(column, present)
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
