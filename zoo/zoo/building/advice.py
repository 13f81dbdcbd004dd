"""Which kind of method fits some teachers, and why. No method is known by name here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.building.members import Member
    from zoo.types.specs import AmalgamatorSpec

#: In place of a method's name.
AUTO = ("", "auto")
#: Keys of a configuration that say nothing about the shape of a network.
_IDLE = frozenset(
    ("id2label", "label2id", "num_labels", "transformers_version", "dtype", "torch_dtype")
) | {"_name_or_path", "problem_type", "finetuning_task"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What speaks for one method or another.

    Attributes:
        teachers: how many.
        one_architecture: their networks have equal shapes, apart from the head.
        one_ancestor: their cards name one base model; None where a card names none.
        heads: how many of them have a trained head.
        same_labels: their label sets are equal.
        overlapping: some label is in several of the sets.
        student: a student was named.
        larger: the student has more parameters than every teacher.
    """

    teachers: int
    one_architecture: bool = False
    one_ancestor: bool | None = None
    heads: int = 0
    same_labels: bool = False
    overlapping: bool = False
    student: bool = True
    larger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to take.

    Attributes:
        method: name of the amalgamator.
        why: half a sentence.
        notes: what else would fit, one sentence each.
    """

    method: str
    why: str
    notes: tuple[str, ...] = ()


def facts_of(teachers: Sequence[Member], student: Member | None) -> Facts:
    """Gather what is known without a weight."""
    from zoo.building.label_spaces import fold
    from zoo.building.members import config_of

    configs = [config_of(each) for each in teachers]
    shapes = [{k: v for k, v in config.items() if k not in _IDLE} for config in configs]
    ancestors = {each.entry.tags.get("base_model") for each in teachers}
    labels = [{fold(name) for name in each.head.labels} for each in teachers if each.head]
    sizes = [each.parameters or 0 for each in teachers]
    return Facts(
        teachers=len(teachers),
        one_architecture=len(teachers) > 1 and all(each == shapes[0] for each in shapes),
        one_ancestor=None if None in ancestors else len(ancestors) == 1,
        heads=len(labels),
        same_labels=len(labels) == len(teachers) and all(each == labels[0] for each in labels),
        overlapping=sum(map(len, labels)) > len(set().union(*labels)),
        student=student is not None,
        larger=bool(sizes and student and (student.parameters or 0) > max(sizes)),
    )


def advise(facts: Facts, specs: Mapping[str, AmalgamatorSpec]) -> Advice:
    """Choose the kind of method that fits.

    Raises:
        InputError: no installed plugin provides one.
    """
    merging = _first(specs, kind="merging")
    notes = _notes(facts, specs, merging)
    mergeable = facts.one_architecture and facts.one_ancestor is not False and facts.same_labels
    if not facts.student and mergeable and merging:
        why = "no student is named, and the teachers have one architecture and one label set"
        unsure = (
            "No file says that the teachers were made from one checkpoint: weights without a "
            "common ancestor do not average well. --student MODEL trains one instead."
        )
        return Advice(method=merging, why=why, notes=() if facts.one_ancestor else (unsure,))
    if facts.teachers and not facts.heads:
        blind = _first(specs, kind="training", soft=False, features=True)
        if blind:
            why = "no teacher has a trained head, and it reads features alone"
            return Advice(method=blind, why=why, notes=notes)
    chosen = _first(specs, kind="training", soft=True)
    if not chosen:
        raise InputError(
            "no method is installed that trains a student.",
            "zoo plugins list --hook zoo_amalgamators",
        )
    return Advice(method=chosen, why=_why(facts), notes=notes)


def advise_against(spec: AmalgamatorSpec, facts: Facts) -> tuple[str, ...]:
    """Say what speaks against a method that a person named, one sentence each."""
    if spec.kind == "merging" and facts.one_ancestor is False:
        said = "the teachers' cards name different base models"
        return (f"{spec.name}: {said}; weights without a common ancestor do not average well.",)
    return ()


def _why(facts: Facts) -> str:
    if facts.teachers == 1:
        return "one teacher: ordinary distillation, with its features"
    if facts.one_architecture:
        return "teachers of one architecture, each with its own labels"
    if facts.overlapping:
        return "teachers of different architectures that share labels"
    return "classifiers of different architectures and labels"


def _notes(facts: Facts, specs: Mapping[str, AmalgamatorSpec], merging: str) -> tuple[str, ...]:
    notes = []
    plain = _first(specs, kind="training", soft=True, features=False)
    if facts.teachers == 1 and plain:
        notes.append(f"There is one teacher: --method {plain} is ordinary distillation.")
    if facts.one_architecture and facts.one_ancestor and merging:
        shared = "" if facts.same_labels else " (their heads are joined)"
        notes.append(
            "The teachers have one architecture and one ancestor: "
            f"--method {merging} takes seconds{shared}; train only if its result is worse."
        )
    if facts.larger and facts.one_ancestor:
        notes.append("The student is larger than every teacher: growing one of them starts higher.")
    return tuple(notes)


def _first(specs: Mapping[str, AmalgamatorSpec], **wanted: object) -> str:
    """Name the default of those that fit, else the first; empty for none."""
    fitting = [
        spec
        for spec in specs.values()
        if all(getattr(spec, name) == value for name, value in wanted.items())
    ]
    fitting.sort(key=lambda spec: not spec.default)
    return fitting[0].name if fitting else ""
