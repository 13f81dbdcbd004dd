# ruff: noqa: ARG002 - the contract names what it passes
"""Probabilistic knowledge transfer: which samples of a batch are neighbours, as probabilities.

Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV
2018, arXiv 1803.10837, with the cosine kernel of the authors' code. The divergence is averaged over
the B^2 pairs, not summed, hence the weight of 30000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, linalg, nn

from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

#: Added to lengths and to probabilities.
_SMALL = 1e-7


class ProbabilisticTransfer:
    """Draw the neighbourhoods within the student's batch to those within the teacher's."""

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare the vectors at the end."""
        return at_the_end(teachers, student, "pkt")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Leave the one loss as it is."""
        return {"neighbours": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make a module without parameters."""
        return NeighbourLoss()


class NeighbourLoss(nn.Module):
    """The loss of one batch; see :class:`ProbabilisticTransfer`."""

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``neighbours``."""
        (meeting,) = lesson.meetings
        return {"neighbours": neighbours(meeting.student, meeting.teachers[0])}


def neighbours(student: Tensor, teacher: Tensor) -> Tensor:
    """Give the divergence of the student's neighbourhoods from the teacher's, over B^2.

    Args:
        student: (B, ...), of any layout; every sample is read as one vector.
        teacher: (B, ...), of any other; it gets no gradient.
    """
    said, wanted = _probabilities(student), _probabilities(teacher.detach())
    return (wanted * ((wanted + _SMALL).log() - (said + _SMALL).log())).mean()


def _probabilities(features: Tensor) -> Tensor:
    """Give the cosines (B, B) of all samples, moved to [0, 1]; rows sum to one."""
    flat = features.flatten(1)
    lengths: Tensor = linalg.vector_norm(flat, dim=1, keepdim=True)
    unit = flat / (lengths + _SMALL)
    kernel = (unit @ unit.mT + 1) / 2
    return kernel / kernel.sum(dim=1, keepdim=True)
