"""Warm a student up before it is taught: on a task that its images alone define."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import torch
from torch import nn

from zoo.building.data import spread
from zoo.building.recipe import Views
from zoo.errors import InputError
from zoo.events import Event, ignore
from zoo.probes.surrogate import Altering, cut_seeds
from zoo.render.quantities import count_text, some
from zoo.training.order import Length
from zoo.training.setup import Learner, TrainingSetup
from zoo.training.teaching import NoTeaching
from zoo.training.trainer import train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from torch import Tensor

    from zoo.building.recipe import Schedule
    from zoo.events import Listener
    from zoo.training.trainer import TrainingResult
    from zoo.types.distilling import Pretext
    from zoo.types.training import Lesson, TrainableNetwork

#: The only loss, and the learner that has it: the journal calls it ``student.pretext``.
_LOSS, _STUDENT = "pretext", "student"


def warm_up(
    network: TrainableNetwork,
    pretext: Pretext,
    *,
    samples: Sequence[Any],
    rows: Sequence[int],
    schedule: Schedule,
    share: float,
    seed: int,
    folder: Path,
    device: torch.device,
    precision: str,
    modality: str,
    on_event: Listener = ignore,
    resume: bool = True,
) -> TrainingResult:
    """Train the body of a student to tell altered seeds apart; the head of the pretext is dropped.

    Takes ``share`` of the steps that the schedule is worth on all rows, however few of them give a
    seed. The student's own head stays as it was.

    Args:
        network: the student, with gradients; left in eval mode.
        pretext: makes the task.
        samples: N :class:`zoo.types.ImageInput`.
        rows: numbers of those that the student will be trained on.
        schedule: of the whole training.
        share: of it, above 0.
        seed: of everything that is drawn.
        folder: its own, for checkpoints and ``training.jsonl``.
        device: of the network.
        precision: of the forward passes.
        modality: of the samples.
        on_event: hears ``note`` and ``batch`` events.
        resume: go on from the newest checkpoint in the folder; the numbers are those of a training
            that was never interrupted.

    Raises:
        InputError: the data holds no images, or fewer than two that differ.
        ZooError: as :func:`zoo.training.trainer.train`.
    """
    if modality != "image":
        raise InputError(
            f"a warm start is made from images, and this data holds {modality}s.",
            "Leave the pretext out of the methods.",
        )
    chosen = [rows[place] for place in spread(len(rows), pretext.seeds(len(rows)))]
    on_event(Event(kind="note", message=f"warm start: cutting {some(len(chosen), 'seed')}"))
    seeds = cut_seeds(pretext, samples, chosen, len(chosen), seed).images
    if len(seeds) < 2:
        raise InputError(
            f"a warm start tells seeds apart, and the data gives {some(len(seeds), 'seed')}.",
            "Leave the pretext out of the methods, or name data with more images.",
        )
    setup = TrainingSetup(
        learners={_STUDENT: _learner(network, pretext, len(seeds), seed, device)},
        teaching=NoTeaching(),
        targets=None,
        samples=seeds,
        rows=range(len(seeds)),
        modality=modality,
        views=Views(kind="random"),
        schedule=_part_of(schedule, share * len(rows) / len(seeds)),
        seed=seed,
        precision=precision,
        device=device,
        show=Altering(pretext, seed),
    )
    steps = some(Length.of(setup).steps, "step")
    said = f"warm start: telling {count_text(len(seeds))} seeds apart, {steps}"
    on_event(Event(kind="note", message=said))
    return train(setup, folder, on_event=on_event, resume=resume)


class _Surrogate(nn.Module):
    """The head of a pretext, on the student's last layer as a vector."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give its loss; the class of a seed is its number."""
        return {_LOSS: self.head(lesson.watched[0], lesson.rows)}


def _learner(
    network: TrainableNetwork, pretext: Pretext, classes: int, seed: int, device: torch.device
) -> Learner:
    last = replace(network.layers[-1], grid=None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        extras = _Surrogate(pretext.build(last.width, classes))
    return Learner(network=network, extras=extras.to(device), weights={_LOSS: 1.0}, watched=(last,))


def _part_of(schedule: Schedule, share: float) -> Schedule:
    """Cut a schedule; there is nothing else whose loss could lead the way."""
    return msgspec.structs.replace(schedule, epochs=schedule.epochs * share, warmup=0.0)
