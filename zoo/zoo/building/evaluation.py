"""How good a student is: with labels, how often it is right; without, how well it copies.

Nothing here runs a network: everything is computed from logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.building.intervals import Difference, Share, difference, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.building.label_spaces import LabelSpace, TeacherLabels

    Array = npt.NDArray[Any]
    Right = npt.NDArray[np.bool_]

JOINT = "joint accuracy"
INSIDE = "accuracy inside the blocks"
OWN = "accuracy on its own task"
AGREEMENT = "agreement with the ensemble"


class BlockMass(msgspec.Struct, frozen=True, kw_only=True):
    """Where the probability goes on the samples that one teacher is surest of.

    Attributes:
        teacher: its alias.
        samples: how many it is surest of.
        mass: alias -> mean probability of the block of that teacher; they sum to one where no two
            teachers share a label.
    """

    teacher: str
    samples: int
    mass: dict[str, float]


class Judgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known about one model.

    Attributes:
        joint: how often its first label of all is right.
        inside: how often it is right among the labels of every teacher that knows the right one.
        tasks: alias -> how often it is right among the labels of that teacher, on its samples.
        agreement: how often its first label is that of the teachers together.
        agreements: alias -> how often its first label inside the block is that teacher's.
        divergence: mean Kullback-Leibler divergence from the teachers together to it, in nats.
        block_mass: one a teacher that is surest of some sample.
    """

    joint: Share | None = None
    inside: Share | None = None
    tasks: dict[str, Share] = {}
    agreement: Share | None = None
    agreements: dict[str, Share] = {}
    divergence: float | None = None
    block_mass: tuple[BlockMass, ...] = ()


class Metrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``metrics.json`` holds: one judgement a model compared.

    Attributes:
        method: that of the student.
        student: the student; None where the teachers are only asked.
        teachers: alias -> each one on its own task.
        ensemble: the teachers together, without a student.
        kd: a student of the soft targets alone.
        start: the student before the training, where it began with a trained head.
        differences: the student against the others, on the same samples.
        gates: alias -> mean share of a teacher in how sure they are, over the unlabelled samples.
        unlabelled: samples behind the agreements.
        labelled: samples behind the accuracies.
        unknown: labels of the labelled data that the student does not have.
    """

    method: str
    student: Judgement | None = None
    teachers: dict[str, Judgement] = {}
    ensemble: Judgement | None = None
    kd: Judgement | None = None
    start: Judgement | None = None
    differences: tuple[Difference, ...] = ()
    gates: dict[str, float] = {}
    unlabelled: int = 0
    labelled: int = 0
    unknown: tuple[str, ...] = ()

    def table(self) -> dict[str, Any]:
        """Give model -> its numbers, for a table with one row a model."""
        rows = {"student": self.student, "start": self.start}
        rows |= {"kd": self.kd, "ensemble": self.ensemble}
        rows |= {f"teacher {alias}": each for alias, each in self.teachers.items()}
        return {name: msgspec.to_builtins(each) for name, each in rows.items() if each is not None}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What all models say about the same N samples.

    Attributes:
        student: (N, C) logits; None where there is none.
        teachers: (N, C_i) logits of each, in the order of the label space.
        ensemble: (N, C) probabilities, what the teachers say together.
        kd: (N, C) logits.
        start: (N, C) logits.
        gates: (N, number of teachers), how sure they are against one another.
        truth: (N,) columns of the student; -1 where the right label is none of its.
    """

    student: Array | None
    teachers: tuple[Array, ...]
    ensemble: Array | None = None
    kd: Array | None = None
    start: Array | None = None
    gates: Array | None = None
    truth: Array | None = None

    @property
    def count(self) -> int:
        """N, the number of samples."""
        said = (self.student, self.kd, self.ensemble, *self.teachers)
        return next((len(each) for each in said if each is not None), 0)


