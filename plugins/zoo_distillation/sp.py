# ruff: noqa: ARG002 - the contract names what it passes
"""Similarity-preserving distillation: which samples of a batch are alike.

Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, arXiv 1907.09682. The
published code compares the flattened last maps; here every network's vector is the default, which
does not tell where in the image something is and so suits networks of any two kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair


class SimilarityPreservation:
    """Draw the similarities within the student's batch to those within the teacher's.

    Args:
        whole: compare whole maps, flattened, as published; else one vector a sample.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare the last layers."""
        return at_the_end(teachers, student, "sp", "own" if self.whole else "vector")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Leave the one loss as it is."""
        return {"similarity": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make a module without parameters."""
        return SimilarityLoss()


class SimilarityLoss(nn.Module):
    """The loss of one batch; see :class:`SimilarityPreservation`."""

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``similarity``."""
        (meeting,) = lesson.meetings
        return {"similarity": similarity(meeting.student, meeting.teachers[0])}


def similarity(student: Tensor, teacher: Tensor) -> Tensor:
    """Give the mean squared difference of two (B, B) matrices of inner products.

    Args:
        student: (B, ...), of any layout; every sample is read as one vector.
        teacher: (B, ...), of any other; it gets no gradient.
    """
    return functional.mse_loss(_alike(student), _alike(teacher.detach()))


def _alike(features: Tensor) -> Tensor:
    """Give the inner products (B, B) of all samples, every row of unit length."""
    flat = features.flatten(1)
    return functional.normalize(flat @ flat.mT, dim=1)
