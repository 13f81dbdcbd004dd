"""From teachers, or labels alone, and data to a student: open, ask, train, judge."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import torch

from zoo.building.estimates import free_memory
from zoo.building.methods import classroom_of
from zoo.building.presets import baseline_weights
from zoo.checkpoints import guarded
from zoo.render.quantities import count_text, some
from zoo.training.asking import BASELINE, START, STUDENT, Register
from zoo.training.checkpoints import newest
from zoo.training.moments import Statistics
from zoo.training.observing import Teacher, statistics_of
from zoo.training.order import Length
from zoo.training.setup import Learner, TrainingSetup
from zoo.training.targets import make_targets
from zoo.training.teacher_cache import CachedTeaching, ClosedTeacher, Questions, fill
from zoo.training.teaching import NoTeaching, OnlineTeaching
from zoo.training.trainer import train
from zoo.training.warming import warm_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.building.evaluation import Metrics
    from zoo.building.job import Job
    from zoo.building.members import Member
    from zoo.building.place import Phase
    from zoo.training.setup import Teaching
    from zoo.training.targets import SoftTargetLoss
    from zoo.training.trainer import TrainingResult
    from zoo.types.distilling import Classroom
    from zoo.types.runtimes import Runtime
    from zoo.types.training import TrainableNetwork


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """What a training gave.

    Attributes:
        network: the student.
        result: how it went.
        metrics: None for a student without a head, and where it was interrupted.
        unread: labelled samples that cannot be read.
        findings: options that methods found: method -> option -> value.
    """

    network: TrainableNetwork
    result: TrainingResult
    metrics: Metrics | None = None
    unread: tuple[tuple[str, str], ...] = ()
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def make_student(job: Job) -> Trained:
    """Train the student of a job, or go on where it was interrupted, and judge it."""
    register = Register(job)
    teaching, statistics = prepare_teaching(job, register)
    _reach(job, "observed")
    targets = targets_of(job, statistics)
    setup = TrainingSetup(
        learners=_learners(job),
        teaching=teaching,
        targets=targets,
        samples=job.samples,
        rows=job.rows,
        modality=job.prepared.modality,
        views=job.prepared.recipe.views,
        schedule=job.prepared.recipe.schedule,
        seed=job.prepared.recipe.seed,
        precision=job.prepared.recipe.precision,
        device=torch.device(job.options.device),
        labels=job.labels,
    )
    if job.prepared.request is not None and job.prepared.request.head == "keep":
        register.ask(START, setup.learners[STUDENT].network)
    warmed = _warm_up(job, setup)
    if warmed is not None and warmed.interrupted:
        return Trained(network=setup.learners[STUDENT].network, result=warmed)
    job.note(_intention(job, setup))
    result = train(setup, job.work.training, on_event=job.on_event, resume=True)
    network = setup.learners[STUDENT].network
    if result.interrupted:
        return Trained(network=network, result=result)
    _reach(job, "trained")
    for name, learner in setup.learners.items():
        register.ask(name, learner.network)
    findings = getattr(setup.learners[STUDENT].extras, "findings", None)
    return Trained(
        network=network,
        result=result,
        metrics=register.judge(targets),
        unread=register.unread,
        findings=findings() if findings else {},
    )


def _warm_up(job: Job, setup: TrainingSetup) -> TrainingResult | None:
    """Let the student begin with a task that its inputs alone define, if one is named."""
    part = next((each for each in job.prepared.parts if each.kind == "pretext"), None)
    if part is None or newest(job.work.checkpoints)[1] is not None:
        return None
    folder = job.work.training / "warm"
    folder.mkdir(exist_ok=True)
    return warm_up(
        setup.learners[STUDENT].network,
        part.method,
        samples=setup.samples,
        rows=setup.rows,
        schedule=setup.schedule,
        share=part.weight,
        seed=setup.seed,
        folder=folder,
        device=setup.device,
        precision=setup.precision,
        modality=setup.modality,
        on_event=job.on_event,
    )


def _intention(job: Job, setup: TrainingSetup) -> str:
    """Say what is trained, and from where on."""
    steps, (done, _) = Length.of(setup).steps, newest(job.work.checkpoints)
    who = " and ".join(setup.learners)
    if done >= steps:
        return f"training {who}: all {some(steps, 'step')} are done"
    if done:
        return f"training {who}: going on after step {done} of {steps}"
    return f"training {who} on {count_text(len(setup.rows))} samples: {some(steps, 'step')}"


def _reach(job: Job, phase: Phase) -> None:
    if not job.work.reached(phase):
        job.work.mark(phase)


def runtime_identity(member: Member) -> str:
    """Name the versions of everything that shapes what a teacher says, preprocessing included."""
    runtime = cast("Runtime", member.trains)
    return runtime.identity()


def open_teacher(job: Job, number: int) -> TrainableNetwork:
    """Open one teacher."""
    member, checkpoint = job.prepared.teachers[number], job.teachers[number]
    with guarded(member.runtime, "open", member.model):
        return member.trains.open_teacher(checkpoint, job.options, job.prepared.modality)


def _open_student(job: Job) -> TrainableNetwork:
    prepared = job.prepared
    member, request = prepared.student, prepared.request
    assert member is not None
    assert request is not None
    assert job.student is not None
    if request.inputs_like is not None:
        request = replace(request, inputs_like=job.teachers[0])
    with guarded(member.runtime, "open", member.model):
        return member.trains.open_student(job.student, job.options, prepared.modality, request)


def _learners(job: Job) -> dict[str, Learner]:
    """Make the student, and one of the soft targets alone from the same start."""
    prepared = job.prepared
    torch.manual_seed(prepared.recipe.seed)
    extras = prepared.method.build(_classroom(job))
    extras.to(job.options.device)
    augmenters = [each.method for each in prepared.parts if each.kind == "augmenter"]
    found = {
        STUDENT: Learner(
            network=_open_student(job),
            stages=prepared.stages,
            extras=extras,
            weights=prepared.weights,
            watched=prepared.watched,
            partial=any(each.reads("partial_view") for each in prepared.parts),
            again=any(each.reads("student_again") for each in prepared.parts),
            augmenter=augmenters[0] if augmenters else None,
            tap=prepared.tap,
        )
    }
    if prepared.compare:
        weights = baseline_weights(prepared.weights)
        found[BASELINE] = Learner(network=_open_student(job), weights=weights)
    return found


def _classroom(job: Job) -> Classroom:
    """Describe what the methods are built for, now that the data is known."""
    prepared, space = job.prepared, job.prepared.space
    return classroom_of(
        stages=prepared.stages,
        watched=prepared.watched,
        columns=space.columns if space else (),
        classes=len(space.labels) if space else 0,
        teachers=len(prepared.teachers),
        samples=len(job.rows),
        batch=min(prepared.recipe.schedule.batch, len(job.rows)),
        labelled=job.labels is not None,
        labels=None if job.labels is None else job.labels[list(job.rows)],
        memory=free_memory(prepared.device),
    )


def targets_of(job: Job, statistics: Statistics | None) -> SoftTargetLoss | None:
    """Put the teachers together; None without any, or without labels of the student in common."""
    space = job.prepared.space
    if space is None or not space.teachers or not all(each.block for each in space.teachers):
        return None
    return make_targets(job.prepared.recipe.targets, space.columns, len(space.labels), statistics)


def prepare_teaching(job: Job, register: Register) -> tuple[Teaching, Statistics | None]:
    """Bring the teachers into the form in which they teach, and examine them on the way."""
    prepared = job.prepared
    if not prepared.teachers:
        return NoTeaching(), None
    if prepared.cache is not None and prepared.cache.cache:
        return _cached(job, register)
    teachers, statistics = ask_openly(job, register)
    standardise = prepared.recipe.standardise_features and bool(prepared.stages)
    teaching = OnlineTeaching(teachers, prepared.stages, statistics, standardise=standardise)
    return teaching, statistics


def ask_openly(job: Job, register: Register) -> tuple[list[Teacher], Statistics | None]:
    """Open all teachers, examine them, and measure the scale of what they say."""
    teachers = [
        Teacher(
            member.alias, _opened(job, register, number), checkpoint.digest, job.options.precision
        )
        for number, (member, checkpoint) in enumerate(
            zip(job.prepared.teachers, job.teachers, strict=True)
        )
    ]
    return teachers, _statistics(job, register, teachers)


def _cached(job: Job, register: Register) -> tuple[Teaching, Statistics]:
    prepared, recipe = job.prepared, job.prepared.recipe
    closed = [
        ClosedTeacher(
            alias=member.alias,
            digest=checkpoint.digest,
            reader_key=runtime_identity(member),
            columns=len(member.head.labels) if member.head else 0,
            open=lambda number=number: _opened(job, register, number),  # type: ignore[misc]
            precision=recipe.precision,
        )
        for number, (member, checkpoint) in enumerate(
            zip(prepared.teachers, job.teachers, strict=True)
        )
    ]
    data = job.work.state.manifest.data
    questions = Questions(
        samples=job.samples,
        fingerprint=data.fingerprint if data else "",
        rows=job.rows,
        modality=prepared.modality,
        views=recipe.views,
        seed=recipe.seed,
        batch=recipe.schedule.batch,
    )
    kept = fill(closed, prepared.stages, questions, job.work.teachers, on_event=job.on_event)
    for number in range(len(job.teachers)):
        examine(job, register, number)
    standardise = recipe.standardise_features and bool(prepared.stages)
    return CachedTeaching(kept, standardise=standardise), kept.statistics


def examine(job: Job, register: Register, number: int) -> None:
    """Ask a teacher what everybody is asked, unless that is known."""
    member = job.prepared.teachers[number]
    if member.head is not None and register.lacks(f"teacher {member.alias}"):
        _opened(job, register, number)


def _opened(job: Job, register: Register, number: int) -> TrainableNetwork:
    """Open a teacher; the first time, write down what it says about the examinations."""
    name = f"teacher {job.prepared.teachers[number].alias}"
    job.note(f"{name}: opening")
    network = open_teacher(job, number)
    register.ask(name, network)
    return network


def _statistics(job: Job, register: Register, teachers: list[Teacher]) -> Statistics | None:
    """Read or measure the scale of what the teachers say, where anybody needs it."""
    prepared = job.prepared
    scaled = prepared.recipe.standardise_features and prepared.stages
    if not scaled and prepared.recipe.targets.kind != "standardised":
        return None
    path = job.work.training / "statistics.npz"
    if path.exists():
        return Statistics.load(path)
    samples, rows = job.samples, job.rows
    if not rows and register.exams:  # nothing is trained: those that they are judged by will do
        samples, rows = register.exams[0].samples, tuple(register.exams[0].rows)
    found = statistics_of(
        teachers,
        prepared.stages,
        samples,
        rows,
        modality=prepared.modality,
        batch=prepared.recipe.schedule.batch,
        on_event=job.on_event,
    )
    found.save(path)
    return found