def judge(
    space: LabelSpace,
    *,
    method: str,
    unlabelled: Answers | None = None,
    labelled: Answers | None = None,
    unknown: Sequence[str] = (),
) -> Metrics:
    """Judge the student, and everything that it is compared with.

    Args:
        space: of the student.
        method: how it was made.
        unlabelled: held-out samples; agreements come from these.
        labelled: samples with the truth; accuracies come from these.
        unknown: labels of the labelled data that the student does not have.
    """
    if labelled is not None:
        labelled = _known(labelled)
    held, true = unlabelled, labelled
    sets = [each for each in (held, true) if each is not None]
    compared = ("student", "kd", "start", "ensemble")
    has = {who: any(getattr(each, who) is not None for each in sets) for who in compared}
    return Metrics(
        method=method,
        student=_judged(space, held, true, "student") if has["student"] else None,
        kd=_judged(space, held, true, "kd") if has["kd"] else None,
        start=_judged(space, held, true, "start") if has["start"] else None,
        ensemble=_judged(space, held, true, "ensemble") if has["ensemble"] else None,
        teachers={} if true is None else _teachers(space, true),
        differences=tuple(_differences(space, held, true)),
        gates={} if held is None else _mean_gates(space, held),
        unlabelled=0 if held is None else held.count,
        labelled=0 if true is None else true.count,
        unknown=tuple(unknown),
    )


def softmax(logits: Array) -> Array:
    """(N, C) probabilities, float64."""
    exact = np.asarray(logits, dtype=np.float64)
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def divergence(target: Array, logits: Array) -> float:
    """Give the mean Kullback-Leibler divergence from (N, C) probabilities to logits, in nats."""
    probabilities = np.asarray(target, dtype=np.float64)
    exact = np.asarray(logits, dtype=np.float64)
    shifted = exact - exact.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    own = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return max(0.0, float(np.mean(np.sum(probabilities * (own - logs), axis=1))))


def block_mass(space: LabelSpace, probabilities: Array, gates: Array) -> tuple[BlockMass, ...]:
    """Say where the probability goes, teacher by teacher that is surest of some sample."""
    surest = np.argmax(gates, axis=1)
    rows = []
    for number, teacher in enumerate(space.teachers):
        mine = probabilities[surest == number]
        mass = {
            each.alias: float(mine[:, list(each.block)].sum(axis=1).mean())
            for each in space.teachers
            if len(mine)
        }
        rows.append(BlockMass(teacher=teacher.alias, samples=len(mine), mass=mass))
    return tuple(row for row in rows if row.samples)


def _judged(space: LabelSpace, held: Answers | None, true: Answers | None, who: str) -> Judgement:
    found: dict[str, Any] = {}
    if held is not None and getattr(held, who) is not None:
        found |= _copying(space, held, who)
    if true is not None and getattr(true, who) is not None:
        found |= _rightness(space, true, getattr(true, who))
    return Judgement(**found)


def _copying(space: LabelSpace, held: Answers, who: str) -> dict[str, Any]:
    """Compare with the teachers, without labels."""
    values = getattr(held, who)
    found: dict[str, Any] = {
        "agreements": _shares(
            (teacher.alias, _inside(values, teacher) == _first_of(logits, teacher))
            for teacher, logits in zip(space.teachers, held.teachers, strict=True)
        )
    }
    if held.gates is not None:
        mass = values if who == "ensemble" else softmax(values)
        found["block_mass"] = block_mass(space, mass, held.gates)
    if held.ensemble is not None and who != "ensemble" and len(values):
        found["agreement"] = share(_agrees(held, values))
        found["divergence"] = divergence(held.ensemble, values)
    return found


def _rightness(space: LabelSpace, true: Answers, values: Array) -> dict[str, Any]:
    """Compare with the truth."""
    return {
        "joint": share(np.argmax(values, axis=1) == true.truth),
        "inside": share(_right_inside(space, true, values)),
        "tasks": _shares(
            (teacher.alias, (_inside(values, teacher) == true.truth)[_mine(teacher, true)])
            for teacher in space.teachers
        ),
    }


