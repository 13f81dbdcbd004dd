"""Which column is what: by name, then by content; two equal claims are never a guess."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.probes import features
from zoo.probes.words import (
    IDENTIFIERS,
    IMAGE_SUFFIXES,
    IMAGE_WORDS,
    LABEL_EXACT,
    LABEL_WORDS,
    PAIR_BASES,
    PAIRS,
    SPLIT_COLUMNS,
    TEXT_WORDS,
    head_word,
    listed,
    normal,
    split_of,
    unknown_column,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zoo.probes.rows import Rows
    from zoo.types.protocols import ProbeOptions

_PEEK = 50
_FEW = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each column is for.

    Attributes:
        split: a column that says which split a row belongs to.
        reasons: role -> why its column was chosen; empty where the person said so.
        unused: columns that nothing reads.
    """

    label: tuple[str, ...]
    text: tuple[str, ...] = ()
    image: str | None = None
    split: str | None = None
    reasons: dict[str, str]
    unused: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, str]:
        """Role -> columns, as text."""
        found = {"image": self.image or "", "text": ", ".join(self.text)}
        found |= {"label": ", ".join(self.label), "split": self.split or ""}
        return {role: column for role, column in found.items() if column}

    def notes(self) -> tuple[str, ...]:
        """Say what was understood."""
        given = {"image": (self.image,), "text": self.text, "label": self.label}
        given["split"] = (self.split,)
        parts = [
            f"{role} {listed([name for name in names if name])} ({self.reasons[role]})"
            for role, names in given.items()
            if role in self.reasons
        ]
        said = [f"Guessed: {'; '.join(parts)}."] if parts else []
        if self.unused:
            said.append(f"Not used: {listed(self.unused)}.")
        return tuple(said)


def roles(rows: Rows, options: ProbeOptions) -> Roles:
    """Decide the role of every column.

    Raises:
        InputError: nothing fits, or two columns fit equally well.
    """
    return _Guess(rows, options).roles()


