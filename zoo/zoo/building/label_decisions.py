"""The one decision about labels that a person may have to take, asked before anything is fetched.

Teachers with different names need none. Where names are shared, nothing but a person can say
whether they are the same class: ``--labels union`` (they are), ``--labels separate`` (they are
not: each gets its teacher's alias in front) or ``--labels FILE``, a label map (some are).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zoo.building.label_maps import read_map
from zoo.building.label_spaces import decide, keep, overlaps, separate, union
from zoo.errors import InputError
from zoo.probes.words import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.label_spaces import LabelSpace, Overlaps, TeacherHead
    from zoo.building.recipe import TargetKind

LabelMode = Literal["auto", "separate"]

#: Kinds that sum the losses of the teachers, each on the columns that it knows.
BY_TEACHER: tuple[TargetKind, ...] = ("per_teacher", "union")


def make_space(
    heads: Sequence[TeacherHead],
    *,
    targets: TargetKind,
    labels: LabelMode = "auto",
    label_map: str | Path = "",
    kept: Sequence[str] = (),
) -> LabelSpace:
    """Decide the student's labels as the recipe says.

    Args:
        heads: of all teachers, in order.
        targets: kind of the soft targets.
        labels: ``separate`` keeps labels of one name apart.
        label_map: a file that says it label by label.
        kept: labels of the student to keep; empty keeps all.

    Raises:
        InputError: a teacher that cannot take part, or a decision that is missing.
    """
    for problem in problems(heads):
        raise problem
    space = _joined(heads, targets, labels, label_map)
    if kept:
        space = keep(space, kept)
    _refuse(space, targets)
    return space


def problems(heads: Sequence[TeacherHead]) -> list[InputError]:
    """Say of each teacher that cannot give soft targets why not."""
    return [each for head in heads if (each := _problem(head)) is not None]


def names_in(values: Sequence[str]) -> tuple[str, ...]:
    """Read ``--keep``: each value is a label, or a file with one label a line.

    Raises:
        InputError: a file that cannot be read or has no label.
    """
    names: list[str] = []
    for value in values:
        names += _lines(Path(value)) if _is_file(value) else [value]
    return tuple(dict.fromkeys(names))


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):
        return False


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--keep: {str(path)!r} cannot be read as text: {error}.",
            "Write one label a line, in UTF-8.",
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise InputError(f"--keep: {str(path)!r} has no labels.", "Write one label a line.")
    return names


def _joined(
    heads: Sequence[TeacherHead], targets: TargetKind, labels: LabelMode, label_map: str | Path
) -> LabelSpace:
    if label_map and labels == "separate":
        raise InputError(
            f"a label map ({str(label_map)!r}) and separate labels say two things.",
            "Leave one of them out.",
        )
    if label_map:
        return read_map(Path(label_map), heads)
    if labels == "separate":
        return separate(heads)
    if targets == "union":
        return union(heads)
    found = overlaps(heads)
    if found.names:
        raise _undecided(found)
    return separate(heads)


def _undecided(found: Overlaps) -> InputError:
    count = len(found.names)
    names = f"{count} label{'s' * (count != 1)} ({listed(found.names, most=3)})"
    order = " in a different order" if found.reordered and len(found.teachers) == 2 else ""
    same = "it is the same class" if count == 1 else "they are the same classes"
    ways = ["--labels separate if not"]
    if not found.placeholders:
        ways.insert(0, "--labels union if so (matched by name, never by position)")
    return InputError(
        f"teachers {listed(found.teachers, quote=False)} share {names}{order}, and nothing says "
        f"whether {same}.",
        decide(*ways),
    )


def _refuse(space: LabelSpace, targets: TargetKind) -> None:
    """Refuse labels that this kind of targets cannot teach."""
    if space.shared and targets not in BY_TEACHER:
        raise InputError(
            f"{listed(space.shared, most=3)} would be taught by several teachers, and --targets "
            f"{targets} gives every column one teacher.",
            "--targets union, which sums the teachers' losses.",
        )
    single = [each for each in space.teachers if len(each.block) == 1]
    if single and targets in BY_TEACHER:
        name = space.labels[single[0].block[0]]
        raise InputError(
            f"teacher {single[0].alias} has one label ({name!r}), and --targets {targets} compares "
            "a teacher's labels with one another.",
            "Keep more of its labels." if space.shared else "Keep more, or --targets standardised.",
        )


def _problem(head: TeacherHead) -> InputError | None:
    if not head.labels:
        return InputError(
            f"teacher {head.alias} ({head.model}) has no trained head and gives no soft targets.",
            "Take a checkpoint with a classifier, or --method with a method that reads features "
            "alone (zoo plugins).",
        )
    if head.kind != "classification":
        what = "several labels at once" if head.kind == "multi-label" else "numbers, not classes"
        return InputError(
            f"teacher {head.alias} ({head.model}) predicts {what}; soft targets need one label of "
            "many.",
            "Take a checkpoint that was trained to tell classes apart.",
        )
    return None
