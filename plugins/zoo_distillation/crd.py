# ruff: noqa: ARG002 - the contract names what it passes
"""Contrastive representation distillation: the teacher's view of a sample against many others.

Tian, Krishnan, Isola, "Contrastive Representation Distillation", ICLR 2020, arXiv 1910.10699, as in
RepDistiller: noise-contrastive estimation between linear embeddings of both networks, each compared
with a memory of the other's. Without labels, negatives are all other samples, of which about one in
C is of the same class; the published code takes samples of other classes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.memory import (
    Negatives,
    UnitLinear,
    initial_memory,
    problems,
    products,
    remember,
)
from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

Mode = Literal["exact", "queue"]

#: Added to the probability of noise, as published.
_EPSILON = 1e-7


class ContrastiveDistillation:
    """Tell from an embedding of one network which sample the other one saw.

    Args:
        width: of the embeddings and the memories.
        negatives: K samples that each is contrasted with in exact mode; None takes 4096, or all
            others where there are fewer. The authors took 16384.
        temperature: by which similarities are divided.
        momentum: share of the old vector that a memory keeps when its sample comes by.
        mode: ``exact`` remembers every sample, as published; ``queue`` only the latest ones, all of
            which are negatives, and takes the other network's embedding itself as the positive.
        queue: how many those are.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        negatives: int | None = None,
        temperature: float = 0.07,
        momentum: float = 0.5,
        mode: Mode = "exact",
        queue: int = 4096,
    ) -> None:
        for name, value in (("width", width), ("negatives", negatives), ("queue", queue)):
            if value is not None and value < 1:
                raise InputError(f"crd.{name} must be 1 or more, not {value}.")
        if not 0 < temperature < math.inf:
            raise InputError(f"crd.temperature must be above 0, not {temperature}.")
        if not 0 <= momentum < 1:
            raise InputError(f"crd.momentum must be 0 or more and below 1, not {momentum}.")
        if mode not in get_args(Mode):
            raise InputError(f"crd.mode must be exact or queue, not {mode!r}.")
        self.width = width
        self.negatives = negatives
        self.temperature = temperature
        self.momentum = momentum
        self.mode = mode
        self.queue = queue

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare the vectors at the end."""
        return at_the_end(teachers, student, "crd")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Refuse memories that the device cannot hold."""
        if self.mode == "queue":
            return ()
        return problems(
            "crd",
            classroom,
            width=self.width,
            count=self.negatives,
            anchors=1,
            instead={
                "mode=queue": (0, 1),
                "negatives=1024": (self.width, 1024),
                "width=32": (32, self.negatives),
            },
        )

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Leave the one loss as it is."""
        return {"contrast": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make an embedding and a memory of each network."""
        (stage,) = classroom.stages
        widths = (stage.student.width, stage.teachers[0].width, self.width)
        if self.mode == "queue":
            length = min(self.queue, classroom.samples)
            return QueueContrast(
                *widths, classroom.samples, length=length, temperature=self.temperature
            )
        return MemoryContrast(
            *widths,
            Negatives(classroom.samples, self.negatives, classroom.labels),
            temperature=self.temperature,
            momentum=self.momentum,
        )