class _Guess:
    """The columns of one data set while their roles are being decided."""

    def __init__(self, rows: Rows, options: ProbeOptions) -> None:
        self.rows = rows
        self.options = options
        self.light = rows.light
        self.names = [*self.light.column_names, *rows.heavy]
        self.reasons: dict[str, str] = {}
        self._distinct: dict[str, int] = {}
        if len(options.text) > 2:
            raise InputError(f"--text is given {len(options.text)} times; a text pair has two.")
        if options.text and options.image:
            raise InputError("--image and --text are both given; Zoo reads one of them at a time.")
        for flag, given in (("--label", options.label), ("--text", options.text)):
            for name in given:
                self.known(name, flag)
        if options.image:
            self.known(options.image, "--image")

    def known(self, name: str, flag: str) -> None:
        if name not in self.names:
            raise unknown_column(name, flag, self.names, self.rows.origin.source)

    def roles(self) -> Roles:
        split = self.split_column()
        named = self.options.label or self.label_by_name(skip={split or ""})
        taken = {*named, split or "", *(f"{each}_text" for each in named)}
        image, text = self.input_columns(taken)
        taken |= {image or "", *text}
        label = named or self.label_by_content(taken)
        used = {*label, *text, image, split}
        return Roles(
            label=label,
            text=text,
            image=image,
            split=split,
            reasons=self.reasons,
            unused=tuple(name for name in self.names if name not in used),
        )

    # Inputs.

    def input_columns(self, taken: set[str]) -> tuple[str | None, tuple[str, ...]]:
        if self.options.text:
            return None, self.options.text
        if self.options.image:
            return self.options.image, ()
        fixed = self.rows.origin.roles
        if fixed:
            return next(iter(fixed.get("image", ())), None), fixed.get("text", ())
        image = self.image_column(taken)
        text = self.text_columns(taken, beside_image=image is not None)
        if image and text:
            raise InputError(
                f"{self.rows.origin.source!r} holds images (column {image!r}) and texts "
                f"({listed(text)}); Zoo reads one of them at a time.",
                f"--image {image}   or   --text {text[0]}",
            )
        if not image and not text:
            raise self.no_input()
        return image, text

    def no_input(self) -> InputError:
        media = [self.rows.declared[name].type for name in self.rows.heavy if self.is_other(name)]
        kinds = [f"{name!r} ({self.kind(name)})" for name in self.names]
        if media:
            message = f"{self.rows.origin.source!r} holds {media[0].lower()}, which Zoo cannot read"
            return InputError(f"{message} as a probe.", "Zoo reads images, texts and features.")
        return InputError(
            f"no column of {self.rows.origin.source!r} holds texts or images; its columns are "
            f"{listed(kinds, quote=False)}.",
            "--text NAME or --image NAME says which column to read.",
        )

    def kind(self, name: str) -> str:
        found = "binary" if name in self.rows.heavy else str(self.light.schema.field(name).type)
        return "all empty" if found == "null" else found

    def is_other(self, name: str) -> bool:
        return name in self.rows.declared and self.rows.declared[name].type in {"Audio", "Video"}

    def image_column(self, taken: set[str]) -> str | None:
        encoded = [name for name in self.rows.heavy if not self.is_other(name)]
        paths = [name for name in self.strings() if name not in taken and self.holds_paths(name)]
        found = encoded or paths
        if len(found) > 1:
            named = _best(found, IMAGE_WORDS)
            if not named:
                raise InputError(
                    f"{listed(found)} of {self.rows.origin.source!r} all hold images.",
                    f"--image {found[0]}   or   --image {found[1]}",
                )
            found = [named]
        if found:
            self.reasons["image"] = (
                "by its name" if normal(found[0]) in IMAGE_WORDS else "by its content"
            )
        return found[0] if found else None

    def holds_paths(self, name: str) -> bool:
        values = [each for each in self.light.column(name)[:_PEEK].to_pylist() if each]
        return bool(values) and all(
            PurePath(each.partition("?")[0]).suffix.lower() in IMAGE_SUFFIXES and len(each) < 1000
            for each in values
        )

    def text_columns(self, taken: set[str], *, beside_image: bool) -> tuple[str, ...]:
        found = [
            name
            for name in self.strings()
            if name not in taken and not self.holds_paths(name) and normal(name) not in IDENTIFIERS
        ]
        pair = _pair(found)
        if pair:
            self.reasons["text"] = "a pair, by their names"
            return pair
        named = _best(found, TEXT_WORDS)
        if named:
            self.reasons["text"] = "by its name"
            return (named,)
        lengths = {name: self.mean_length(name) for name in found}
        if beside_image:
            return ()  # captions and ids come along with many image sets
        longest = max(lengths, key=lengths.__getitem__, default=None)
        if longest is None or not lengths[longest]:
            return ()
        self.reasons["text"] = "the longest texts"
        return (longest,)

    def strings(self) -> list[str]:
        return [each.name for each in self.light.schema if features.is_text(each.type)]

    def mean_length(self, name: str) -> float:
        import pyarrow.compute as pc

        mean: float | None = pc.mean(pc.utf8_length(self.light.column(name))).as_py()
        return mean or 0.0

    # Labels.

    def label_by_name(self, skip: set[str]) -> tuple[str, ...]:
        if self.rows.origin.roles:
            return self.rows.origin.roles["label"]
        claims = {
            name: self.claim(name)
            for name in self.light.column_names
            if name not in skip and self.plausible(name)
        }
        top = max(claims.values(), default=0)
        if not top:
            return ()
        self.reasons["label"] = "by its name"
        return self.single([name for name, claim in claims.items() if claim == top])

    def claim(self, name: str) -> int:
        word = normal(name)
        if word in LABEL_EXACT:
            return 3
        declared = self.rows.declared.get(name)
        if word in LABEL_WORDS or (declared and declared.names):
            return 2
        return 1 if head_word(name) in LABEL_WORDS else 0

    def plausible(self, name: str) -> bool:
        kind, rows = self.light.schema.field(name).type, len(self.light)
        if features.is_text(kind) and normal(name) not in LABEL_EXACT:
            return self.distinct(name) <= max(_FEW, rows // 2)
        return any(
            check(kind)
            for check in (features.is_text, features.is_whole, features.is_real, features.is_list)
        )

    def label_by_content(self, taken: set[str]) -> tuple[str, ...]:
        others = [
            name
            for name in self.light.column_names
            if name not in taken and self.plausible(name) and normal(name) not in IDENTIFIERS
        ]
        few = [name for name in others if self.is_low(name)]
        if few:
            self.reasons["label"] = "the only column of few values"
            return self.single(few)
        numbers = [n for n in others if features.is_real(self.light.schema.field(n).type)]
        if numbers:
            self.reasons["label"] = "the only column of numbers"
            return self.single(numbers)
        raise InputError(
            f"no column of {self.rows.origin.source!r} looks like labels; its columns are "
            f"{listed(self.names)}.",
            "--label NAME says which column to predict.",
        )

    def is_low(self, name: str) -> bool:
        rows, distinct = len(self.light), self.distinct(name)
        return 2 <= distinct <= min(max(_FEW, rows // 20), max(2, rows // 2))

    def single(self, found: Sequence[str]) -> tuple[str, ...]:
        if len(found) == 1:
            return tuple(found)
        if len(found) > 2 and all(self.is_binary(name) for name in found):
            self.reasons["label"] = "columns of 0 and 1"
            return tuple(found)
        flags = " or ".join(f"--label {name}" for name in found[:3])
        both = len(found) == 2 and all(self.is_binary(name) for name in found)
        raise InputError(
            f"{listed(found)} of {self.rows.origin.source!r} could all be the label."
            if len(found) > 2
            else f"{found[0]!r} and {found[1]!r} of {self.rows.origin.source!r} could both be the "
            "label.",
            f"Say which: {flags}" + ("; both together are multi-label." if both else "."),
        )

    def is_binary(self, name: str) -> bool:
        column = self.light.column(name)
        if not (features.is_whole(column.type) or features.is_real(column.type)):
            return False
        return {float(each) for each in column.unique().to_pylist() if each is not None} <= {0, 1}

    def distinct(self, name: str) -> int:
        import pyarrow as pa
        import pyarrow.compute as pc

        if name not in self._distinct:
            column = self.light.column(name)
            try:
                self._distinct[name] = pc.count_distinct(column).as_py()
            except pa.ArrowNotImplementedError:  # lists
                self._distinct[name] = len({str(each) for each in column.to_pylist()})
        return self._distinct[name]

    def split_column(self) -> str | None:
        for name in self.strings():
            if normal(name) in SPLIT_COLUMNS and self.distinct(name) <= _FEW:
                values: list[Any] = [v for v in self.light.column(name).unique().to_pylist() if v]
                if values and all(split_of(value) for value in values):
                    self.reasons["split"] = "by its name and values"
                    return name
        return None


def _best(found: Iterable[str], words: Sequence[str]) -> str | None:
    """The column with the foremost word: as its name, else as the last or any part of it."""
    names = list(found)
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
        match = re.fullmatch(r"(.+?)_?(1|a)", word)
        if match and match[1] in PAIR_BASES:
            twin = by_word.get(word[:-1] + {"1": "2", "a": "b"}[match[2]])
            if twin:
                return name, twin
    return None
