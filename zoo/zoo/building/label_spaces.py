"""Which column of the student stands for which label of which teacher.

Labels meet by name, after case and spaces are folded, and never by position or likeness.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import InputError, UnknownNameError
from zoo.probes.words import did_you_mean, listed
from zoo.types.runtimes import HeadKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

#: What transformers writes where nobody named the classes.
_PLACEHOLDER = re.compile(r"label_\d+")


class TeacherHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a teacher can say, read from its configuration.

    Attributes:
        alias: its short name.
        model: its reference.
        revision: the pinned one.
        labels: one name a logit; empty for a teacher without a trained head.
        kind: what its logits mean.
    """

    alias: str
    model: str
    revision: str = ""
    labels: tuple[str, ...] = ()
    kind: HeadKind = "classification"


class TeacherLabels(msgspec.Struct, frozen=True, kw_only=True):
    """One teacher's part of the student's head.

    Attributes:
        alias: its short name.
        model: its reference.
        revision: the pinned one.
        labels: C_i names, as its own configuration gives them.
        columns: column of the student for each logit; None for one that is not kept.
    """

    alias: str
    model: str
    revision: str = ""
    labels: tuple[str, ...]
    columns: tuple[int | None, ...]

    @property
    def block(self) -> tuple[int, ...]:
        """Columns of the student that this teacher knows, in the student's order."""
        return tuple(sorted(each for each in self.columns if each is not None))


class LabelSpace(msgspec.Struct, frozen=True, kw_only=True):
    """The student's labels and where they come from.

    Attributes:
        labels: C names, no two of them alike when folded.
        teachers: in the order of the command.
    """

    labels: tuple[str, ...]
    teachers: tuple[TeacherLabels, ...]

    @property
    def columns(self) -> tuple[tuple[int | None, ...], ...]:
        """Those of every teacher."""
        return tuple(each.columns for each in self.teachers)

    @property
    def shared(self) -> tuple[str, ...]:
        """Labels of the student that several teachers know."""
        known = Counter(column for teacher in self.teachers for column in teacher.block)
        return tuple(name for column, name in enumerate(self.labels) if known[column] > 1)


class Overlaps(msgspec.Struct, frozen=True, kw_only=True):
    """What the label sets of several teachers have in common.

    Attributes:
        names: labels of several teachers, in the spelling of the first.
        teachers: aliases of those that have them.
        reordered: pairs of teachers with the same names in another order.
        placeholders: the names are numbers (``LABEL_0``), which say nothing.
    """

    names: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    reordered: tuple[tuple[str, str], ...] = ()
    placeholders: bool = False


def fold(label: str) -> str:
    """Spell a label as labels are compared: lower case, single spaces."""
    return " ".join(label.split()).casefold()


def distinct(labels: Sequence[str]) -> tuple[str, ...]:
    """Tell apart labels of one teacher that look alike: ``crane #134`` and ``crane #517``."""
    names = [each if each.strip() else f"#{number}" for number, each in enumerate(labels)]
    return tuple(_numbered(names))


def overlaps(heads: Sequence[TeacherHead]) -> Overlaps:
    """Find the labels that several teachers have."""
    owners: dict[Hashable, list[tuple[str, str]]] = {}
    for head in heads:
        for key, name in zip(_keys(head), distinct(head.labels), strict=True):
            owners.setdefault(key, []).append((head.alias, name))
    shared = [each for each in owners.values() if len(each) > 1]
    aliases = {alias for each in shared for alias, _ in each}
    return Overlaps(
        names=tuple(each[0][1] for each in shared),
        teachers=tuple(head.alias for head in heads if head.alias in aliases),
        reordered=_reordered(heads),
        placeholders=any(_PLACEHOLDER.fullmatch(fold(each[0][1])) for each in shared),
    )


def separate(heads: Sequence[TeacherHead]) -> LabelSpace:
    """Give every logit its own column, teacher after teacher.

    A name of several teachers becomes ``alias/name`` for each of them.
    """
    names = [(head.alias, name) for head in heads for name in distinct(head.labels)]
    known = Counter(fold(name) for _, name in names)
    clear = [f"{alias}/{name.strip()}" if known[fold(name)] > 1 else name for alias, name in names]
    return space_of(heads, _numbered(clear))


def union(heads: Sequence[TeacherHead]) -> LabelSpace:
    """Give labels of one name one column, whatever their order.

    Raises:
        InputError: the shared names are placeholders, which cannot be compared.
    """
    found = overlaps(heads)
    if found.placeholders:
        raise InputError(
            f"teachers {listed(found.teachers, quote=False)} call their classes "
            f"{listed(found.names, most=2)}: placeholders that say nothing, so they cannot be "
            "matched by name.",
            decide("--labels separate to keep them apart"),
        )
    spelled: dict[Hashable, str] = {}
    keys = [key for head in heads for key in _keys(head)]
    names = [name for head in heads for name in distinct(head.labels)]
    for key, name in zip(keys, names, strict=True):
        spelled.setdefault(key, name)
    clear = dict(zip(spelled, _numbered(list(spelled.values())), strict=True))
    return space_of(heads, [clear[key] for key in keys])


def space_of(heads: Sequence[TeacherHead], names: Sequence[str | None]) -> LabelSpace:
    """Build the space from the student's label for every logit of every teacher in turn.

    Columns are numbered as their labels appear first; None leaves a logit out.
    """
    columns: dict[str, int] = {}
    spelled: list[str] = []
    for name in names:
        if name is not None and fold(name) not in columns:
            columns[fold(name)] = len(spelled)
            spelled.append(name)
    rest = iter(None if name is None else columns[fold(name)] for name in names)
    return LabelSpace(
        labels=tuple(spelled),
        teachers=tuple(
            TeacherLabels(
                alias=head.alias,
                model=head.model,
                revision=head.revision,
                labels=head.labels,
                columns=tuple(next(rest) for _ in head.labels),
            )
            for head in heads
        ),
    )


