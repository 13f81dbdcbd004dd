"""What the training loop is given: students, teachers, targets, samples, a schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from PIL.Image import Image
    from torch import Tensor, nn

    from zoo.building.recipe import Schedule, Views
    from zoo.types.distilling import Augmenter
    from zoo.types.training import FeatureShape, InputReader, Stage, TrainableNetwork


class Targets(Protocol):
    """What the student's logits should become, given those of the teachers."""

    def loss(self, student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
        """Scalar loss of (B, C) logits against one (B, C_i) a teacher; gradients to the student."""
        ...


class Teaching(Protocol):
    """What the teachers say about a batch, computed now or read from the cache."""

    @property
    def readers(self) -> Mapping[str, InputReader]:
        """Reader key -> readers whose inputs :meth:`teach` wants; empty where it reads a cache."""
        ...

    def teach(self, batch: Batch) -> Taught:
        """Say what the method and the targets need; no gradients."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taught:
    """What the teachers say about a batch.

    Attributes:
        logits: one (B, C_i) float32 a teacher; None where it has no head.
        features: for each stage, one aligned (standardised where asked for) tensor a teacher.
    """

    logits: tuple[Tensor | None, ...]
    features: tuple[tuple[Tensor, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """One batch on its way to the networks.

    Attributes:
        rows: (B,) int64, numbers of the samples.
        views: (B,) int64, number of the view of each: 0 for the plain one.
        inputs: reader key -> what networks with this reader take.
        partial: the same of a part of every sample; empty where nobody wants it.
    """

    rows: Tensor
    views: Tensor
    inputs: Mapping[str, Mapping[str, Tensor]]
    partial: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learner:
    """One student in training. All of a run learn from the same batches and the same teachers.

    Attributes:
        network: the student.
        stages: where it meets its teachers; empty where it learns from logits alone.
        extras: what a method trains beside it, see :meth:`zoo.types.training.Amalgamator.build`.
        weights: name of a loss -> its weight, ``soft`` among them where it learns soft targets,
            ``labels`` where it learns those of the data.
        watched: its layers that a method looks at without teachers.
        partial: its stages are shown a part of every sample, too.
        again: a method may run it once more over a batch.
        augmenter: mixes samples at one layer of some batches.
        tap: that layer.
    """

    network: TrainableNetwork
    stages: tuple[Stage, ...] = ()
    extras: nn.Module | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    watched: tuple[FeatureShape, ...] = ()
    partial: bool = False
    again: bool = False
    augmenter: Augmenter | None = None
    tap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingSetup:
    """Everything that one training needs.

    Attributes:
        learners: name -> student: ``student``, and ``kd`` beside it where they are compared.
        teaching: the teachers.
        targets: None where nobody learns soft targets.
        samples: N inputs: :class:`zoo.types.ImageInput`, texts or pairs of texts.
        rows: numbers of those that are trained on.
        views: which crops the networks see.
        labels: (N,) int64 columns of the right labels, -1 where one is not known; None without.
        show: makes what the networks see of an image, its row and the number of its view; None
            crops it as ``views`` say. Worker processes need to be able to get it.
    """

    learners: Mapping[str, Learner]
    teaching: Teaching
    targets: Targets | None
    samples: Sequence[object]
    rows: Sequence[int]
    modality: str
    views: Views
    schedule: Schedule
    seed: int
    precision: str
    device: torch.device
    labels: Tensor | None = None
    show: Callable[[Image, int, int], Image] | None = None
