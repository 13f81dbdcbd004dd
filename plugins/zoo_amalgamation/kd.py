# ruff: noqa: ARG002 - the contract names what it passes
"""Soft targets alone: the baseline of every method that adds to them.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv 1503.02531. The
core forms the targets and their loss; nothing is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.training import FeatureShape, Lesson, Stage


class SoftTargetsAlone:
    """Learn the teachers' logits, and nothing of their features."""

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Compare nowhere."""
        return ()

    def check(self, stages: Sequence[Stage], batch: int) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh nothing beside the soft targets."""
        return {}

    def build(self, stages: Sequence[Stage]) -> nn.Module:
        """Make a module without parameters and without losses."""
        return Nothing()


class Nothing(nn.Module):
    """Add no loss."""

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give no losses."""
        return {}
