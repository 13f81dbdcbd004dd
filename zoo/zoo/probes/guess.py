"""Which column is what: by name, then by content; two equal claims are never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.probes import structured
from zoo.probes.columns import Columns
from zoo.probes.guess_inputs import guess_inputs
from zoo.probes.guess_labels import label_by_content, label_by_name
from zoo.probes.words import listed

if TYPE_CHECKING:
    from zoo.probes.rows import Rows
    from zoo.probes.structured import Structure
    from zoo.types.probe import Task
    from zoo.types.protocols import ProbeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each column is for.

    Attributes:
        split: a column that says which split a row belongs to.
        reasons: role -> why its column was chosen; only for what was guessed.
        unused: columns that nothing reads.
        structure: what the label is, where it is no plain column.
    """

    label: tuple[str, ...]
    text: tuple[str, ...] = ()
    image: str | None = None
    split: str | None = None
    reasons: dict[str, str]
    unused: tuple[str, ...] = ()
    structure: Structure | None = None

    @property
    def task(self) -> Task | None:
        """The task, where the names of the columns decide it."""
        return self.structure.task if self.structure else None

    @property
    def boxed(self) -> str | None:
        """The images that the boxes of the label lie in."""
        found = self.structure
        return found.image if found and found.kind == "referring expressions" else None

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
        said += self.structure.notes() if self.structure else ()
        if self.unused:
            said.append(f"Not used: {listed(self.unused)}.")
        return tuple(said)


def roles(rows: Rows, options: ProbeOptions, task: Task | None = None) -> Roles:
    """Decide the role of every column: as the person says, as the layout says, or by guessing.

    Raises:
        InputError: nothing fits, or two columns fit equally well.
    """
    columns = Columns(rows)
    _check(columns, options)
    fixed = rows.origin.roles
    split = columns.split()
    found = None if fixed else structured.find(columns, options, task)
    if found:
        label, image, text = found.label, None if found.text else found.image, found.text
    else:
        label, image, text = _plain(columns, options, task, split)
    used = {*label, *text, image, split}
    reasons = {} if found else columns.reasons
    return Roles(
        label=label,
        text=text,
        image=image,
        split=split,
        reasons={"split": columns.reasons["split"]} if found and split else reasons,
        unused=tuple(name for name in columns.names if name not in used),
        structure=found,
    )


def _plain(
    columns: Columns, options: ProbeOptions, task: Task | None, split: str | None
) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    """Decide label, image and text, each column for itself."""
    texts = task == "text"
    fixed = columns.rows.origin.roles.get("label", ())
    skip = {split, *options.text, options.image}
    label = options.label or fixed or label_by_name(columns, skip, texts=texts)
    taken = {*label, split, *(f"{each}_text" for each in label)}
    image, text = _inputs(columns, options, taken, images_first=texts and not label)
    return label or label_by_content(columns, {*taken, image, *text}, texts=texts), image, text


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
    columns: Columns, options: ProbeOptions, taken: set[str | None], *, images_first: bool
) -> tuple[str | None, tuple[str, ...]]:
    fixed = columns.rows.origin.roles
    if options.text or options.image:
        return options.image, options.text
    if fixed:
        return next(iter(fixed.get("image", ())), None), fixed.get("text", ())
    return guess_inputs(columns, taken, images_first=images_first)
