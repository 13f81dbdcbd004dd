"""Which columns hold what goes into a checkpoint: images, a text, or a pair of texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.probes.words import (
    IDENTIFIERS,
    IMAGE_WORDS,
    PAIR_BASES,
    PAIRS,
    TEXT_WORDS,
    flag,
    head_word,
    listed,
    normal,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from zoo.probes.columns import Columns

_TWINS = {"1": "2", "a": "b"}


def guess_inputs(
    columns: Columns, taken: Collection[str | None], *, images_first: bool = False
) -> tuple[str | None, tuple[str, ...]]:
    """Find the image column, or one or two text columns.

    Args:
        columns: of the data.
        taken: columns that are something else.
        images_first: whether texts beside images are no inputs.

    Raises:
        InputError: neither, or both.
    """
    found = image_columns(columns, taken)
    image = choose_image(columns, found) if found else None
    if image and images_first:
        return image, ()
    text = text_columns(columns, taken, beside_image=image is not None)
    if image and text:
        raise InputError(
            f"{columns.source!r} holds images (column {image!r}) and texts ({listed(text)}); Zoo "
            "reads one of them at a time.",
            f"{flag('--image', image)} or {flag('--text', text[0])}",
        )
    if not image and not text:
        raise _nothing(columns)
    return image, text


def _is_other(columns: Columns, name: str) -> bool:
    declared = columns.rows.declared.get(name)
    return declared is not None and declared.type in {"Audio", "Video"}


def _nothing(columns: Columns) -> InputError:
    other = [name for name in columns.rows.heavy if _is_other(columns, name)]
    if other:
        what = columns.rows.declared[other[0]].type.lower()
        return InputError(
            f"{columns.source!r} holds {what}, which Zoo cannot read as a probe.",
            "Zoo reads images, texts and features.",
        )
    kinds = [columns.described(name) for name in columns.names]
    return InputError(
        f"no column of {columns.source!r} holds texts or images; its columns are "
        f"{listed(kinds, quote=False)}.",
        "--text NAME or --image NAME says which column to read.",
    )


def image_columns(columns: Columns, taken: Collection[str | None]) -> list[str]:
    """Find the columns of encoded images; of paths to images where there are none."""
    encoded = [name for name in columns.rows.heavy if not _is_other(columns, name)]
    return encoded or [
        name for name in columns.strings() if name not in taken and columns.holds_paths(name)
    ]


def choose_image(columns: Columns, found: Sequence[str]) -> str:
    """Choose among columns of images, by their names.

    Raises:
        InputError: no name says which.
    """
    chosen = found[0] if len(found) == 1 else _best(found, IMAGE_WORDS)
    if not chosen:
        raise InputError(
            f"{listed(found)} of {columns.source!r} all hold images.",
            f"{flag('--image', found[0])} or {flag('--image', found[1])}",
        )
    by_name = normal(chosen) in IMAGE_WORDS
    columns.reasons["image"] = "by its name" if by_name else "by its content"
    return chosen


def text_columns(
    columns: Columns, taken: Collection[str | None], *, beside_image: bool = False
) -> tuple[str, ...]:
    """Find one or two columns of texts; none where no name says so beside an image."""
    found = [
        name
        for name in columns.strings()
        if name not in taken and normal(name) not in IDENTIFIERS and not columns.holds_paths(name)
    ]
    pair = _pair(found)
    if pair:
        columns.reasons["text"] = "a pair, by their names"
        return pair
    named = _best(found, TEXT_WORDS)
    if named:
        columns.reasons["text"] = "by its name"
        return (named,)
    if beside_image:
        return ()  # captions and ids come along with many image sets
    lengths = {name: columns.mean_length(name) for name in found}
    longest = max(lengths, key=lengths.__getitem__, default=None)
    if longest is None or not lengths[longest]:
        return ()
    columns.reasons["text"] = "the longest texts"
    return (longest,)


def _best(names: Sequence[str], words: Sequence[str]) -> str | None:
    """The column with the foremost word: as its name, else as the last or any part of it."""
    whole = {name: {normal(name)} for name in names}
    heads = {name: {head_word(name)} for name in names}
    parts = {name: {*normal(name).split("_")} for name in names}
    for of_name in (whole, heads, parts):
        for word in words:
            for name in names:
                if word in of_name[name]:
                    return name
    return None


def _pair(found: Sequence[str]) -> tuple[str, str] | None:
    by_word = {normal(name): name for name in found}
    for first, second in PAIRS:
        if first in by_word and second in by_word:
            return by_word[first], by_word[second]
    for word, name in by_word.items():
        match = re.fullmatch(r"(.+?)_?([1a])", word)
        if match and match[1] in PAIR_BASES:
            twin = by_word.get(word[:-1] + _TWINS[match[2]])
            if twin:
                return name, twin
    return None
