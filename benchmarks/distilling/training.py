"""Train all students of a group in lockstep, and judge each by the test images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from distilling.lessons import part_of

from zoo.building.presets import FRESH_RATE
from zoo.building.recipe import Schedule, Views
from zoo.training.observing import logits_of
from zoo.training.setup import TrainingSetup
from zoo.training.teaching import OnlineTeaching
from zoo.training.trainer import train
from zoo.training.warming import warm_up

if TYPE_CHECKING:
    from pathlib import Path

    from distilling.lessons import Course
    from distilling.networks import Images

    from zoo.training.setup import Learner


def schedule_of(epochs: float, batch: int) -> Schedule:
    """Give the schedule of the preset ``balanced`` for a student from random weights."""
    return Schedule(epochs=epochs, batch=batch, learning_rate=FRESH_RATE)


def train_group(
    course: Course, train_on: Images, test: Images, folder: Path, epochs: float
) -> dict[str, Any]:
    """Train the methods of a group that fit, and give what each gets right.

    Returns:
        ``right``: name -> a character a test image, 1 where the student is right; ``unfit``: name
        -> why a method cannot be used; and what the training took.
    """
    wall, cpu = time.monotonic(), time.process_time()
    names, unfit = course.fitting()
    learners, several = course.learners(names)
    schedule = schedule_of(epochs, course.batch)
    for name, learner in learners.items():
        _warm(course, name, learner, train_on, folder, schedule)
    setup = TrainingSetup(
        learners=learners,
        teaching=OnlineTeaching(course.asked, several.stages),
        targets=course.targets,
        samples=train_on.inputs,
        rows=range(len(train_on.inputs)),
        modality="image",
        views=Views(kind="random"),
        schedule=schedule,
        seed=course.seed,
        precision="fp32",
        device=torch.device("cpu"),
        labels=course.labels,
    )
    result = train(setup, folder / "training", resume=True)
    if result.interrupted:
        raise SystemExit("interrupted; the same command goes on")
    right = {name: _right(learner, test) for name, learner in learners.items()}
    return {
        "right": {name: "".join(map(str, each)) for name, each in right.items()},
        "unfit": unfit,
        "steps": result.steps,
        "seconds": round(time.monotonic() - wall, 1),
        "processor_seconds": round(time.process_time() - cpu, 1),
    }


def _warm(
    course: Course, name: str, learner: Learner, images: Images, folder: Path, schedule: Schedule
) -> None:
    """Give a student its warm start where its method is one."""
    method = course.group.methods[name]
    part = part_of(method) if method else None
    if part is None or part.kind != "pretext":
        return
    warm_up(
        learner.network,
        part.method,
        samples=images.inputs,
        rows=range(len(images.inputs)),
        schedule=schedule,
        share=part.weight,
        seed=course.seed,
        folder=folder / name,
        device=torch.device("cpu"),
        precision="fp32",
        modality="image",
    )


def _right(learner: Learner, test: Images) -> list[int]:
    rows = range(len(test.inputs))
    logits = logits_of(learner.network, test.inputs, rows, modality="image", batch=250)
    found: list[int] = (torch.from_numpy(logits).argmax(1) == test.labels).int().tolist()
    return found