class _Contrast(nn.Module):
    """What both modes share: embeddings, memories and the constants of the estimate."""

    student_memory: Tensor
    teacher_memory: Tensor
    log_constants: Tensor

    def __init__(
        self,
        student: int,
        teacher: int,
        width: int,
        *,
        samples: int,
        kept: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.samples = samples
        self.temperature = temperature
        self.student = UnitLinear(student, width)
        self.teacher = UnitLinear(teacher, width)
        self.register_buffer("student_memory", initial_memory(kept, width))
        self.register_buffer("teacher_memory", initial_memory(kept, width))
        self.register_buffer("log_constants", torch.full((2,), math.nan))

    def loss(
        self, scores: Sequence[tuple[Tensor, Tensor]], count: int | Tensor, absent: Tensor | None
    ) -> Tensor:
        """Add up the losses of the student's anchors and of the teacher's.

        Args:
            scores: for each network those of the positives (B,) and of the negatives (B, K), as
                similarities divided by the temperature.
            count: negatives, or (B,) how many each sample has.
            absent: (B, K), which of them are none; None where all are.
        """
        if absent is not None:
            scores = [(first, rest.masked_fill(absent, -math.inf)) for first, rest in scores]
        # The first batch alone sets the constants: they are the scale of all later losses.
        if self.log_constants.isnan().any():
            constants = [log_constant(*each, count, self.samples) for each in scores]
            self.log_constants.copy_(torch.stack(constants))
        losses = [
            noise_contrastive_loss(*each, count, self.samples, log_z)
            for each, log_z in zip(scores, self.log_constants, strict=True)
        ]
        return torch.stack(losses).sum()


class MemoryContrast(_Contrast):
    """The loss of one batch, by memories of all samples; see :class:`ContrastiveDistillation`.

    Args:
        student: D, width of its vectors.
        teacher: D_t, width of the teacher's.
        width: of the embeddings.
        negatives: draws them.
        temperature: of the similarities.
        momentum: of the memories.
    """

    def __init__(
        self,
        student: int,
        teacher: int,
        width: int,
        negatives: Negatives,
        *,
        temperature: float = 0.07,
        momentum: float = 0.5,
    ) -> None:
        samples = negatives.samples
        super().__init__(
            student, teacher, width, samples=samples, kept=samples, temperature=temperature
        )
        self.negatives = negatives
        self.momentum = momentum

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``contrast``."""
        (meeting,) = lesson.meetings
        assert lesson.rows is not None
        rows = lesson.rows.to(self.student_memory.device)
        chosen = self.negatives(rows)
        return {"contrast": self.contrast(meeting.student, meeting.teachers[0], rows, chosen)}

    def contrast(self, student: Tensor, teacher: Tensor, rows: Tensor, chosen: Tensor) -> Tensor:
        """Compare samples with given negatives, and remember them.

        Args:
            student: (B, D).
            teacher: (B, D_t).
            rows: (B,) int64 numbers of the samples.
            chosen: (B, K) int64 numbers of the negatives.
        """
        own, other = self.student(student), self.teacher(teacher.detach())
        pairs = (
            (own / self.temperature, self.teacher_memory),
            (other / self.temperature, self.student_memory),
        )
        scores = [
            (
                (anchor * memory[rows]).sum(dim=1),
                products(anchor[:, None], memory, chosen).squeeze(1),
            )
            for anchor, memory in pairs
        ]
        loss = self.loss(scores, chosen.shape[1], None)
        remember(self.student_memory, rows, own, self.momentum)
        remember(self.teacher_memory, rows, other, self.momentum)
        return loss


class QueueContrast(_Contrast):
    """The loss of one batch, by the latest embeddings; see :class:`ContrastiveDistillation`.

    He et al., "Momentum Contrast", CVPR 2020, arXiv 1911.05722, has the queue; its slow encoder
    is not needed, as embeddings of a few batches ago are not that old. It begins with noise.

    Args:
        student: D, width of its vectors.
        teacher: D_t, width of the teacher's.
        width: of the embeddings.
        samples: n.
        length: of the queue.
        temperature: of the similarities.
    """

    rows: Tensor
    labels: Tensor
    cursor: Tensor

    def __init__(
        self,
        student: int,
        teacher: int,
        width: int,
        samples: int,
        *,
        length: int = 4096,
        temperature: float = 0.07,
    ) -> None:
        super().__init__(
            student, teacher, width, samples=samples, kept=length, temperature=temperature
        )
        self.register_buffer("rows", torch.full((length,), -1))
        self.register_buffer("labels", torch.full((length,), -1))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``contrast``."""
        (meeting,) = lesson.meetings
        assert lesson.rows is not None
        rows = lesson.rows.to(self.rows.device)
        own, other = self.student(meeting.student), self.teacher(meeting.teachers[0].detach())
        labels = torch.full_like(rows, -1)
        absent = self.rows == rows[:, None]
        if lesson.labels is not None:
            labels = lesson.labels.to(rows.device)
            absent |= (self.labels == labels[:, None]) & (labels[:, None] >= 0)
        # A memory has no gradient, so neither have the positives that stand in for it.
        scores = [
            ((anchor * positive.detach()).sum(dim=1), anchor @ memory.clone().mT)
            for anchor, positive, memory in (
                (own / self.temperature, other, self.teacher_memory),
                (other / self.temperature, own, self.student_memory),
            )
        ]
        loss = self.loss(scores, (~absent).sum(dim=1), absent)
        self._push(own, other, rows, labels)
        return {"contrast": loss}

    @torch.no_grad()
    def _push(self, *latest: Tensor) -> None:
        """Put the batch in the place of what is oldest."""
        length = len(self.rows)
        kept = [each[-length:] for each in latest]
        places = (self.cursor + torch.arange(len(kept[0]), device=self.cursor.device)) % length
        buffers = (self.student_memory, self.teacher_memory, self.rows, self.labels)
        for buffer, values in zip(buffers, kept, strict=True):
            buffer[places] = values.to(buffer.dtype)
        self.cursor.add_(len(places)).remainder_(length)


def noise_contrastive_loss(
    positive: Tensor, negatives: Tensor, count: int | Tensor, samples: int, log_z: Tensor
) -> Tensor:
    """Tell the positive from noise, by log-odds, so that no exponential can overflow.

    Args:
        positive: (B,) scores; x is their exponential divided by Z.
        negatives: (B, K) scores; minus infinity for none.
        count: negatives, or (B,) how many each sample has.
        samples: n; noise is uniform over them.
        log_z: scalar, the logarithm of Z.

    Returns:
        The mean over the batch of ``-log(x_0 / (x_0 + c)) - sum_k log(q / (x_k + c))``, with
        ``q = count / n`` and ``c = q + 1e-7``.
    """
    counts = torch.as_tensor(count, dtype=positive.dtype, device=positive.device)
    noise = (counts / samples + _EPSILON).log() + log_z
    excess = counts * (_EPSILON * samples / counts.clamp_min(1)).log1p()
    rest = functional.softplus(negatives - noise.reshape(-1, 1), threshold=40).sum(dim=1)
    return (functional.softplus(noise - positive, threshold=40) + rest + excess).mean()


@torch.no_grad()
def log_constant(positive: Tensor, negatives: Tensor, count: int | Tensor, samples: int) -> Tensor:
    """Give log Z: n times the mean exponential of the scores (B,) and (B, K) of one batch."""
    total = torch.cat([positive.flatten(), negatives.flatten()]).logsumexp(0)
    counts = torch.as_tensor(count, dtype=positive.dtype, device=positive.device)
    return total - (counts + 1).expand(len(positive)).sum().log() + math.log(samples)
