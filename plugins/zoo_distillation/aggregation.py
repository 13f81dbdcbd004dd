"""A weighted sum of a teacher's layers, and what connects it with one layer of a student.

The parts of the method in :mod:`zoo_distillation.dfa`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_distillation.grids import at_smaller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types import FeatureShape

#: Weight of the squared length of beta.
_PENALTY = 1e-3


class Aggregation(nn.Module):
    """One group of layers, and what connects its sum with the student.

    Args:
        student: its layer.
        teachers: layers of one grid and width.
        alpha: their weights, where they are known.
        searched: whether beta is learnt.
        scale: of beta; Adam moves it so many times as far as its parameter.
    """

    known: Tensor

    def __init__(
        self,
        student: FeatureShape,
        teachers: Sequence[FeatureShape],
        *,
        alpha: Sequence[float] | None = None,
        searched: bool = True,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.tap, self.layers, self.scale = student.tap, len(teachers), scale
        maps = student.grid is not None and teachers[0].grid is not None
        made = nn.Conv2d if maps else _Linear
        self.to_teacher = made(student.width, teachers[0].width, 1)
        self.to_student = made(teachers[0].width, student.width, 1) if searched else None
        self.score = nn.Parameter(torch.zeros(self.layers)) if searched else None
        row = torch.tensor(alpha) if alpha else torch.full((self.layers,), 1 / self.layers)
        self.register_buffer("known", row / row.sum())

    def alpha(self) -> Tensor:
        """Give the weights of the layers, (n,), with a gradient to beta while it is learnt."""
        return self.known if self.score is None else (self.scale * self.score).softmax(0)

    def penalty(self) -> Tensor:
        """Give what beta's length costs."""
        assert self.score is not None
        return _PENALTY * (self.scale * self.score).square().sum()

    def forward(self, teachers: Sequence[Tensor]) -> Tensor:
        """Sum the layers, (B, C_t, ...) each."""
        return aggregate(teachers, self.alpha())

    def in_teacher(self, student: Tensor) -> Tensor:
        """Bring the student's features to the teacher's channels, on the student's grid."""
        return self._connected(self.to_teacher, student)

    def in_student(self, target: Tensor, student: Tensor, *, frozen: bool = False) -> Tensor:
        """Bring a sum to the student's channels and grid; ``frozen`` spares the connector."""
        assert self.to_student is not None
        smaller, _ = _on_one_grid(target, student)
        return _resized(self._connected(self.to_student, smaller, frozen=frozen), student)

    def _connected(self, connector: nn.Module, features: Tensor, *, frozen: bool = False) -> Tensor:
        if isinstance(connector, _Linear) and features.ndim > 2:
            features = features.mean((2, 3))
        values = {name: each.detach() for name, each in connector.named_parameters()}
        result: Tensor = (
            torch.func.functional_call(connector, values, (features,))
            if frozen
            else connector(features)
        )
        return result


class _Linear(nn.Linear):
    """A layer for vectors with the arguments of a convolution."""

    def __init__(self, inputs: int, outputs: int, _size: int) -> None:
        super().__init__(inputs, outputs)


def aggregate(layers: Sequence[Tensor], alpha: Tensor) -> Tensor:
    """Sum layers, (B, ...) each, with weights (n,): A."""
    total = alpha[0] * layers[0]
    for weight, each in zip(alpha[1:], layers[1:], strict=True):
        total = total + weight * each
    return total


def learnability(target: Tensor, given: Tensor) -> Tensor:
    """Give the mean squared distance of two features, on the smaller of their grids.

    Args:
        target: (B, C, H, W) or (B, C), the sum of the teacher's layers.
        given: (B, C, H', W') or (B, C), the student's behind its connector.

    Returns:
        (B,), L_ST of each sample.
    """
    target, given = _on_one_grid(target, given)
    return (target - given).square().flatten(1).mean(1)


def expressivity(logits: Tensor, teacher: Tensor | None, labels: Tensor | None = None) -> Tensor:
    """Judge what the rest of the student made of the sum.

    Args:
        logits: (B, C) of the student.
        teacher: (B, C); None where all labels are known.
        labels: (B,) int64, -1 where one is not known.

    Returns:
        (B,), L_TS of each sample: cross-entropy where its label is known, else the divergence
        from the teacher.
    """
    log_q = logits.log_softmax(1)
    divergence = log_q.new_zeros(len(log_q))
    if teacher is not None:
        log_p = teacher.detach().log_softmax(1)
        divergence = (log_p.exp() * (log_p - log_q)).sum(1)
    if labels is None:
        return divergence
    right = -log_q.gather(1, labels.clamp(min=0)[:, None])[:, 0]
    return torch.where(labels >= 0, right, divergence)


def _on_one_grid(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Pool to the smaller height and width; both to vectors where one is."""
    if first.ndim == 2 or second.ndim == 2:
        return _vectors(first), _vectors(second)
    return at_smaller(first, second)


def _vectors(features: Tensor) -> Tensor:
    return features.flatten(2).mean(2) if features.ndim > 2 else features


def _resized(features: Tensor, like: Tensor) -> Tensor:
    """Repeat features until they fill the grid of others."""
    if like.ndim == 2:
        return features
    if features.ndim == 2:
        return features[:, :, None, None].expand(-1, -1, *like.shape[2:])
    if features.shape[2:] == like.shape[2:]:
        return features
    return functional.interpolate(features, size=like.shape[2:], mode="nearest")
