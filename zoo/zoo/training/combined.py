"""Models without training: merged weights, and teachers who are only asked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from zoo.building.recipe import SoftTargets
from zoo.checkpoints import guarded
from zoo.events import Event
from zoo.training.asking import STUDENT, Register
from zoo.training.merging import merge_checkpoints
from zoo.training.norms import reestimate_norms
from zoo.training.observing import device_of, spread_rows
from zoo.training.samples import batches
from zoo.training.students import ask_openly, examine, targets_of
from zoo.training.targets import make_targets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from zoo.building.evaluation import Metrics
    from zoo.building.job import Job
    from zoo.building.label_spaces import LabelSpace
    from zoo.types.model import Checkpoint
    from zoo.types.training import TrainableNetwork


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """What merging gave.

    Attributes:
        folder: the merged checkpoint, norms re-estimated.
        space: its labels; None without heads.
        parameters: of it.
        metrics: None where there was nothing to judge by.
        notes: sentences for the person.
        unread: labelled samples that cannot be read.
    """

    folder: Path
    space: LabelSpace | None
    parameters: int
    metrics: Metrics | None
    notes: tuple[str, ...]
    unread: tuple[tuple[str, str], ...] = ()


def merge(job: Job) -> Merged:
    """Merge the weights of a job's teachers, re-estimate norms on its data, and judge the model."""
    prepared = job.prepared
    folder = job.work.training / "merged"
    shutil.rmtree(folder, ignore_errors=True)
    report = merge_checkpoints(
        prepared.method,
        job.teachers,
        job.base,
        folder,
        aliases=[each.alias for each in prepared.teachers],
        on_event=job.on_event,
    )
    space = report.head.space
    network = _open(job, folder, space)
    notes = [*report.notes]
    if report.norms and not job.rows:
        notes.append(
            f"its {report.norms} batch norms have merged statistics, which rarely fit merged "
            "weights: --data FOLDER re-estimates them."
        )
    elif report.norms and (count := _renormed(job, network)):
        notes.append(f"the statistics of {count} batch norms were re-estimated on the data.")
        folder = _saved(job, network)
    metrics, unread = _judged(job, space, network)
    parameters = sum(each.numel() for each in network.module.parameters())
    return Merged(
        folder=folder,
        space=space,
        parameters=parameters,
        metrics=metrics,
        notes=tuple(notes),
        unread=unread,
    )


def ask_teachers(job: Job) -> tuple[Metrics | None, tuple[tuple[str, str], ...]]:
    """Judge what the teachers say together; there is no student."""
    register = Register(job)
    _, statistics = ask_openly(job, register)
    return register.judge(targets_of(job, statistics)), register.unread


def _open(job: Job, folder: Path, space: LabelSpace | None) -> TrainableNetwork:
    member, first = job.prepared.teachers[0], job.teachers[0]
    labels = len(space.labels) if space else first.entry.labels
    entry = msgspec.structs.replace(first.entry, labels=labels)
    merged: Checkpoint = msgspec.structs.replace(
        first, entry=entry, folder=str(folder), digest=f"merged {folder}"
    )
    with guarded(member.runtime, "open", "the merged model"):
        return member.trains.open_teacher(merged, job.options, job.prepared.modality)


def _renormed(job: Job, network: TrainableNetwork) -> int:
    """Let the norms of merged weights see data; give how many did."""
    job.note("re-estimating the statistics of batch norms")
    device, reader = device_of(network.module), network.reader
    rows = spread_rows(job.rows)
    read = batches(
        job.samples,
        rows,
        {reader.key: reader},
        modality=job.prepared.modality,
        batch=job.prepared.recipe.schedule.batch,
    )

    def inputs() -> Iterator[dict[str, Tensor]]:
        done = 0
        for batch in read:
            yield {name: each.to(device) for name, each in batch.inputs[reader.key].items()}
            done += len(batch.rows)
            job.on_event(Event(kind="batch", done=done, total=len(rows)))

    return reestimate_norms(network.module, inputs())


def _saved(job: Job, network: TrainableNetwork) -> Path:
    """Write the network anew, beside the folder that it was opened from."""
    folder = job.work.training / "estimated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    network.save(folder)
    return folder


def _judged(
    job: Job, space: LabelSpace | None, network: TrainableNetwork
) -> tuple[Metrics | None, tuple[tuple[str, str], ...]]:
    register = Register(job, space)
    register.ask(STUDENT, network)
    for number in range(len(job.teachers)):
        examine(job, register, number)
    # Labels that several know are averaged; nothing here needs statistics.
    targets = (
        make_targets(SoftTargets(kind="union"), space.columns, len(space.labels)) if space else None
    )
    return register.judge(targets), register.unread
