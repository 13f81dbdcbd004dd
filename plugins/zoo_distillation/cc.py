# ruff: noqa: ARG002 - the contract names what it passes
"""Correlation congruence: how the student's errors on neighbouring samples go together.

Peng et al., "Correlation Congruence for Knowledge Distillation", ICCV 2019, arXiv 1904.01802, as
shipped in RepDistiller: the errors between two linear embeddings, multiplied for samples that
follow each other in the batch. The paper compares matrices of correlations through a Gaussian
kernel. Both embeddings are trained, and nothing but its small weight keeps the loss from making
them constant: take it beside logits, not alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from zoo.errors import InputError
from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair


class CorrelationCongruence:
    """Bring embeddings of student and teacher together, two samples at a time.

    Args:
        width: of both embeddings.
    """

    def __init__(self, *, width: int = 128) -> None:
        if width < 1:
            raise InputError(f"cc.width must be 1 or more, not {width}.")
        self.width = width

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare the vectors at the end."""
        return at_the_end(teachers, student, "cc")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Leave the one loss as it is."""
        return {"correlation": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make an embedding of each network."""
        (stage,) = classroom.stages
        return CorrelationLoss(stage.student.width, stage.teachers[0].width, self.width)


class CorrelationLoss(nn.Module):
    """The loss of one batch; see :class:`CorrelationCongruence`.

    Args:
        student: D, width of its vectors.
        teacher: D_t, width of the teacher's.
        width: of the embeddings.
    """

    def __init__(self, student: int, teacher: int, width: int) -> None:
        super().__init__()
        self.student = nn.Linear(student, width)
        self.teacher = nn.Linear(teacher, width)

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``correlation``."""
        (meeting,) = lesson.meetings
        own, other = self.student(meeting.student), self.teacher(meeting.teachers[0])
        return {"correlation": correlation(own, other)}


def correlation(student: Tensor, teacher: Tensor) -> Tensor:
    """Give the mean over neighbours in the batch of the inner product of their errors.

    Args:
        student: (B, E) embedding, B at least 2.
        teacher: (B, E) embedding; it gets a gradient too.
    """
    errors = (student - teacher).abs()
    return (errors[:-1] * errors[1:]).sum(dim=1).mean()
