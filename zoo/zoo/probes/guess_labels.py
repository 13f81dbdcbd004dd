"""Which column is to be predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError, UnlabelledError
from zoo.probes import features
from zoo.probes.columns import FEW
from zoo.probes.label_texts import is_textual
from zoo.probes.words import IDENTIFIERS, LABEL_EXACT, LABEL_WORDS, flag, head_word, listed, normal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from zoo.probes.columns import Columns


def label_by_name(
    columns: Columns, skip: Collection[str | None], *, texts: bool = False
) -> tuple[str, ...]:
    """Find the column with the strongest name; empty where no name says anything.

    A second column that is named like a label is no rival when it only spells the first one out.

    Args:
        columns: of the data.
        skip: columns that are something else.
        texts: whether the label is to be a text of its own.

    Raises:
        InputError: two names are strong.
    """
    claims = _claims(columns, skip, texts=texts)
    top = max(claims.values(), default=0)
    if not top:
        return ()
    columns.reasons["label"] = "by its name"
    best = next(name for name, claim in claims.items() if claim == top)
    rivals = [name for name, claim in claims.items() if name != best and claim >= min(top, 2)]
    return _single(columns, [best, *(each for each in rivals if not _same(columns, best, each))])


def has_label_name(columns: Columns, skip: Collection[str | None]) -> bool:
    """Whether a column is named like a label."""
    return any(_claims(columns, skip).values())


def has_label_values(columns: Columns, taken: Collection[str | None]) -> bool:
    """Whether a column holds as few values as labels do."""
    return any(columns.is_low(name) for name in _others(columns, taken))


def label_by_content(
    columns: Columns, taken: Collection[str | None], *, texts: bool = False
) -> tuple[str, ...]:
    """Find the only column that looks like labels, or that holds ``texts``.

    Raises:
        InputError: there are several, or none.
    """
    others = _others(columns, taken, texts=texts)
    if texts and others:
        columns.reasons["label"] = "the only other column of texts"
        return _single(columns, others)
    few = [name for name in others if columns.is_low(name)]
    if few:
        columns.reasons["label"] = "the only column of few values"
        return _single(columns, few)
    numbers = [name for name in others if features.is_real(columns.type(name))]
    if numbers:
        columns.reasons["label"] = "the only column of numbers"
        return _single(columns, numbers)
    hint = "--label NAME says which column to predict"
    free = _others(columns, taken, texts=True)
    if free and not texts:
        hint += f"; --task text takes each text of {free[0]!r} as a label of its own"
    raise UnlabelledError(
        f"no column of {columns.source!r} looks like labels; its columns are "
        f"{listed(columns.names)}.",
        f"{hint}.",
    )


def _claims(
    columns: Columns, skip: Collection[str | None], *, texts: bool = False
) -> dict[str, int]:
    return {
        name: _claim(columns, name)
        for name in columns.light.column_names
        if name not in skip and _plausible(columns, name, texts=texts)
    }


def _others(columns: Columns, taken: Collection[str | None], *, texts: bool = False) -> list[str]:
    return [
        name
        for name in columns.light.column_names
        if name not in taken
        and normal(name) not in IDENTIFIERS
        and _plausible(columns, name, texts=texts)
    ]


def _claim(columns: Columns, name: str) -> int:
    word = normal(name)
    if word in LABEL_EXACT:
        return 3
    declared = columns.rows.declared.get(name)
    if word in LABEL_WORDS or (declared and declared.names):
        return 2
    return 1 if head_word(name) in LABEL_WORDS else 0


def _same(columns: Columns, first: str, second: str) -> bool:
    """Whether two columns say the same in other words: each value goes with one of the other."""
    if features.is_list(columns.type(first)) or features.is_list(columns.type(second)):
        return False
    pairs = columns.light.select([first, second]).group_by([first, second]).aggregate([]).num_rows
    return bool(pairs == columns.distinct(first) == columns.distinct(second))


def _plausible(columns: Columns, name: str, *, texts: bool = False) -> bool:
    kind = columns.type(name)
    if texts:
        declared = columns.rows.declared.get(name)
        return is_textual(kind) or bool(declared and declared.names)
    if features.is_text(kind) and normal(name) not in LABEL_EXACT:
        return columns.distinct(name) <= max(FEW, len(columns.light) // 2)
    checks = (features.is_text, features.is_whole, features.is_real, features.is_list)
    return any(check(kind) for check in checks)


def _single(columns: Columns, found: Sequence[str]) -> tuple[str, ...]:
    if len(found) == 1:
        return tuple(found)
    marks = all(columns.is_binary(name) for name in found)
    if len(found) > 2 and marks:
        columns.reasons["label"] = "columns of 0 and 1"
        return tuple(found)
    flags = " or ".join(flag("--label", name) for name in found[:3])
    raise InputError(
        f"{listed(found)} of {columns.source!r} could {'both' if len(found) == 2 else 'all'} be "
        "the label.",
        f"Say which: {flags}{'; both together are multi-label' if marks else ''}.",
    )
