"""A recipe on its way through preflight: what is known so far, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.estimates import free_memory
from zoo.building.methods import classroom_of
from zoo.building.prepared import held_out
from zoo.building.presets import LABELS, SOFT
from zoo.building.problems import Collector
from zoo.building.recipe import StudentChoice, TeacherChoice
from zoo.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo.building.caching import CacheDecision
    from zoo.building.label_spaces import LabelSpace
    from zoo.building.members import Desk, Member
    from zoo.building.methods import Part
    from zoo.building.recipe import Recipe
    from zoo.probes.unlabelled import Inputs
    from zoo.types.distilling import Classroom
    from zoo.types.probe import Probe
    from zoo.types.specs import AmalgamatorSpec
    from zoo.types.training import Stage, StudentRequest


@dataclass(kw_only=True, eq=False)
class Draft:
    """What :class:`zoo.building.prepared.Prepared` is made of; see there.

    Attributes:
        free: dotted names of what nobody set.
        taps: alias -> the tap that was asked for.
        cache_size: bytes that the teachers' outputs take on disk, if they are kept.
        all_teachers: none of them failed, so that what they have in common can be judged.
        parts: methods of a distillation.
        fitting: they have what they need, so that they can be asked where they compare.
        head: whether a fine-tuned model keeps its head, and why, half a sentence.
        label_names: classes of labelled data, in the order of ``truth``'s numbers until the
            student's columns are known.
    """

    desk: Desk
    place: Path
    free: frozenset[str] = frozenset()
    problems: Collector = field(default_factory=Collector)
    teachers: list[Member] = field(default_factory=list)
    taps: dict[str, str] = field(default_factory=dict)
    all_teachers: bool = False
    student: Member | None = None
    base: Member | None = None
    spec: AmalgamatorSpec | None = None
    method: Any = None
    parts: tuple[Part, ...] = ()
    fitting: bool = True
    head: str = ""
    why: str = ""
    modality: str = ""
    space: LabelSpace | None = None
    request: StudentRequest | None = None
    stages: tuple[Stage, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    extras: int = 0
    tap: str = ""
    inputs: Inputs | None = None
    rows: Sequence[int] = ()
    label_names: tuple[str, ...] = ()
    truth: Any = None
    evaluation: Probe | None = None
    cache: CacheDecision | None = None
    cache_size: int = 0
    device: str = "cpu"
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from the recipe as it was given."""
        self.recipe: Recipe = self.desk.recipe

    @property
    def trains(self) -> bool:
        """Whether a student is trained; also where the method is not known."""
        return self.spec is None or self.spec.kind == "training"

    @property
    def alone(self) -> bool:
        """Whether nobody teaches the student but the labels of the data."""
        return self.recipe.command == "finetune"

    @property
    def keeps_head(self) -> bool:
        """Whether the student begins with the trained head of its checkpoint."""
        return self.head.startswith("kept")

    @property
    def soft(self) -> bool:
        """Whether teachers need heads that classify; also where the method is not known."""
        return self.spec is None or self.spec.soft or self.spec.kind == "ensemble"

    @property
    def compared(self) -> bool:
        """Whether a student of the soft targets alone is trained beside, which differs."""
        soft = self.trains and self.spec is not None and self.spec.soft and self.recipe.compare
        more = self.stages or set(self.weights) - {SOFT, LABELS} or len(self.parts) > 1
        return bool(soft and more)

    @property
    def augmenter(self) -> Part | None:
        """What mixes samples inside the student, if anything."""
        return next((each for each in self.parts if each.kind == "augmenter"), None)

    def classroom(self, *, batch: int | None = None) -> Classroom:
        """Describe what methods are built for, as far as it is known."""
        return classroom_of(
            stages=self.stages,
            watched=self.method.watched,
            columns=self.space.columns if self.space else (),
            classes=len(self.space.labels) if self.space else 0,
            teachers=len(self.teachers),
            samples=max(1, len(self.rows) - held_out(len(self.rows), self.recipe.held_out)),
            batch=batch or self.recipe.schedule.batch,
            labelled=self.recipe.labelled,
            memory=free_memory(self.device),
        )

    def event(self, message: str) -> None:
        """Tell whoever listens."""
        self.desk.on_event(Event(kind="note", message=message))

    def is_free(self, *names: str) -> bool:
        """Whether nobody set any of these."""
        return all(name in self.free for name in names)

    def revise(self, **changes: Any) -> None:
        """Change the recipe; a mapping changes single fields of a nested part."""
        for name, value in changes.items():
            if isinstance(value, dict):
                changes[name] = msgspec.structs.replace(getattr(self.recipe, name), **value)
        self.recipe = msgspec.structs.replace(self.recipe, **changes)

    def pinned(self) -> Recipe:
        """Name checkpoints by what cannot move, teachers by their aliases, and what was chosen."""
        recipe = self.recipe
        if self.cache is not None:  # room on the disk, which decides too, will be another tomorrow
            recipe = msgspec.structs.replace(recipe, cache="yes" if self.cache.cache else "no")
        teachers = tuple(
            TeacherChoice(model=_fixed(each), alias=each.alias, tap=self.taps[each.alias])
            for each in self.teachers
        )
        student = recipe.student
        if student is not None and self.student is not None:
            student = StudentChoice(
                model=_fixed(self.student),
                initial="pretrained" if self.student.weights else "random",
                head=("keep" if self.keeps_head else "new") if self.head else student.head,
                tap=student.tap,
            )
        base = _fixed(self.base) if self.base else recipe.base
        folder = recipe.folder or str(self.desk.base)
        return msgspec.structs.replace(
            recipe, teachers=teachers, student=student, base=base, folder=folder
        )


def _fixed(member: Member) -> str:
    """A folder of a registry is relative to that registry, which a recipe does not name."""
    folder = member.candidate.folder
    typed = member.model
    return str(folder) if folder and not typed.startswith((".", "/", "~")) else typed
