"""What a student is taught by: one amalgamator, or distillers and others that add up.

``--method kd,rkd,hkd:3`` names several with their weights. A method that looks at one teacher
takes a seat beside every one of them; features that several seats look at are read once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from zoo.building.problems import Collector
from zoo.building.stages import make_stages
from zoo.types.distilling import Classroom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from zoo.types.distilling import Pair
    from zoo.types.training import Amalgamator, FeatureShape, Stage

    Layers = Sequence[FeatureShape]


class Method(Protocol):
    """What a student is taught by, settled for the networks that take part.

    Attributes:
        stages: where teachers are met; every one of them has a tap of every teacher.
        watched: where the student alone is looked at.
    """

    @property
    def stages(self) -> tuple[Stage, ...]: ...  # noqa: D102

    @property
    def watched(self) -> tuple[FeatureShape, ...]: ...  # noqa: D102

    def paired(self, teachers: Sequence[Layers], student: Layers) -> Method:
        """Choose where to compare; raises InputError where that cannot be."""
        ...

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Say what cannot work."""
        ...

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of every loss but those that the core adds."""
        ...

    def build(self, classroom: Classroom) -> nn.Module:
        """Make what is trained beside the student."""
        ...


@dataclass(frozen=True, kw_only=True)
class Alone:
    """An amalgamator, which sees all teachers."""

    amalgamator: Amalgamator
    stages: tuple[Stage, ...] = ()
    watched: tuple[FeatureShape, ...] = ()

    def paired(self, teachers: Sequence[Layers], student: Layers) -> Alone:
        """Compare on the smallest grid."""
        pairs = self.amalgamator.pair(teachers, student)
        return replace(self, stages=make_stages(teachers, student, pairs))

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Ask the amalgamator."""
        return self.amalgamator.check(self.stages, classroom.batch)

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give its own."""
        return self.amalgamator.weights(teachers)

    def build(self, classroom: Classroom) -> nn.Module:
        """Let it build."""
        del classroom
        return self.amalgamator.build(self.stages)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One method of several.

    Attributes:
        kind: ``distiller``, ``objective``, ``regulariser``, ``augmenter`` or ``pretext``.
        spec: of that kind.
        method: its object.
        weight: of its losses beside the others'.
        options: that it was made with, where they are not its own.
    """

    kind: str
    spec: Any
    method: Any
    weight: float
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the person typed."""
        return str(self.spec.name)

    @property
    def by_teacher(self) -> bool:
        """Whether it is built once for every teacher."""
        return self.kind in {"distiller", "objective"} and self.spec.teachers == "each"

    def reads(self, knowledge: str) -> bool:
        """Whether it needs or wants something."""
        return self.kind in {"distiller", "objective"} and self.spec.reads(knowledge)


@dataclass(frozen=True, kw_only=True)
class Seat:
    """One module of a method.

    Attributes:
        part: the method.
        teachers: numbers of those that it sees.
        stages: numbers of the stages where it meets them.
        watched: numbers of the student's layers that it looks at.
    """

    part: Part
    teachers: tuple[int, ...]
    stages: tuple[int, ...] = ()
    watched: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Several:
    """Methods that add up.

    Attributes:
        parts: those that give losses.
        added: weights of the losses that the core adds.
        columns: for each teacher the number of its logit in each column of the student; None
            where it lacks one of them.
    """

    parts: tuple[Part, ...]
    added: Mapping[str, float] = field(default_factory=dict)
    columns: tuple[tuple[int, ...] | None, ...] = ()
    stages: tuple[Stage, ...] = ()
    watched: tuple[FeatureShape, ...] = ()
    seats: tuple[Seat, ...] = field(default=(), repr=False)

    def paired(self, teachers: Sequence[Layers], student: Layers) -> Several:
        """Give every method its seats; the failure of one hides nothing of the others."""
        problems = Collector()
        stages: dict[Stage, int] = {}
        watched: dict[FeatureShape, int] = {}
        seats = []
        for part in self.parts:
            each_one = [(number,) for number in range(len(teachers))]
            with problems.watching():
                for who in each_one if part.by_teacher else [tuple(range(len(teachers)))]:
                    met, looked = _places(part, [teachers[each] for each in who], student)
                    whole = [_whole(stage, who, teachers) for stage in met]
                    seats.append(
                        Seat(
                            part=part,
                            teachers=who,
                            stages=tuple(stages.setdefault(each, len(stages)) for each in whole),
                            watched=tuple(
                                watched.setdefault(each, len(watched)) for each in looked
                            ),
                        )
                    )
        problems.finish()
        return replace(self, stages=tuple(stages), watched=tuple(watched), seats=tuple(seats))

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Ask every distiller at every seat; each sentence once."""
        found: dict[str, None] = {}
        for seat in self.seats:
            if seat.part.kind in {"distiller", "objective"}:
                said = seat.part.method.check(self.seen_from(seat, classroom))
                found |= dict.fromkeys(said)
        return tuple(found)

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Multiply the weights of each method's losses with that of the method."""
        found = dict(self.added)
        for part in self.parts:
            sees = 1 if part.by_teacher else teachers
            regular = part.kind == "regulariser"
            own = part.method.weights() if regular else part.method.weights(sees)
            found |= {loss_name(part, name): part.weight * weight for name, weight in own.items()}
        return found

    def build(self, classroom: Classroom) -> nn.Module:
        """Make one module of all."""
        from zoo.training.seats import Seats

        return Seats(self, classroom)

    def seen_from(self, seat: Seat, classroom: Classroom) -> Classroom:
        """Show a method its stages with its teachers."""
        return replace(
            classroom,
            stages=tuple(_narrow(self.stages[each], seat.teachers) for each in seat.stages),
            watched=tuple(self.watched[each] for each in seat.watched),
            teachers=len(seat.teachers),
            head=tuple(classroom.head[each] for each in seat.teachers) if classroom.head else (),
        )


