"""A student looks at a batch: once, and as often as its method needs."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.training.aligning import align
from zoo.types.training import FeatureShape, Lesson, Meeting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from zoo.training.setup import Batch, Learner, Taught
    from zoo.types.distilling import Mixed
    from zoo.types.training import Observed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One batch, as one learner saw it.

    Attributes:
        lesson: what its method is told.
        mixed: how its samples lent one another something; None where they did not.
    """

    lesson: Lesson
    mixed: Mixed | None = None


def see(
    learner: Learner,
    batch: Batch,
    taught: Taught,
    *,
    progress: float,
    rows: Tensor | None = None,
    labels: Tensor | None = None,
) -> Seen:
    """Run a student over a batch.

    Args:
        learner: the student, and what its method wants to see of it.
        batch: inputs of its reader.
        taught: what the teachers say.
        progress: share of the training that is done.
        rows: (B,) numbers of the samples among those that are trained on.
        labels: (B,) columns of their labels.
    """
    network, stages = learner.network, learner.stages
    inputs = batch.inputs[network.reader.key]
    shapes = (*(stage.student for stage in stages), *learner.watched)
    taps = tuple(dict.fromkeys(shape.tap for shape in shapes))
    kept: list[Mixed] = []
    mixing = _mixing(learner, kept)
    seen = network.observe(inputs, taps, *([mixing] if mixing else []))
    # Methods sit a mixed batch out, and nobody else reads the parts.
    parts = [None] * len(stages) if kept or not learner.partial else _parts(learner, batch)
    aligned = {shape: align(seen.features[shape.tap], shape) for shape in dict.fromkeys(shapes)}
    meetings = tuple(
        Meeting(student=aligned[stage.student], teachers=teachers, partial=part)
        for stage, teachers, part in zip(
            stages, taught.features if stages else (), parts, strict=True
        )
    )
    lesson = Lesson(
        meetings=meetings,
        student_logits=None if seen.logits is None else seen.logits.float(),
        teacher_logits=taught.logits,
        progress=progress,
        rows=batch.rows if rows is None else rows,
        watched=tuple(aligned[shape] for shape in learner.watched),
        labels=labels,
        again=_Again(learner, inputs) if learner.again else None,
    )
    return Seen(lesson=lesson, mixed=kept[0] if kept else None)


def _mixing(learner: Learner, kept: list[Mixed]) -> Mapping[str, Callable[[Tensor], Tensor]] | None:
    """Let the augmenter change some batches; what it did is put into ``kept``."""
    augmenter = learner.augmenter
    if augmenter is None or not learner.network.module.training:
        return None
    if float(torch.rand(())) >= augmenter.probability:
        return None

    def mix(features: Tensor) -> Tensor:
        mixed = augmenter.mix(features)
        kept[:] = [mixed]
        return mixed.features

    return {learner.tap: mix}


def _parts(learner: Learner, batch: Batch) -> Sequence[Tensor]:
    """Give the student's vectors of a part of every sample, one a stage."""
    stages = learner.stages
    taps = tuple(dict.fromkeys(stage.student.tap for stage in stages))
    with _aside(learner.network.module):
        seen = learner.network.observe(batch.partial[learner.network.reader.key], taps)
    return [
        align(seen.features[each.tap], FeatureShape(tap=each.tap, width=each.width))
        for each in (stage.student for stage in stages)
    ]


class _Again:
    """Implements :class:`zoo.types.distilling.Observes` for one batch."""

    def __init__(self, learner: Learner, inputs: Mapping[str, Tensor]) -> None:
        self._network, self._inputs = learner.network, inputs

    def __call__(
        self,
        *,
        taps: Sequence[str] = (),
        alter: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
        frozen: bool = False,
    ) -> Observed:
        """Run the student again."""
        module = self._network.module
        with _aside(module), _frozen(module) if frozen else nullcontext():
            return self._network.observe(self._inputs, taps, *([alter] if alter else []))


@contextmanager
def _aside(module: nn.Module) -> Iterator[None]:
    """Let a pass leave no trace in the running statistics, which are those of whole samples."""
    # A batch's own statistics normalise it all the same, and nothing is counted either.
    norms = [
        each
        for each in module.modules()
        if isinstance(each, _BatchNorm) and each.training and each.track_running_stats
    ]
    for each in norms:
        each.track_running_stats = False
    try:
        yield
    finally:
        for each in norms:
            each.track_running_stats = True


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Keep gradients from the weights; what a pass is given may still have some."""
    trained = [each for each in module.parameters() if each.requires_grad]
    for each in trained:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in trained:
            each.requires_grad_(True)
