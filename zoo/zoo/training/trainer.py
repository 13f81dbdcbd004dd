"""Train students from what their teachers say: start, resume, interrupt, measure."""

from __future__ import annotations

import gc
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zoo.errors import InputError, OutOfMemoryError
from zoo.events import ignore
from zoo.training import checkpoints
from zoo.training.interrupts import polite_stop
from zoo.training.journal import Journal
from zoo.training.loop import Loop
from zoo.training.order import Length
from zoo.training.pace import Pace
from zoo.training.pupil import Pupil
from zoo.training.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.events import Listener
    from zoo.training.interrupts import Stop
    from zoo.training.setup import TrainingSetup

CHECKPOINTS, JOURNAL = "checkpoints", "training.jsonl"
_CPU_ALLOCATOR = ("can't allocate memory", "not enough memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a training was.

    Attributes:
        steps: of the optimiser, those before a resumption included.
        epochs: passes over the data.
        seconds: spent, those before a resumption included.
        samples_per_second: of this call, without its first step; 0 where it had nothing to do.
        peak_bytes: most memory: of the GPU, or of this process; 0 where nobody counts.
        interrupted: somebody asked for an end; a checkpoint is there to resume from.
        journal: the losses.
    """

    steps: int
    epochs: float
    seconds: float
    samples_per_second: float
    peak_bytes: int
    interrupted: bool
    journal: Path


def train(
    setup: TrainingSetup, folder: Path, *, on_event: Listener = ignore, resume: bool = False
) -> TrainingResult:
    """Train every learner of a setup; their networks are left in eval mode.

    Nothing but the setup and its seed decides what is learned: not the number of processes, not
    interruptions, and for none of the learners the presence of another.

    Args:
        setup: what is trained.
        folder: gets ``checkpoints/`` and ``training.jsonl``.
        on_event: hears ``batch`` events: steps that are done, and losses.
        resume: go on from the newest checkpoint, if there is one; otherwise what is there goes.

    Raises:
        InputError: there is nothing to train on.
        OutOfMemoryError: a batch does not fit.
        ZooError: a loss is not a number any more; the checkpoint belongs to another training.
        KeyboardInterrupt: the person insisted, by a second Ctrl-C.
    """
    _check(setup)
    saved = folder / CHECKPOINTS
    saved.mkdir(parents=True, exist_ok=True)
    if not resume:
        checkpoints.clear(saved)
    step, checkpoint = checkpoints.newest(saved)
    journal = Journal(folder / JOURNAL, step)
    try:
        with polite_stop() as stop, _explained_memory(setup), _peak(setup.device):
            loop = _make(setup, saved, journal, stop, on_event)
            if checkpoint is not None:
                loop.go_on_from(checkpoint)
            loop.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except BaseException as error:
        # Frames and the cycles of the loop hold the iterator, and that its workers.
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        raise
    finally:
        journal.close()
    return _result(loop, step, journal)


def _check(setup: TrainingSetup) -> None:
    if not setup.rows:
        raise InputError("there is nothing to train on.", "Name data with readable inputs.")
    if setup.precision == "fp16" and setup.device.type == "cpu":
        raise InputError("fp16 needs a GPU.", "--precision bf16, or fp32")


def _make(
    setup: TrainingSetup, saved: Path, journal: Journal, stop: Stop, on_event: Listener
) -> Loop:
    readers = dict(setup.teaching.readers)
    for learner in setup.learners.values():
        readers.setdefault(learner.network.reader.key, learner.network.reader)
    partial = {each.network.reader.key for each in setup.learners.values() if each.partial}
    data = Samples(
        setup.samples,
        readers,
        setup.views,
        setup.seed,
        setup.modality,
        partial=partial,
        show=setup.show,
    )
    pupil = Pupil(
        setup.learners,
        setup.targets,
        setup.schedule.warmup,
        rows=setup.rows,
        labels=setup.labels,
    )
    pace = Pace(
        setup, pupil, length=Length.of(setup), journal=journal, stop=stop, on_event=on_event
    )
    return Loop(setup, saved, data, pace)


def _result(loop: Loop, before: int, journal: Journal) -> TrainingResult:
    for learner in loop.setup.learners.values():
        learner.network.module.eval()
    step, length = loop.state.global_step, loop.length
    return TrainingResult(
        steps=step,
        epochs=length.epochs(step),
        seconds=loop.seconds(),
        samples_per_second=loop.pace.samples_per_second() if step > before else 0.0,
        peak_bytes=_peak_bytes(loop.setup.device),
        interrupted=step < length.steps,
        journal=journal.path,
    )


@contextmanager
def _explained_memory(setup: TrainingSetup) -> Iterator[None]:
    """Turn every way of running out of memory into one error."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        pass
    except RuntimeError as error:
        if not any(text in str(error) for text in _CPU_ALLOCATOR):
            raise
    else:
        return
    batch, accumulate = setup.schedule.batch, setup.schedule.accumulate
    half = max(1, batch // 2)
    raise OutOfMemoryError(
        f"a batch of {batch} does not fit into the memory of {setup.device}.",
        f"--batch {half}; with accumulate: {2 * accumulate} in the schedule of a recipe, a step "
        "still learns from as many samples.",
    )


@contextmanager
def _peak(device: torch.device) -> Iterator[None]:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    yield


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
