"""Labels that are texts of their own: captions, answers, questions with their answers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.probes import features
from zoo.probes.label_values import Labels, name_of
from zoo.probes.words import are, count, normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.probes.rows import Rows

#: Columns whose cell may hold the answers of several people: the most frequent one counts.
ANSWERS = frozenset({"answer", "answers"})

_FIELDS = ("text", "answer")


def read(
    rows: Rows, columns: Sequence[str], *, every: bool = True, same: Sequence[Any] = ()
) -> Labels:
    """Read the label texts of all rows: lower case, single spaces, several joined by a space.

    Args:
        rows: of the data.
        columns: read one after the other in each row.
        every: whether a row needs all of the columns, as a question does its answer.
        same: a key a row; the texts of rows with equal keys belong together, to the first of
            them. None keeps a row apart.

    Raises:
        InputError: a column holds neither texts nor numbers.
    """
    parts = [_pieces(rows, name) for name in columns]
    texts = [
        [clean(each) for part in row for each in part] if all(row) or not every else []
        for row in zip(*parts, strict=True)
    ]
    merged = _merge(texts, same)
    joined = 0 if every else sum(len(each) > 1 for each in texts)
    notes = (f"Joined the several captions of {count(joined, 'image')}.",) if joined else ()
    found = numbered([" ".join(each) for each in texts])
    return replace(found, merged=merged, notes=notes)


def numbered(texts: Sequence[str]) -> Labels:
    """Give each distinct text an id, in order of first appearance; the empty text is no label."""
    ids: dict[str, int] = {}
    values = np.array([ids.setdefault(each, len(ids)) if each else -1 for each in texts], np.int64)
    return Labels(task="text", values=values, names=tuple(ids), present=values >= 0)


def clean(text: str) -> str:
    """Write a text as a label: lower case, single spaces."""
    return " ".join(text.lower().split())


def _merge(texts: list[list[str]], same: Sequence[Any]) -> npt.NDArray[np.bool_]:
    """Move texts to the first row of their key; mark the rows that gave theirs away."""
    merged = np.zeros(len(texts), dtype=bool)
    first: dict[str, int] = {}
    for row, key in enumerate(same):
        if key is not None and texts[row]:
            home = first.setdefault(repr(key), row)  # a key may be a list or a dictionary
            if home != row:
                texts[home] += texts[row]
                texts[row], merged[row] = [], True
    return merged


def of_sample(labels: Labels) -> Labels:
    """Keep the texts of these rows alone, in order of their first appearance."""
    distinct, starts, places = np.unique(labels.values, return_index=True, return_inverse=True)
    order = np.argsort(starts)
    names = tuple(labels.names[each] for each in distinct[order])
    values = np.argsort(order)[places].astype(np.int64)
    present = np.ones(len(values), dtype=bool)
    return Labels(task="text", values=values, names=names, present=present)


def main_answers(rows: Rows, name: str) -> Any:
    """Give the answer of each row, as an arrow column of texts."""
    import pyarrow as pa

    answers = [each[0] if each else None for each in _pieces(rows, name)]
    return pa.array(answers, pa.string())


def is_readable(kind: Any) -> bool:
    """Whether cells of an arrow type are texts or numbers, at any depth of lists and answers."""
    import pyarrow as pa

    if pa.types.is_null(kind):
        return True
    if features.is_list(kind):
        return is_readable(kind.value_type)
    if pa.types.is_struct(kind):
        field = _field(kind)
        return field is not None and is_readable(kind.field(field).type)
    return features.is_text(kind) or features.is_whole(kind) or features.is_real(kind)


def is_textual(kind: Any) -> bool:
    """Whether they are texts, at any depth."""
    while features.is_list(kind):
        kind = kind.value_type
    return features.is_text(kind)


def _field(kind: Any) -> str | None:
    names = {kind.field(number).name for number in range(kind.num_fields)}
    return next((each for each in _FIELDS if each in names), None)


def _pieces(rows: Rows, name: str) -> list[list[str]]:
    """The texts of each row of one column; none where the cell is empty."""
    kind = rows.light.schema.field(name).type
    if not is_readable(kind):
        raise InputError(
            f"column {name!r} of {rows.origin.source!r} holds {kind}, no texts.",
            "--label NAME chooses another column.",
        )
    declared = rows.declared.get(name)
    names = declared.names if declared and features.is_whole(kind) else ()
    found = [_texts(cell, names) for cell in rows.light.column(name).to_pylist()]
    return [_most_frequent(each) for each in found] if normal(name) in ANSWERS else found


def _texts(cell: Any, names: tuple[str, ...]) -> list[str]:
    if isinstance(cell, dict):
        cell = next((cell[each] for each in _FIELDS if each in cell), None)
    if isinstance(cell, list):
        return [text for each in cell for text in _texts(each, names)]
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return []
    if names:
        return [names[cell]] if 0 <= cell < len(names) else []
    text = " ".join(name_of(cell).split())
    return [text] if text else []


def _most_frequent(answers: list[str]) -> list[str]:
    """Keep the answer most people gave, as it was first written; the first of equals."""
    if len(answers) < 2:
        return answers
    counts = Counter(each.casefold() for each in answers)
    best = counts.most_common(1)[0][0]
    return [next(each for each in answers if each.casefold() == best)]


def check(labels: Labels, source: str) -> None:
    """Refuse samples that all have the same text.

    Raises:
        InputError: there is nothing to tell apart.
    """
    known = np.unique(labels.values[labels.present])
    if len(known) == 1:
        rows = int(labels.present.sum())
        text = labels.names[known[0]]
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        raise InputError(
            f"{count(rows, 'sample')} of {source!r} {are(rows)} labelled with one and the same "
            f"text, {shown!r}; ranking needs two or more.",
            "--label NAME chooses another column, --split NAME another split.",
        )
