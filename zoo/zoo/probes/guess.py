"""Which column is what: by name, then by content; two equal claims are never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.probes.columns import Columns
from zoo.probes.guess_inputs import guess_inputs
from zoo.probes.guess_labels import label_by_content, label_by_name
from zoo.probes.words import listed

if TYPE_CHECKING:
    from zoo.probes.rows import Rows
    from zoo.types.protocols import ProbeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each column is for.

    Attributes:
        split: a column that says which split a row belongs to.
        reasons: role -> why its column was chosen; only for what was guessed.
        unused: columns that nothing reads.
    """

    label: tuple[str, ...]
    text: tuple[str, ...] = ()
    image: str | None = None
    split: str | None = None
    reasons: dict[str, str]
    unused: tuple[str, ...] = ()

    @property
    def all(self) -> dict[str, tuple[str, ...]]:
        """Role -> columns, without roles that nothing has."""
        found = {"image": (self.image,), "text": self.text, "label": self.label}
        found["split"] = (self.split,)
        named = {role: tuple(each for each in names if each) for role, names in found.items()}
        return {role: names for role, names in named.items() if names}

    def notes(self) -> tuple[str, ...]:
        """Say what was guessed, why, and what is not used."""
        parts = [
            f"{role} {listed(names)} ({self.reasons[role]})"
            for role, names in self.all.items()
            if role in self.reasons
        ]
        said = [f"Guessed: {'; '.join(parts)}."] if parts else []
        if self.unused:
            said.append(f"Not used: {listed(self.unused)}.")
        return tuple(said)


def roles(rows: Rows, options: ProbeOptions) -> Roles:
    """Decide the role of every column: as the person says, as the layout says, or by guessing.

    Raises:
        InputError: nothing fits, or two columns fit equally well.
    """
    columns = Columns(rows)
    _check(columns, options)
    fixed = rows.origin.roles
    split = columns.split()
    label = options.label or fixed.get("label", ()) or label_by_name(columns, skip={split})
    taken = {*label, split, *(f"{each}_text" for each in label)}
    image, text = _inputs(columns, options, taken)
    if not label:
        label = label_by_content(columns, {*taken, image, *text})
    used = {*label, *text, image, split}
    return Roles(
        label=label,
        text=text,
        image=image,
        split=split,
        reasons=columns.reasons,
        unused=tuple(name for name in columns.names if name not in used),
    )


def _check(columns: Columns, options: ProbeOptions) -> None:
    if len(options.text) > 2:
        raise InputError(f"--text is given {len(options.text)} times; a text pair has two.")
    if options.text and options.image:
        raise InputError("--image and --text are both given; Zoo reads one of them at a time.")
    for name in options.label:
        columns.known(name, "--label")
    for name in options.text:
        columns.known(name, "--text")
    if options.image:
        columns.known(options.image, "--image")


def _inputs(
    columns: Columns, options: ProbeOptions, taken: set[str | None]
) -> tuple[str | None, tuple[str, ...]]:
    fixed = columns.rows.origin.roles
    if options.text or options.image:
        return options.image, options.text
    if fixed:
        return next(iter(fixed.get("image", ())), None), fixed.get("text", ())
    return guess_inputs(columns, taken)
