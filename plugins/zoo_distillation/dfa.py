# ruff: noqa: ARG002 - the contract names what it passes
"""Differentiable feature aggregation: search which layers of a teacher to imitate, then do.

Guan et al., "Differentiable Feature Aggregation Search for Knowledge Distillation", ECCV 2020,
arXiv 2008.00506. The layers of a teacher that share a grid are several teachers, of which the
student learns a weighted sum, alpha = softmax(beta). The weights are those that help the student
most: its own error alone would choose the shallow layers, which are easy to imitate, so the bridge
loss adds how much the rest of the student makes of the sum.

No code was ever published. Zoo searches in one pass over the data: even samples teach the student
and the connectors, odd ones the weights (first order), one group of layers after another. Without
labels the rest of the student is judged by the teacher's logits.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.types import Pair
from zoo_distillation.aggregation import Aggregation, expressivity, learnability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Stage

    Shapes = Sequence[FeatureShape]
    #: A group, the student's features there and those of the teacher's layers.
    _Met = tuple[Aggregation, Tensor, Sequence[Tensor]]

#: Groups, and layers of a group, that a search chooses among.
_GROUPS, _LAYERS = 4, 6
#: The rate at which what is trained beside a student learns by default.
_EXTRAS_RATE = 1e-3
#: Furthest that a given row may be from a sum of one.
_ROUNDING = 1e-3


class FeatureAggregation:
    """Imitate a weighted sum of the teacher's layers at every stage.

    Args:
        search: share of the training in which the weights are searched; they stay as they are
            afterwards. 0 keeps the plain mean.
        alpha: weights of the layers, a row a stage, each with a sum of one: nothing is searched.
            A search leaves them in the run.
        expressivity: weight of what the student's later layers make of the sum.
        learnability: weight of the student's distance to the sum.
        rate: of Adam on beta where what is trained beside the student learns at 0.001; it goes up
            and down with that. A short training moves alpha further with a larger one.
    """

    def __init__(
        self,
        *,
        search: float = 0.2,
        alpha: list[list[float]] | None = None,
        expressivity: float = 1.0,
        learnability: float = 1.0,
        rate: float = 3e-4,
    ) -> None:
        if not 0 <= search <= 1:
            raise InputError(f"dfa.search is a share of the training, 0 to 1, not {search}.")
        if expressivity < 0 or learnability <= 0:
            raise InputError(
                "dfa.expressivity must be 0 or more and dfa.learnability above 0, not "
                f"{expressivity} and {learnability}."
            )
        if rate <= 0:
            raise InputError(f"dfa.rate must be above 0, not {rate}.")
        for row in alpha or ():
            if not row or min(row) < 0 or not abs(sum(row) - 1) <= _ROUNDING:
                raise InputError(f"dfa.alpha needs rows of weights with a sum of 1, not {row}.")
        self.search = 0.0 if alpha else search
        self.alpha, self.rate = alpha, rate
        self.expressivity, self.learnability = expressivity, learnability

    def pair(self, teachers: Sequence[Shapes], student: Shapes) -> Sequence[Pair]:
        """Pair the student's last layer on every grid with the teacher's layers on one.

        Raises:
            InputError: a network has no layer.
        """
        (teacher,) = teachers
        if not teacher or not student:
            who = "the teacher" if student else "the student"
            raise InputError(f"{who} has no layer that dfa can compare.", "--method kd")
        theirs, ours = _groups(teacher), _groups(student)
        count = min(len(theirs), len(ours), _GROUPS)
        return tuple(
            Pair(student=mine[-1].tap, teachers=(each.tap,))
            for mine, group in zip(ours[-count:], theirs[-count:], strict=True)
            for each in group
        )

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Refuse given weights that are not those of these layers."""
        if not self.alpha:
            return ()
        wanted = [len(stages) for stages in _by_student(classroom.stages)]
        given = [len(row) for row in self.alpha]
        if given == wanted:
            return ()
        return (
            f"dfa.alpha has {_counted(given)}, and this pair of networks needs {_counted(wanted)}.",
        )

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh the bridge loss as the options say; beta alone sees the loss of the search."""
        return {
            "learnability": self.learnability,
            "expressivity": self.expressivity,
            "search": 1.0,
        }

    def build(self, classroom: Classroom) -> nn.Module:
        """Make the connectors, and the weights of every stage.

        Raises:
            InputError: ``alpha`` is that of other networks.
        """
        for problem in self.check(classroom):
            raise InputError(problem)
        return Aggregations(self, _by_student(classroom.stages))


class Aggregations(nn.Module):
    """The losses of one batch; see :class:`FeatureAggregation`.

    Args:
        options: of the method.
        groups: the stages of every group, all with one tap of the student.
    """

    turn: Tensor

    def __init__(self, options: FeatureAggregation, groups: Sequence[Sequence[Stage]]) -> None:
        super().__init__()
        self.options = options
        rows: Sequence[list[float] | None] = options.alpha or [None] * len(groups)
        self.groups = nn.ModuleList(
            Aggregation(
                stages[0].student,
                [stage.teachers[0] for stage in stages],
                alpha=row,
                searched=options.search > 0,
                scale=options.rate / _EXTRAS_RATE,
            )
            for stages, row in zip(groups, rows, strict=True)
        )
        self.register_buffer("turn", torch.zeros((), dtype=torch.int64))

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give the distance to the sums; while searching, also what the search needs."""
        if lesson.progress < self.options.search:
            return self._search(lesson)
        errors = [
            learnability(group(teachers).detach(), group.in_teacher(student))
            for group, student, teachers in self._met(lesson)
        ]
        return {"learnability": torch.stack(errors).sum(0).mean()}

    def findings(self) -> dict[str, Any]:
        """Give ``alpha``, which a later run can start from."""
        return {"alpha": [_rounded(group.alpha()) for group in self._all()]}

    def _search(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give the losses of student and connectors, and that of one group's beta."""
        met = self._met(lesson)
        number = int(self.turn) % len(met)
        self.turn += 1
        even = _even(lesson, met[0][1])
        errors, search = [], met[number][0].penalty()
        for index, (group, student, teachers) in enumerate(met):
            target, given = group(teachers), group.in_teacher(student)
            # Both halves see the same pass: what belongs to the other one is detached.
            errors.append(_half(learnability(target.detach(), given), even))
            if index == number:
                own = _half(learnability(target, given.detach()), ~even)
                search = search + self.options.learnability * own
        losses = {"learnability": torch.stack(errors).sum()}
        if self.options.expressivity and _can_be_judged(lesson):
            losses["expressivity"], own = _judged(lesson, *met[number], even)
            search = search + self.options.expressivity * own
        return losses | {"search": search}

    def _all(self) -> list[Aggregation]:
        return [each for each in self.groups if isinstance(each, Aggregation)]

    def _met(self, lesson: Lesson) -> list[_Met]:
        """Give each group, the student's features there and those of the teacher's layers."""
        meetings = iter(lesson.meetings)
        found: list[_Met] = []
        for group in self._all():
            mine = [next(meetings) for _ in range(group.layers)]
            found.append((group, mine[0].student, [each.teachers[0].detach() for each in mine]))
        return found


def _groups(layers: Shapes) -> list[list[FeatureShape]]:
    """Group layers by grid; of each those that can be summed with the last, evenly spread."""
    found = []
    for _, group in groupby(layers, key=lambda each: each.grid):
        alike = list(group)
        alike = [each for each in alike if each.width == alike[-1].width]
        count = min(len(alike), _LAYERS)
        found.append([alike[round(len(alike) * part / count) - 1] for part in range(1, count + 1)])
    return found


def _by_student(stages: Sequence[Stage]) -> list[list[Stage]]:
    return [list(group) for _, group in groupby(stages, key=lambda each: each.student.tap)]


def _counted(rows: Sequence[int]) -> str:
    lengths = ", ".join(map(str, rows))
    return f"{len(rows)} row{'s' * (len(rows) != 1)} of {lengths} weights"


def _rounded(alpha: Tensor) -> list[float]:
    return [round(value, 6) for value in alpha.detach().cpu().tolist()]


def _can_be_judged(lesson: Lesson) -> bool:
    logits = (lesson.student_logits, *lesson.teacher_logits)
    return lesson.again is not None and all(each is not None for each in logits)


def _judged(
    lesson: Lesson, group: Aggregation, student: Tensor, teachers: Sequence[Tensor], even: Tensor
) -> tuple[Tensor, Tensor]:
    """Let the rest of the student go on with the sum: for its own weights, and for beta."""
    target = group(teachers)
    trained = group.in_student(target.detach(), student)
    searched = group.in_student(target, student, frozen=True)
    return (
        _half(_after(lesson, group.tap, trained, frozen=False), even),
        _half(_after(lesson, group.tap, searched, frozen=True), ~even),
    )


def _after(lesson: Lesson, tap: str, features: Tensor, *, frozen: bool) -> Tensor:
    """Judge the student's pass that goes on with ``features`` at ``tap``: (B,)."""
    assert lesson.again is not None
    seen = lesson.again(alter={tap: lambda given: features.to(given.dtype)}, frozen=frozen)
    return expressivity(seen.logits, lesson.teacher_logits[0], lesson.labels)


def _even(lesson: Lesson, student: Tensor) -> Tensor:
    rows = lesson.rows
    if rows is None:
        rows = torch.arange(len(student), device=student.device)
    return rows % 2 == 0


def _half(values: Tensor, chosen: Tensor) -> Tensor:
    """Average the chosen samples; zero where there is none."""
    chosen = chosen.to(values.dtype)
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
