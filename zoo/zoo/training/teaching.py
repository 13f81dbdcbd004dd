"""Teachers that are asked anew about every batch, and the scale that their features come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zoo.building.stages import shapes_of
from zoo.errors import CheckpointError
from zoo.training.observing import look
from zoo.training.setup import Taught

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zoo.training.moments import Spread, Statistics
    from zoo.training.observing import Teacher
    from zoo.training.setup import Batch
    from zoo.types.training import FeatureShape, InputReader, Stage


class OnlineTeaching:
    """Teachers in memory, all at once.

    Attributes:
        teachers: open networks, which are frozen here and never change.
        stages: where the student meets them.
    """

    def __init__(
        self,
        teachers: Sequence[Teacher],
        stages: Sequence[Stage],
        statistics: Statistics | None = None,
        *,
        standardise: bool = False,
    ) -> None:
        self.teachers = tuple(teachers)
        self.stages = tuple(stages)
        self._shapes = [shapes_of(stages, each) for each in range(len(self.teachers))]
        self._scales = [
            Scale(stages, each, statistics, standardise) for each in range(len(self.teachers))
        ]
        for teacher in self.teachers:
            teacher.network.module.eval().requires_grad_(False)

    @property
    def readers(self) -> Mapping[str, InputReader]:
        """Each reader once, by its key."""
        return {each.network.reader.key: each.network.reader for each in self.teachers}

    def teach(self, batch: Batch) -> Taught:
        """Ask every teacher about a batch."""
        said = []
        for teacher, shapes, scale in zip(self.teachers, self._shapes, self._scales, strict=True):
            logits, features = look(teacher, shapes, batch.inputs[teacher.network.reader.key])
            said.append((logits, scale(dict(zip(shapes, features, strict=True)))))
        return taught(said, len(self.stages))


class NoTeaching:
    """Nobody: the student learns from the samples alone."""

    @property
    def readers(self) -> Mapping[str, InputReader]:
        """None are needed."""
        return {}

    def teach(self, batch: Batch) -> Taught:
        """Say nothing."""
        del batch
        return Taught(logits=(), features=())


class Scale:
    """Sorts the features of one teacher by stages and, where asked for, standardises channels."""

    def __init__(
        self,
        stages: Sequence[Stage],
        teacher: int,
        statistics: Statistics | None,
        standardise: bool,
    ) -> None:
        if standardise and statistics is None:
            raise CheckpointError("features cannot be standardised without their statistics")
        self._shapes = [stage.teachers[teacher] for stage in stages]
        self._spreads: list[tuple[Tensor, Tensor] | None] = [None] * len(self._shapes)
        if standardise and statistics is not None:
            self._spreads = [_columns(each[teacher]) for each in statistics.features]

    def __call__(self, features: Mapping[FeatureShape, Tensor]) -> list[Tensor]:
        """Give one tensor a stage."""
        return [self._scaled(number, features[shape]) for number, shape in enumerate(self._shapes)]

    def _scaled(self, stage: int, values: Tensor) -> Tensor:
        known = self._spreads[stage]
        if known is None:
            return values
        if known[0].device != values.device:
            known = self._spreads[stage] = known[0].to(values.device), known[1].to(values.device)
        form = (1, -1, *(1 for _ in values.shape[2:]))
        return (values - known[0].view(form)).mul_(known[1].view(form))


def taught(said: Sequence[tuple[Tensor | None, Sequence[Tensor]]], stages: int) -> Taught:
    """Turn (logits, one tensor a stage) of each teacher into what a learner is given."""
    return Taught(
        logits=tuple(logits for logits, _ in said),
        features=tuple(tuple(features[stage] for _, features in said) for stage in range(stages)),
    )


def _columns(spread: Spread) -> tuple[Tensor, Tensor]:
    mean, std = torch.from_numpy(spread.mean), torch.from_numpy(spread.std)
    return mean.float(), std.reciprocal().float()