def _teachers(space: LabelSpace, true: Answers) -> dict[str, Judgement]:
    """Judge each teacher on the samples whose label it knows."""
    shares = _shares(
        (teacher.alias, (_first_of(logits, teacher) == true.truth)[_mine(teacher, true)])
        for teacher, logits in zip(space.teachers, true.teachers, strict=True)
    )
    return {alias: Judgement(tasks={alias: each}) for alias, each in shares.items()}


def _differences(
    space: LabelSpace, held: Answers | None, true: Answers | None
) -> Iterable[Difference]:
    if true is not None and true.student is not None:
        truth, student = true.truth, true.student
        for name in ("start", "kd", "ensemble"):
            other = getattr(true, name)
            if other is not None:
                mine, its = np.argmax(student, axis=1), np.argmax(other, axis=1)
                yield from _pair(mine == truth, its == truth, name, JOINT)
                inside = _right_inside(space, true, student)
                yield from _pair(inside, _right_inside(space, true, other), name, INSIDE)
        for teacher, logits in zip(space.teachers, true.teachers, strict=True):
            rows = _mine(teacher, true)
            mine, its = _inside(student, teacher) == truth, _first_of(logits, teacher) == truth
            yield from _pair(mine[rows], its[rows], teacher.alias, OWN)
    if held is None or held.student is None or held.kd is None:
        return
    if held.ensemble is not None:
        mine, its = _agrees(held, held.student), _agrees(held, held.kd)
        yield from _pair(mine, its, "kd", AGREEMENT)


def _pair(student: Right, other: Right, against: str, of: str) -> Iterable[Difference]:
    found = difference(student, other, against=against, of=of)
    return () if found is None else (found,)


def _known(answers: Answers) -> Answers:
    """Leave out samples whose right label the student does not have."""
    assert answers.truth is not None
    rows = answers.truth >= 0

    def kept(values: Array | None) -> Array | None:
        return None if values is None else values[rows]

    return Answers(
        student=kept(answers.student),
        teachers=tuple(each[rows] for each in answers.teachers),
        ensemble=kept(answers.ensemble),
        kd=kept(answers.kd),
        start=kept(answers.start),
        gates=kept(answers.gates),
        truth=answers.truth[rows],
    )


def _inside(values: Array, teacher: TeacherLabels) -> Array:
    """(N,) column that is first among those of one teacher."""
    block = np.array(teacher.block)
    return np.asarray(block[np.argmax(values[:, block], axis=1)])


def _first_of(logits: Array, teacher: TeacherLabels) -> Array:
    """(N,) column that a teacher puts first among the labels that the student has."""
    kept = [(column, n) for n, column in enumerate(teacher.columns) if column is not None]
    columns, rows = (np.array(each) for each in zip(*sorted(kept), strict=True))
    return np.asarray(columns[np.argmax(logits[:, rows], axis=1)])


def _mine(teacher: TeacherLabels, true: Answers) -> Right:
    """(N,) samples whose label a teacher knows."""
    assert true.truth is not None
    return np.isin(true.truth, teacher.block)


def _right_inside(space: LabelSpace, true: Answers, values: Array) -> Right:
    """(M,) right among the labels of each teacher that knows the right one, where one does."""
    right, known = np.ones(len(values), dtype=bool), np.zeros(len(values), dtype=bool)
    for teacher in space.teachers:
        mine = _mine(teacher, true)
        right &= (_inside(values, teacher) == true.truth) | ~mine
        known |= mine
    return right[known]


def _agrees(held: Answers, values: Array) -> Right:
    assert held.ensemble is not None
    return np.asarray(np.argmax(values, axis=1) == np.argmax(held.ensemble, axis=1))


def _shares(named: Iterable[tuple[str, Right]]) -> dict[str, Share]:
    found: Mapping[str, Share | None] = {name: share(right) for name, right in named}
    return {name: each for name, each in found.items() if each is not None}


def _mean_gates(space: LabelSpace, held: Answers) -> dict[str, float]:
    if held.gates is None or not len(held.gates):
        return {}
    means = np.mean(held.gates, axis=0)
    return {each.alias: float(mean) for each, mean in zip(space.teachers, means, strict=True)}
