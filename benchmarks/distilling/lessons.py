"""Which methods there are, and the learners that they make, as ``zoo distill`` would make them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zoo.api import open_catalogue
from zoo.building.methods import Part, Several, classroom_of
from zoo.building.naming import find, own_weight, split
from zoo.building.presets import LABELS, SOFT
from zoo.building.recipe import SoftTargets
from zoo.catalogue import build
from zoo.errors import InputError
from zoo.settings import Settings
from zoo.training.observing import Teacher
from zoo.training.setup import Learner
from zoo.training.targets import make_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.training.targets import SoftTargetLoss
    from zoo.types.distilling import Classroom
    from zoo.types.training import Lesson, TrainableNetwork

#: What ``zoo distill`` takes for fewer than twenty classes.
TEMPERATURE = 2.0
_LOSSES = ("distiller", "objective", "regulariser")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Students that are trained side by side.

    Attributes:
        methods: name -> what is added to KD; ``""`` for nothing.
        teachers: how many.
        labelled: names of those that learn the labels, too; the others never see one.
        alone: one of them that learns the labels and nothing else.
        against: name -> what it is compared with, where that is not the first of all.
        timed: whether a step of each is measured.
    """

    methods: dict[str, str]
    teachers: int = 1
    labelled: tuple[str, ...] = ()
    alone: str = ""
    against: dict[str, str] = field(default_factory=dict)
    timed: bool = True

    def baseline(self, name: str) -> str:
        """Name what a method is compared with; itself for the first one."""
        return self.against.get(name, next(iter(self.methods)))


_LABEL_FREE = (
    *("dkd", "fitnet", "at", "rkd", "crd", "sp", "pkt", "vid", "nst", "cc", "reviewkd", "hkd"),
    *("dfa", "demi", "gnnsd", "moex", "exemplar"),
)
#: Those that published weights harmed most in a first run, a tenth of them.
_LIGHTER = {
    "dkd": 0.1,
    "at": 100,
    "rkd": 0.1,
    "crd": 0.08,
    "sp": 300,
    "pkt": 3000,
    "nst": 5,
    "hkd": 0.3,
}
GROUPS = {
    "one teacher": Group(
        methods={
            "kd": "",
            **{name: name for name in _LABEL_FREE},
            "alone, labels": "",
            "kd, labels": "",
            "herocon, labels": "herocon",
        },
        labelled=("alone, labels", "kd, labels", "herocon, labels"),
        alone="alone, labels",
        against={"herocon, labels": "kd, labels"},
    ),
    "two teachers": Group(
        methods={"kd, two teachers": "", "graph, two teachers": "graph"}, teachers=2
    ),
    "lighter": Group(
        methods={
            "kd, once more": "",
            **{f"{name}, a tenth": f"{name}:{weight:g}" for name, weight in _LIGHTER.items()},
        },
        timed=False,
    ),
}


@cache
def catalogue() -> Any:
    """Everything that is installed."""
    return open_catalogue(Settings(offline=True))


@cache
def part_of(method: str) -> Part:
    """Make a method with its own options, and its published weight if none is said."""
    ((name, weight),) = split(method)
    kind, spec = find(name, catalogue())
    return Part(
        kind=kind,
        spec=spec,
        method=build(spec, {}),
        weight=own_weight(spec) if weight is None else weight,
    )


