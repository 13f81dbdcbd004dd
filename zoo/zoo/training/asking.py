"""What the teachers say about the samples that students are judged by, asked once and kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.building.evaluation import Answers, judge
from zoo.building.label_spaces import columns_of
from zoo.building.place import ANSWERS
from zoo.files import write_atomically
from zoo.training.moments import pack, unpack
from zoo.training.observing import logits_of
from zoo.training.scanning import scan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from zoo.building.evaluation import Metrics
    from zoo.building.job import Job
    from zoo.building.label_spaces import LabelSpace
    from zoo.events import Listener
    from zoo.training.targets import SoftTargetLoss
    from zoo.types.training import TrainableNetwork

    Array = npt.NDArray[Any]


HELD, LABELLED = "held-out", "labelled"
#: The learner that is published, the one it is compared with, and itself before the training.
STUDENT, BASELINE, START = "student", "kd", "start"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examination:
    """Samples that everybody is asked about.

    Attributes:
        name: :data:`HELD` for held-out data, :data:`LABELLED` for the person's labelled data.
        samples: where they are.
        rows: which of them.
        fingerprint: of the samples; empty for those that the build is made from.
        truth: column of the right label of each; -1 where the student has none; None without.
    """

    name: str
    samples: Sequence[Any]
    rows: Sequence[int]
    fingerprint: str = ""
    truth: Array | None = None


def examinations(
    job: Job, space: LabelSpace | None
) -> tuple[tuple[Examination, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """List what is asked: the held-out samples, and the labelled ones.

    Args:
        job: the build.
        space: of the model; without one nobody can be asked.

    Returns:
        The examinations; the labels of the labelled data that the student does not have; and what
        of it cannot be read.
    """
    probe = job.prepared.evaluation
    found: list[Examination] = []
    unknown: tuple[str, ...] = ()
    unread: list[tuple[str, str]] = []
    if job.held and space is not None:
        truth = None if job.labels is None else job.labels.numpy()[list(job.held)]
        found.append(Examination(name=HELD, samples=job.samples, rows=job.held, truth=truth))
    if probe is not None and space is not None:
        columns, unknown = columns_of(probe.label_names, space)
        good, unread = scan(probe.inputs, job.on_event)
        truth = np.array(columns)[np.asarray(probe.labels, dtype=np.int64)[good]]
        labelled = Examination(
            name=LABELLED,
            samples=probe.inputs,
            rows=good,
            fingerprint=probe.fingerprint,
            truth=truth,
        )
        found.append(labelled)
    return tuple(found), unknown, tuple(unread)


class Register:
    """The logits of everybody who was asked, kept beside the training.

    Args:
        job: the build.
        space: of the model; that which was settled where it is None.

    Attributes:
        exams: what is asked.
        unread: labelled samples that cannot be read.
    """

    def __init__(self, job: Job, space: LabelSpace | None = None) -> None:
        self.job, self.space = job, space or job.prepared.space
        self.exams, self._unknown, self.unread = examinations(job, self.space)
        self._folder = job.work.training / ANSWERS
        self._folder.mkdir(exist_ok=True)

    def lacks(self, name: str) -> bool:
        """Whether somebody is still to be asked."""
        return bool(self.exams) and not self._path(name).exists()

    def ask(self, name: str, network: TrainableNetwork) -> None:
        """Write down what a network says, unless it is known; nothing for one without a head."""
        if network.head is None or not self.lacks(name):
            return
        counts = " and ".join(f"{len(each.rows)} {each.name}" for each in self.exams)
        self.job.note(f"{name}: asked about {counts} samples")
        prepared = self.job.prepared
        said = {
            exam.name: logits_of(
                network,
                exam.samples,
                exam.rows,
                modality=prepared.modality,
                batch=prepared.recipe.schedule.batch,
                on_event=_named(self.job.on_event, name),
            )
            for exam in self.exams
        }
        write_atomically(self._path(name), pack(said))

    def judge(self, targets: SoftTargetLoss | None) -> Metrics | None:
        """Compare what everybody said; None where there is nothing to judge by.

        Args:
            targets: how the teachers are put together; None where they are not.
        """
        if self.space is None or not self.exams:
            return None
        # A teacher without a label of the student has nothing to be compared in.
        space = msgspec.structs.replace(
            self.space, teachers=tuple(each for each in self.space.teachers if each.block)
        )
        said = {exam.name: self._answers(exam, space, targets) for exam in self.exams}
        held, labelled = said.get(HELD), said.get(LABELLED)
        if labelled is None and held is not None and held.truth is not None:
            labelled = held
        return judge(
            space,
            method=self.job.prepared.spec.name,
            unlabelled=held,
            labelled=labelled,
            unknown=self._unknown,
        )

    def _answers(
        self, exam: Examination, space: LabelSpace, targets: SoftTargetLoss | None
    ) -> Answers:
        import torch

        teachers = tuple(self._said(f"teacher {each.alias}", exam) for each in space.teachers)
        tensors = [torch.from_numpy(each) for each in teachers]
        return Answers(
            student=None if self.lacks(STUDENT) else self._said(STUDENT, exam),
            teachers=teachers,
            ensemble=targets.ensemble(tensors).numpy() if targets else None,
            kd=None if self.lacks(BASELINE) else self._said(BASELINE, exam),
            start=None if self.lacks(START) else self._said(START, exam),
            gates=targets.gates(tensors).numpy() if targets else None,
            truth=exam.truth,
        )

    def _said(self, name: str, exam: Examination) -> Array:
        """Read the (N, C_i) logits of somebody."""
        return unpack(self._path(name).read_bytes())[exam.name]

    def _path(self, name: str) -> Path:
        """Name answers by who was asked about what: labelled data may be another on resuming."""
        digest = hashlib.blake2b(name.encode(), digest_size=16)
        for exam in self.exams:
            digest.update(f"/{exam.name} {exam.fingerprint}".encode())
            digest.update(np.asarray(exam.rows, dtype="<i8").tobytes())
        return self._folder / f"{digest.hexdigest()}.npz"


def _named(on_event: Listener, name: str) -> Listener:
    """Say with every event whom it is about."""
    return lambda event: on_event(msgspec.structs.replace(event, model=name))
