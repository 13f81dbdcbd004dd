# ruff: noqa: ARG002 - the contract names what it passes
"""Decoupled distillation: how sure of the target class, apart from how the others are ranked.

Zhao, Cui, Song, Qiu, Liang, "Decoupled Knowledge Distillation", CVPR 2022, arXiv 2203.08679. The
divergence of plain distillation is TCKD + (1 - p) NCKD with p the teacher's probability of the
target class, so that what a sure teacher says of the other classes is lost; here NCKD has a weight
of its own. Without labels the target class is the teacher's first choice.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

#: 20 of the 240 epochs that the authors train for on CIFAR-100.


class DecoupledDistillation:
    """Teach the target class and the others by two losses.

    With two classes one other class is left, NCKD is 0 and TCKD is plain logit distillation.

    Args:
        alpha: weight of TCKD, on the target class against all others.
        beta: weight of NCKD, among the others.
        temperature: T of both.
        warmup: share of the training over which both rise from zero, 20 of 240 epochs as
            published; 0 leaves it to the schedule, which has one of its own.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        beta: float = 8.0,
        temperature: float = 4.0,
        warmup: float = 0.0,
    ) -> None:
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not 0 <= value < inf:
                raise InputError(f"dkd.{name} must be a number of 0 or more, not {value}.")
        if alpha == beta == 0:
            raise InputError("dkd.alpha and dkd.beta are both 0: nothing is left to learn.")
        if not 0 < temperature < inf:
            raise InputError(f"dkd.temperature must be a number above 0, not {temperature}.")
        if not 0 <= warmup <= 1:
            raise InputError(f"dkd.warmup must be a share from 0 to 1, not {warmup}.")
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.warmup = warmup

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare no features."""
        return ()

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Ask for classes to tell apart."""
        if classroom.classes > 1:
            return ()
        known = "one class" if classroom.classes else "no classes"
        return (f"dkd sets one class against the others, and the student has {known}.",)

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give alpha and beta."""
        return {"target": self.alpha, "others": self.beta}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make a module without parameters."""
        return DecoupledLoss(self.temperature, self.warmup)


class DecoupledLoss(nn.Module):
    """The losses of one batch; see :class:`DecoupledDistillation`."""

    def __init__(self, temperature: float, warmup: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.warmup = warmup

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``target`` (TCKD) and ``others`` (NCKD), as far as the warm-up is."""
        (teacher,) = lesson.teacher_logits
        assert teacher is not None
        assert lesson.student_logits is not None
        classes = teacher.argmax(dim=1)
        if lesson.labels is not None:
            classes = torch.where(lesson.labels < 0, classes, lesson.labels)
        target, others = decoupled(lesson.student_logits, teacher, classes, self.temperature)
        risen = min(lesson.progress / self.warmup, 1.0) if self.warmup else 1.0
        return {"target": risen * target, "others": risen * others}


def decoupled(
    student: Tensor, teacher: Tensor, classes: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Give TCKD and NCKD, both T^2 times the mean divergence over the batch.

    The published code pushes the target's logit down by 1000 for NCKD; here it has no part in the
    softmax, which is the same and holds for logits of any size.

    Args:
        student: (B, C) logits, C at least 2.
        teacher: (B, C) logits; they get no gradient.
        classes: (B,) int64, the target class of each sample.
        temperature: T.
    """
    margin, others = _split(student / temperature, classes)
    sure, ranked = _split(teacher.detach() / temperature, classes)
    # The odds of the target class against all others are a distribution over two outcomes.
    said = functional.logsigmoid(torch.stack((margin, -margin), dim=1))
    wanted = functional.logsigmoid(torch.stack((sure, -sure), dim=1))
    return (
        temperature**2 * functional.kl_div(said, wanted, reduction="batchmean", log_target=True),
        temperature**2 * functional.kl_div(others, ranked, reduction="batchmean", log_target=True),
    )


def _split(logits: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Give the log-odds (B,) of the target class, and log-probabilities (B, C) of the others.

    In the target's own column these are finite, and their probability is 0.
    """
    target = classes[:, None]
    rest = logits.scatter(1, target, torch.finfo(logits.dtype).min / 4)
    total = rest.logsumexp(dim=1, keepdim=True)
    return (logits.gather(1, target) - total).squeeze(1), rest - total