class Blind(nn.Module):
    """What is trained beside a student that learns no labels, while others do.

    Args:
        method: its module.
    """

    def __init__(self, method: nn.Module) -> None:
        super().__init__()
        self.method = method

    def forward(self, lesson: Lesson) -> Any:
        """Give the losses of a lesson without labels."""
        return self.method(replace(lesson, labels=None))


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """Whom and what a group learns from.

    Attributes:
        group: which one.
        teachers: open, in their order.
        open_student: makes one more from the same start.
        samples: n.
        batch: B.
        seed: of what methods draw.
        labels: (n,) int64; None where nobody learns them.
    """

    group: Group
    teachers: tuple[TrainableNetwork, ...]
    open_student: Callable[[], TrainableNetwork]
    samples: int
    batch: int
    seed: int
    labels: torch.Tensor | None = None

    @property
    def asked(self) -> list[Teacher]:
        """The teachers, to be asked."""
        return [Teacher(str(number), each) for number, each in enumerate(self.teachers)]

    @property
    def targets(self) -> SoftTargetLoss:
        """Their soft targets."""
        columns = [tuple(range(self.classes))] * len(self.teachers)
        settings = SoftTargets(kind="union", temperature=TEMPERATURE)
        return make_targets(settings, columns, self.classes)

    @property
    def classes(self) -> int:
        """Count C, the same for everybody."""
        head = self.teachers[0].head
        assert head is not None
        return len(head.labels)

    def paired(self, names: Sequence[str]) -> Several:
        """Pair teachers and student for some methods that give losses.

        Raises:
            InputError: one of them cannot do anything with them.
        """
        parts = tuple(part_of(name) for name in names if name and part_of(name).kind in _LOSSES)
        columns = (tuple(range(self.classes)),) * len(self.teachers)
        layers = [each.layers for each in self.teachers]
        several = Several(parts=parts, columns=columns)
        found = several.paired(layers, self.open_student().layers)
        problems = found.check(self.classroom(found, labelled=bool(self.group.labelled)))
        if problems:
            raise InputError(" ".join(problems))
        return found

    def classroom(self, several: Several, *, labelled: bool) -> Classroom:
        """Describe what the methods are built for."""
        return classroom_of(
            stages=several.stages,
            watched=several.watched,
            columns=[tuple(range(self.classes))] * len(self.teachers),
            classes=self.classes,
            teachers=len(self.teachers),
            samples=self.samples,
            batch=self.batch,
            labelled=labelled,
            labels=self.labels if labelled else None,
        )

    def fitting(self) -> tuple[list[str], dict[str, str]]:
        """Tell the methods that work for these networks from those that do not, with why."""
        fit, unfit = [], {}
        for name, method in self.group.methods.items():
            try:
                self.paired([method])
            except InputError as error:
                unfit[name] = error.message
            else:
                fit.append(name)
        return fit, unfit

    def learner(self, name: str, several: Several) -> Learner:
        """Make one student with its method, from the same start as all others.

        Args:
            name: of the method in its group.
            several: with the stages of all that are trained beside it.
        """
        method = self.group.methods[name]
        part = part_of(method) if method else None
        seats = tuple(each for each in several.seats if each.part is part)
        own = replace(several, parts=(part,) if part and seats else (), seats=seats)
        labelled = name in self.group.labelled
        torch.manual_seed(self.seed)
        extras: nn.Module | None = None
        if seats:
            extras = own.build(self.classroom(several, labelled=labelled))
            extras = extras if labelled else Blind(extras)
        weights = dict(own.weights(len(self.teachers)))
        weights |= {} if name == self.group.alone else {SOFT: 1.0}
        weights |= {LABELS: 1.0} if labelled else {}
        network = self.open_student()
        mixing = part is not None and part.kind == "augmenter"
        return Learner(
            network=network,
            stages=several.stages if any(each.stages for each in seats) else (),
            watched=several.watched if any(each.watched for each in seats) else (),
            extras=extras,
            weights=weights,
            partial=bool(part and part.reads("partial_view")),
            again=bool(part and part.reads("student_again")),
            augmenter=part.method if part and mixing else None,
            tap=part.method.tap(network.layers) if part and mixing else "",
        )

    def learners(self, names: Sequence[str]) -> tuple[dict[str, Learner], Several]:
        """Make the students of some methods, and where they meet the teachers."""
        several = self.paired([self.group.methods[name] for name in names])
        return {name: self.learner(name, several) for name in names}, several
