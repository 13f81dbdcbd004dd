"""Memories of embeddings, and which of them a sample is contrasted with.

Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018,
arXiv 1805.01978: one vector for every sample that is trained on, which follows its embedding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo.render.quantities import count_text, size_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types import Classroom

#: Negatives where nobody says how many; the authors of CRD and HKD took 16384.
NEGATIVES = 4096
#: Multiplying with the whole memory is faster than gathering rows up to so many rows a negative.
_DENSE = 32
_FLOAT = 4


class UnitLinear(nn.Linear):
    """A linear layer whose outputs have length one: (..., D) -> (..., width)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """Embed features."""
        return functional.normalize(super().forward(input), dim=-1)


def initial_memory(samples: int, width: int) -> Tensor:
    """Draw (samples, width) vectors that are about as long as embeddings, uniformly."""
    bound = math.sqrt(3 / width)
    return torch.empty(samples, width).uniform_(-bound, bound)


@torch.no_grad()
def remember(memory: Tensor, rows: Tensor, embeddings: Tensor, momentum: float) -> None:
    """Move rows (B,) of a memory (n, width) towards embeddings (B, width), in place."""
    memory[rows] = smoothed(memory[rows], embeddings, momentum)


def smoothed(remembered: Tensor, embeddings: Tensor, momentum: float) -> Tensor:
    """Mix what is remembered, (B, width), with what is new, and give it length one."""
    return functional.normalize(momentum * remembered + (1 - momentum) * embeddings, dim=-1)


def products(anchors: Tensor, memory: Tensor, chosen: Tensor) -> Tensor:
    """Multiply anchors with chosen rows of a memory, which may be changed before the backward pass.

    Args:
        anchors: (B, A, width), with gradients.
        memory: (n, width), without.
        chosen: (B, K) int64 rows, the same for all A anchors of a sample.

    Returns:
        (B, A, K).
    """
    batch, kinds, width = anchors.shape
    if _is_dense(len(memory), chosen.shape[1]):
        every = anchors.reshape(batch * kinds, width) @ memory.clone().mT
        index = chosen[:, None].expand(-1, kinds, -1)
        return every.view(batch, kinds, len(memory)).gather(2, index)
    return anchors @ functional.embedding(chosen, memory).mT


class Negatives(nn.Module):
    """Draws the samples that a sample is contrasted with, from torch's global generator.

    Args:
        samples: n, at least 2.
        count: K; None takes :data:`NEGATIVES`, and at most there are n - 1.
        labels: (n,) int64 classes, -1 where one is not known; None draws from all other samples.

    Raises:
        InputError: all samples are of one class.
    """

    order: Tensor
    first: Tensor
    size: Tensor

    def __init__(self, samples: int, count: int | None, labels: Tensor | None = None) -> None:
        super().__init__()
        self.samples = samples
        self.count = count_of(samples, count)
        self.labelled = labels is not None
        if labels is not None:
            for name, value in zip(("order", "first", "size"), _by_class(labels), strict=True):
                self.register_buffer(name, value, persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Draw for each of (B,) rows K others, of other classes where classes are known: (B, K).

        They are drawn with replacement, unless without labels K is all that there are.
        """
        size = (len(rows), self.count)
        if self.labelled:
            first, own = self.first[rows, None], self.size[rows, None]
            share = torch.rand(size, dtype=torch.float64, device=rows.device)
            drawn = share.mul_(self.samples - own).long()
            return self.order[drawn.add_(own * (drawn >= first))]
        if self.count == self.samples - 1:
            drawn = torch.arange(self.count, device=rows.device).repeat(len(rows), 1)
        else:
            drawn = torch.randint(self.samples - 1, size, device=rows.device)
        return drawn.add_(drawn >= rows[:, None])


def count_of(samples: int, count: int | None) -> int:
    """Give K for so many samples."""
    return max(1, min(count or NEGATIVES, samples - 1))


def _by_class(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sort samples by class: their order, and for each where its class begins and how large it is.

    A sample of unknown class is a class of its own.
    """
    alone = labels.max() + 1 + torch.arange(len(labels), device=labels.device)
    classes = torch.where(labels < 0, alone, labels)
    order = classes.argsort(stable=True)
    _, inverse, counts = torch.unique(classes, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise InputError(
            "negatives are samples of other classes, and all samples are of one class.",
            "train without labels: then they are all other samples",
        )
    first = counts.cumsum(0) - counts
    return order, first[inverse], counts[inverse]


def problems(
    name: str,
    classroom: Classroom,
    *,
    width: int,
    count: int | None,
    anchors: int,
    instead: Mapping[str, tuple[int, int | None]],
) -> list[str]:
    """Say why two memories of all samples cannot be kept, and which settings could.

    Args:
        name: of the method.
        classroom: with the samples, the batch and the free memory.
        width: of an embedding.
        count: negatives, see :class:`Negatives`.
        anchors: A of :func:`products`.
        instead: setting -> the width and the count that it leads to; a width of 0 needs no memory.
    """
    samples, free = classroom.samples, classroom.memory
    if samples < 2:
        return [f"{name} contrasts every sample with others, and there is one sample."]

    def needed(width: int, count: int | None) -> tuple[int, int]:
        return (
            2 * samples * width * _FLOAT,
            step_bytes(classroom.batch, samples, width, count_of(samples, count), anchors),
        )

    kept, step = needed(width, count)
    if free is None or kept + step <= free:
        return []
    enough = [setting for setting, sizes in instead.items() if sum(needed(*sizes)) <= free]
    hint = " or ".join(f"--set {name}.{setting}" for setting in enough[:2]) or "--method rkd"
    numbers = f"2 x {count_text(samples)} x {width} numbers ({size_text(kept)})"
    step_text = f"compares {size_text(step)} a batch"
    return [f"{name} keeps {numbers} and {step_text}, and {size_text(free)} are free: {hint}"]


def step_bytes(batch: int, samples: int, width: int, count: int, anchors: int) -> int:
    """Estimate what one batch takes for both memories until its backward pass is over."""
    if _is_dense(samples, count):
        compared = samples * width + 2 * batch * anchors * samples
    else:
        compared = batch * count * width
    # Scores, what the loss makes of them and gradients; the index has eight bytes a number.
    scores = 4 * batch * anchors * count
    return (2 * (compared + scores) + 2 * batch * count) * _FLOAT


def _is_dense(samples: int, count: int) -> bool:
    return samples <= _DENSE * count
