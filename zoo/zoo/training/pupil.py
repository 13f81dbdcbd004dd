"""All students of a run and what is trained beside them, as one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from zoo.building.presets import LABELS, SOFT
from zoo.errors import PluginError
from zoo.training.seeing import see

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from zoo.training.seeing import Seen
    from zoo.training.setup import Batch, Learner, Targets, Taught


class Pupil(nn.Module):
    """Learners in lockstep: the same batches, the same teachers, nothing in common otherwise.

    Args:
        learners: name -> student with what is trained beside it.
        targets: what soft targets are made with.
        warmup: share of the training over which the weights of a method's losses rise from zero.
        rows: numbers of the samples that are trained on; a method counts them from 0.
        labels: (N,) columns of the right labels of all samples, -1 where one is not known.
    """

    def __init__(
        self,
        learners: Mapping[str, Learner],
        targets: Targets | None,
        warmup: float = 0.0,
        *,
        rows: Sequence[int] = (),
        labels: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.learners, self.targets, self.warmup = dict(learners), targets, warmup
        self.students = nn.ModuleDict(
            {name: each.network.module for name, each in learners.items()}
        )
        self.extras = nn.ModuleDict(
            {name: each.extras for name, each in learners.items() if each.extras is not None}
        )
        self._labels = labels
        self._places = torch.zeros(max(rows, default=-1) + 1, dtype=torch.int64)
        self._places[list(rows)] = torch.arange(len(rows))

    def forward(
        self, batch: Batch, taught: Taught, progress: float, seed: int | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute every loss of every learner.

        Args:
            batch: inputs of every student's reader.
            taught: what the teachers say about it.
            progress: share of the training that is done with this step, in (0, 1].
            seed: of dropout; every learner draws from it anew, so that none moves another's.

        Returns:
            The weighted sum, with gradients, and ``<learner>.<loss>`` -> unweighted, without; a
            loss that a method leaves out for a batch is zero.
        """
        device = next(self.parameters()).device
        rows = self._places[batch.rows] if len(self._places) else batch.rows
        labels = None if self._labels is None else self._labels[batch.rows].to(device)
        parts: list[Tensor] = []
        losses: dict[str, Tensor] = {}
        for name, learner in self.learners.items():
            if seed is not None:
                _seed(seed, device)
            seen = see(
                learner, batch, taught, progress=progress, rows=rows.to(device), labels=labels
            )
            with torch.autocast(device.type, enabled=False):
                found = dict(self._losses(name, learner, seen))
            weights = self._weights(learner, progress)
            for loss, value in found.items():
                if loss not in weights:
                    raise PluginError(f"the method gives no weight for its loss {loss!r}.")
                parts.append(weights[loss] * value)
            absent = torch.zeros((), device=device)
            losses |= {f"{name}.{loss}": found.get(loss, absent).detach() for loss in weights}
        if not parts:  # every method left this batch out
            parts = [0 * next(each for each in self.parameters() if each.requires_grad).sum()]
        return torch.stack(parts).sum(), losses

    def _losses(self, name: str, learner: Learner, seen: Seen) -> Iterator[tuple[str, Tensor]]:
        """Give the losses of one learner by name, in float32.

        A batch whose samples were mixed has targets that are mixed alike, but no features that a
        teacher's could be compared with: methods sit it out.
        """
        lesson = seen.lesson
        teachers = [each for each in lesson.teacher_logits if each is not None]
        if SOFT in learner.weights and self.targets is not None:
            if lesson.student_logits is None or not teachers:
                raise PluginError(f"{name} has no logits to learn soft targets with.")
            value = self.targets.loss(lesson.student_logits, teachers)
            if seen.mixed is not None:
                lenders = [each[seen.mixed.order] for each in teachers]
                other = self.targets.loss(lesson.student_logits, lenders)
                value = seen.mixed.share * value + (1 - seen.mixed.share) * other
            yield SOFT, value
        if LABELS in learner.weights:
            yield LABELS, _label_loss(name, seen)
        if name in self.extras and seen.mixed is None:
            yield from self.extras[name](lesson).items()

    def _weights(self, learner: Learner, progress: float) -> dict[str, float]:
        share = min(1.0, progress / self.warmup) if self.warmup else 1.0
        return {
            name: weight if name in {SOFT, LABELS} else share * weight
            for name, weight in learner.weights.items()
        }

    def shown(self, losses: Mapping[str, float], batch: int) -> dict[str, float]:
        """Give those losses that a method wants a person to see as another number."""
        found = {}
        for name, value in losses.items():
            learner, _, loss = name.partition(".")
            display = getattr(self.learners[learner].extras, "display", None)
            if loss not in {SOFT, LABELS} and display is not None:
                seen = float(display(loss, value, batch))
                if seen != value:
                    found[name] = seen
        return found


def _label_loss(name: str, seen: Seen) -> Tensor:
    """Cross-entropy of the samples whose label is known; zero where none is."""
    logits, labels = seen.lesson.student_logits, seen.lesson.labels
    if logits is None or labels is None:
        raise PluginError(f"{name} has no logits, or no labels, to learn labels with.")
    value = _cross_entropy(logits, labels)
    if seen.mixed is None:
        return value
    other = _cross_entropy(logits, labels[seen.mixed.order])
    return seen.mixed.share * value + (1 - seen.mixed.share) * other


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    total = functional.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    return total / (labels >= 0).sum().clamp(min=1)


def _seed(seed: int, device: torch.device) -> None:
    # torch.manual_seed queues a call, with its whole stack, for every GPU that nobody uses yet.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
