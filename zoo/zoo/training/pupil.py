"""All students of a run and what is trained beside them, as one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from zoo.errors import PluginError
from zoo.training.aligning import align
from zoo.types.training import Lesson, Meeting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from zoo.training.setup import Batch, Learner, Targets, Taught

#: The loss of the soft targets; its weight does not warm up.
SOFT = "soft"


class Pupil(nn.Module):
    """Learners in lockstep: the same batches, the same teachers, nothing in common otherwise.

    Args:
        learners: name -> student with what is trained beside it.
        targets: what soft targets are made with.
        warmup: share of the training over which the weights of a method's losses rise from zero.
    """

    def __init__(
        self, learners: Mapping[str, Learner], targets: Targets | None, warmup: float = 0.0
    ) -> None:
        super().__init__()
        self.learners, self.targets, self.warmup = dict(learners), targets, warmup
        self.students = nn.ModuleDict(
            {name: each.network.module for name, each in learners.items()}
        )
        self.extras = nn.ModuleDict(
            {name: each.extras for name, each in learners.items() if each.extras is not None}
        )

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
            The weighted sum, with gradients, and ``<learner>.<loss>`` -> unweighted, without.
        """
        device = next(self.parameters()).device
        parts: list[Tensor] = []
        losses: dict[str, Tensor] = {}
        for name, learner in self.learners.items():
            if seed is not None:
                _seed(seed, device)
            lesson = _lesson(learner, batch, taught, progress)
            with torch.autocast(device.type, enabled=False):
                found = dict(self._losses(name, learner, lesson))
            weights = self._weights(learner, progress)
            for loss, value in found.items():
                if loss not in weights:
                    raise PluginError(f"the method gives no weight for its loss {loss!r}.")
                parts.append(weights[loss] * value)
                losses[f"{name}.{loss}"] = value.detach()
        return torch.stack(parts).sum(), losses

    def _losses(self, name: str, learner: Learner, lesson: Lesson) -> Iterator[tuple[str, Tensor]]:
        """Give the losses of one learner by name, in float32."""
        teachers = [each for each in lesson.teacher_logits if each is not None]
        if SOFT in learner.weights and self.targets is not None:
            if lesson.student_logits is None or not teachers:
                raise PluginError(f"{name} has no logits to learn soft targets with.")
            yield SOFT, self.targets.loss(lesson.student_logits, teachers)
        if name in self.extras:
            yield from self.extras[name](lesson).items()

    def _weights(self, learner: Learner, progress: float) -> dict[str, float]:
        share = min(1.0, progress / self.warmup) if self.warmup else 1.0
        return {
            name: weight if name == SOFT else share * weight
            for name, weight in learner.weights.items()
        }

    def shown(self, losses: Mapping[str, float], batch: int) -> dict[str, float]:
        """Give those losses that a method wants a person to see as another number."""
        found = {}
        for name, value in losses.items():
            learner, _, loss = name.partition(".")
            display = getattr(self.learners[learner].extras, "display", None)
            if loss != SOFT and display is not None:
                seen = float(display(loss, value, batch))
                if seen != value:
                    found[name] = seen
        return found


def _seed(seed: int, device: torch.device) -> None:
    # torch.manual_seed queues a call, with its whole stack, for every GPU that nobody uses yet.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _lesson(learner: Learner, batch: Batch, taught: Taught, progress: float) -> Lesson:
    """Let a student look at a batch."""
    network, stages = learner.network, learner.stages
    taps = tuple(dict.fromkeys(stage.student.tap for stage in stages))
    seen = network.observe(batch.inputs[network.reader.key], taps)
    meetings = tuple(
        Meeting(student=align(seen.features[stage.student.tap], stage.student), teachers=teachers)
        for stage, teachers in zip(stages, taught.features if stages else (), strict=True)
    )
    return Lesson(
        meetings=meetings,
        student_logits=None if seen.logits is None else seen.logits.float(),
        teacher_logits=taught.logits,
        progress=progress,
        rows=batch.rows,
    )