def classroom_of(
    *,
    columns: Sequence[Sequence[int | None]],
    teachers: int,
    classes: int,
    **others: Any,
) -> Classroom:
    """Describe what methods are built for.

    Args:
        columns: for each teacher the student's column of every logit.
        teachers: how many there are.
        classes: columns of the student.
        **others: fields of :class:`zoo.types.distilling.Classroom`.
    """
    known = [sum(each is not None for each in of) for of in columns] or [0] * teachers
    return Classroom(teachers=teachers, classes=classes, head=tuple(known), **others)


def loss_name(part: Part, name: str) -> str:
    """Name a loss of one method among those of several."""
    return name if name == part.name else f"{part.name}.{name}"


def _places(
    part: Part, teachers: Sequence[Layers], student: Layers
) -> tuple[tuple[Stage, ...], list[FeatureShape]]:
    """Ask a method where it compares and where it looks."""
    known = {each.tap: each for each in student}
    if part.kind == "regulariser":
        return (), [known[tap] for tap in part.method.watch(student)]
    pairs: Sequence[Pair] = part.method.pair(teachers, student)
    looked = [known[each.student] for each in pairs if not each.teachers]
    return make_stages(teachers, student, [each for each in pairs if each.teachers]), looked


def _whole(stage: Stage, who: tuple[int, ...], teachers: Sequence[Layers]) -> Stage:
    """Give a stage a tap of every teacher: of those that are not met, what costs least."""
    if len(who) == len(teachers):
        return stage
    met = dict(zip(who, stage.teachers, strict=True))
    shapes = tuple(
        met[number] if number in met else replace(layers[-1], grid=None)
        for number, layers in enumerate(teachers)
    )
    return replace(stage, teachers=shapes)


def _narrow(stage: Stage, who: tuple[int, ...]) -> Stage:
    return replace(stage, teachers=tuple(stage.teachers[each] for each in who))