def keep(space: LabelSpace, labels: Sequence[str]) -> LabelSpace:
    """Leave out every column but those that are named.

    Raises:
        UnknownNameError: a label that the student does not have.
        InputError: a teacher of whom nothing is left.
    """
    wanted = {fold(each) for each in labels}
    known = {fold(each) for each in space.labels}
    for each in labels:
        if fold(each) not in known:
            raise UnknownNameError(
                f"--keep: the student has no label {each!r}.{_guess(each, space.labels)}",
                f"Its {len(space.labels)} labels are {listed(space.labels, most=6)}.",
            )
    kept = [number for number, each in enumerate(space.labels) if fold(each) in wanted]
    renumbered = {old: new for new, old in enumerate(kept)}
    teachers = tuple(
        msgspec.structs.replace(
            each,
            columns=tuple(None if c is None else renumbered.get(c) for c in each.columns),
        )
        for each in space.teachers
    )
    idle = [each.alias for each in teachers if not each.block]
    if idle:
        raise InputError(
            f"--keep leaves no label of teacher {idle[0]}, so it has nothing to teach.",
            f"Leave out --teacher {idle[0]}=..., or keep one of its labels.",
        )
    return LabelSpace(labels=tuple(space.labels[each] for each in kept), teachers=teachers)


def describe(space: LabelSpace) -> str:
    """Say the label space in half a line: ``525 + 120, 0 shared names``."""
    sizes = " + ".join(str(len(each.labels)) for each in space.teachers)
    dropped = sum(each.columns.count(None) for each in space.teachers)
    own = len(set(range(len(space.labels))).difference(*(each.columns for each in space.teachers)))
    if own == len(space.labels):
        return f"{own} of the data"
    parts = [f"{sizes}, {len(space.shared)} shared name{'s' * (len(space.shared) != 1)}"]
    if own:
        parts.append(f"{own} of the data alone")
    if dropped:
        parts.append(f"{dropped} left out")
    if dropped or own or space.shared:
        parts.append(f"{len(space.labels)} outputs")
    return ", ".join(parts)


def columns_of(names: Sequence[str], space: LabelSpace) -> tuple[list[int], tuple[str, ...]]:
    """Find the column of each class of labelled data, by name.

    A name that the student does not have may be what exactly one of its columns is called by the
    teachers.

    Returns:
        The column of each name, -1 where there is none; and the names without one.
    """
    own = {fold(each): column for column, each in enumerate(space.labels)}
    meant: dict[str, set[int | None]] = {}
    for teacher in space.teachers:
        for label, column in zip(teacher.labels, teacher.columns, strict=True):
            meant.setdefault(fold(label), set()).add(column)
    for label, columns in meant.items():
        only = next(iter(columns))
        if len(columns) == 1 and only is not None:
            own.setdefault(label, only)
    found = [own.get(fold(each), -1) for each in names]
    unknown = tuple(name for name, column in zip(names, found, strict=True) if column < 0)
    return found, unknown


def config_entries(space: LabelSpace) -> dict[str, Any]:
    """Give what the student's ``config.json`` says about its labels."""
    return {
        "id2label": dict(enumerate(space.labels)),
        "label2id": {name: column for column, name in enumerate(space.labels)},
        "zoo_label_spaces": msgspec.to_builtins(space.teachers),
    }


def space_in(config: Mapping[str, Any]) -> LabelSpace | None:
    """Read :func:`config_entries` back; None for a configuration without them."""
    if not config.get("zoo_label_spaces") or not config.get("id2label"):
        return None
    names = {int(column): str(name) for column, name in config["id2label"].items()}
    teachers = msgspec.convert(config["zoo_label_spaces"], tuple[TeacherLabels, ...])
    return LabelSpace(labels=tuple(names[each] for each in sorted(names)), teachers=teachers)


def _keys(head: TeacherHead) -> list[Hashable]:
    """Give what equals another teacher's key exactly where the labels are the same by name.

    Names that a teacher has twice are the same only where the whole label sets are.
    """
    folded = tuple(fold(each) for each in head.labels)
    known = Counter(folded)
    return [
        each if each and known[each] == 1 else (folded, number)
        for number, each in enumerate(folded)
    ]


def _numbered(names: Sequence[str]) -> list[str]:
    """Append the position to names that are alike when folded, until no two are."""
    known = Counter(fold(each) for each in names)
    if not any(count > 1 for count in known.values()):
        return list(names)
    return _numbered(
        [f"{each} #{n}" if known[fold(each)] > 1 else each for n, each in enumerate(names)]
    )


def _reordered(heads: Sequence[TeacherHead]) -> tuple[tuple[str, str], ...]:
    folded = [[fold(each) for each in head.labels] for head in heads]
    return tuple(
        (heads[i].alias, heads[j].alias)
        for i in range(len(heads))
        for j in range(i + 1, len(heads))
        if folded[i] != folded[j] and sorted(folded[i]) == sorted(folded[j])
    )


def _guess(name: str, known: Sequence[str]) -> str:
    """Find what was probably meant; labels of several teachers carry an alias in front."""
    prefixed = [each for each in known if fold(each).endswith(f"/{fold(name)}")]
    if prefixed:
        return f" Did you mean {' or '.join(map(repr, prefixed))}?"
    return did_you_mean(name, known)


def decide(*ways: str) -> str:
    """Say how to decide about shared labels."""
    return (
        f"{', '.join(ways)}, or --labels FILE to say it label by label (--write-label-map FILE "
        "makes one to edit)."
    )
