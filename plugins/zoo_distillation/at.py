# ruff: noqa: ARG002 - the contract names what it passes
"""Attention transfer: the student is active where its teacher is.

Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, arXiv 1612.03928. The
paper measures the length of the difference of two normalised attention maps; the code that everyone
trains with the mean of its square. Channels need not agree, and there is nothing to train.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.grids import at_smaller
from zoo_distillation.pairing import by_stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

Mode = Literal["code", "paper"]


class AttentionTransfer:
    """Draw the attention maps of every stage but the stem to the teacher's.

    Args:
        p: power of the activations whose mean over the channels is the attention.
        mode: ``code`` squares the differences, as published numbers do; ``paper`` takes their
            length, over twice the positions of a batch: the paper's own scale of the weight.
    """

    def __init__(self, *, p: float = 2.0, mode: Mode = "code") -> None:
        if not p >= 1:
            raise InputError(f"at.p must be 1 or more, not {p}.")
        if mode not in {"code", "paper"}:
            raise InputError(f"at.mode must be code or paper, not {mode!r}.")
        self.p = p
        self.mode: Mode = mode

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Pair the maps of all stages but the stem; one position has no attention.

        Raises:
            InputError: a network has no such map.
        """
        return by_stage(teachers[0], student, "at", stem=False, places=2)

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept what could be paired."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of the only loss."""
        return {"attention": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make the loss; it has no parameters."""
        return Attentions(self.p, self.mode)


class Attentions(nn.Module):
    """The loss of one batch; see :class:`AttentionTransfer`."""

    def __init__(self, p: float = 2.0, mode: Mode = "code") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Sum over the stages: ``attention``, a scalar."""
        losses = [self._loss(each.student, each.teachers[0]) for each in lesson.meetings]
        return {"attention": torch.stack(losses).sum()}

    def _loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        own, target = attentions(student, teacher.detach(), self.p)
        if self.mode == "code":
            return functional.mse_loss(own, target)
        return summed_lengths(own, target) / (2 * own.numel())


def attentions(student: Tensor, teacher: Tensor, p: float = 2.0) -> tuple[Tensor, Tensor]:
    """Give the attention maps of two networks on the smaller of their grids.

    Args:
        student: (B, C_s, H, W).
        teacher: (B, C_t, H', W').
        p: see :func:`attention`.

    Returns:
        Two (B, positions).
    """
    student, teacher = at_smaller(student, teacher)
    return attention(student, p), attention(teacher, p)


def attention(maps: Tensor, p: float = 2.0) -> Tensor:
    """Average |F|^p over the channels, (B, C, H, W) -> (B, H W) rows of length one.

    Published code has no absolute value, which is the same for the even powers it is used with.
    """
    powers = maps.square() if p == 2 else maps.abs().pow(p)
    return functional.normalize(powers.mean(1).flatten(1))


def summed_lengths(student: Tensor, teacher: Tensor) -> Tensor:
    """Sum over the samples the length of the difference of two attention maps, as in the paper."""
    lengths: Tensor = torch.linalg.vector_norm(student - teacher, dim=1)
    return lengths.sum()
