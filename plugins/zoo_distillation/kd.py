# ruff: noqa: ARG002 - the contract names what it passes
"""Logit distillation: the teacher's softened logits, and nothing of its features.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv 1503.02531. The
core forms the soft targets and their loss, for any number of teachers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair


class LogitDistillation:
    """Learn the teachers' logits through the soft targets of the core."""

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare nowhere."""
        return ()

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh nothing beside the soft targets."""
        return {}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make a module without parameters and without losses."""
        return Nothing()


class Nothing(nn.Module):
    """Add no loss."""

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give no losses."""
        return {}
