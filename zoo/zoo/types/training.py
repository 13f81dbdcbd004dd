"""The contract of everything that is trained: networks with gradients, and what methods add.

The core owns the loop: data, teachers, soft targets, optimiser, checkpoints. A runtime opens
networks for it (:class:`Trains`); a method adds losses (:class:`Amalgamator`) or combines weights
(:class:`Merger`). Nothing here imports a framework; tensors and modules are those of torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from zoo.types.distilling import Observes
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Head, RuntimeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureShape:
    """What a tap gives for one sample, in the form in which networks are compared.

    Attributes:
        tap: its name.
        width: channels of a map, or the width of a vector.
        grid: (height, width) of a map; None for one vector a sample.
    """

    tap: str
    width: int
    grid: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One depth at which the student meets its teachers.

    Attributes:
        student: its tap there.
        teachers: theirs, in the order of the teachers; all are on one grid, or all vectors, unless
            a :class:`zoo.types.distilling.Pair` asked for everybody's own.
    """

    student: FeatureShape
    teachers: tuple[FeatureShape, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Meeting:
    """The features of one batch at one :class:`Stage`.

    Attributes:
        student: (B, C, H, W) or (B, D) float32, with a gradient.
        teachers: as many, as the stage says, each with its own width, without gradients.
        partial: the student's features, as vectors (B, C), of a less informed view of the same
            samples; None unless the method's spec needs ``partial_view``.
    """

    student: Tensor
    teachers: tuple[Tensor, ...]
    partial: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """One batch, as a method sees it.

    Attributes:
        meetings: one a stage, in the order of the stages.
        student_logits: (B, C); None for a student without a head.
        teacher_logits: one (B, C_i) a teacher; None where it has no head. In distillation they
            are in the student's columns, (B, C), and None where the teacher lacks one of them.
        progress: share of the training that is done, in [0, 1].
        rows: (B,) int64, numbers of the samples among those that are trained on, from 0.
        watched: features of the student at layers where it meets nobody, see
            :class:`zoo.types.distilling.Classroom`.
        labels: (B,) int64 columns of the right labels, -1 where one is not known; None without
            labels.
        again: runs the student over this batch once more; None where a spec does not need it.
    """

    meetings: tuple[Meeting, ...] = ()
    student_logits: Tensor | None = None
    teacher_logits: tuple[Tensor | None, ...] = ()
    progress: float = 0.0
    rows: Tensor | None = None
    watched: tuple[Tensor, ...] = ()
    labels: Tensor | None = None
    again: Observes | None = None


class Amalgamator(Protocol):
    """A method of training that adds losses to the soft targets.

    Its options are the keyword parameters of ``__init__``.
    """

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Choose where to compare: (tap of the student, a tap of each teacher), once a stage.

        Args:
            teachers: for each teacher its layers, in the order of the forward pass.
            student: those of the student.

        Returns:
            The pairs; empty where the method reads logits alone.

        Raises:
            InputError: they cannot be paired, and what to do.
        """
        ...

    def check(self, stages: Sequence[Stage], batch: int) -> Sequence[str]:
        """Say before anything is trained what cannot work, one sentence a problem."""
        ...

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of each loss that the module of :meth:`build` returns."""
        ...

    def build(self, stages: Sequence[Stage]) -> nn.Module:
        """Make what is trained beside the student and thrown away with the training.

        Its ``forward(lesson: Lesson) -> Mapping[str, Tensor]`` gives scalar losses by name,
        unweighted. It may offer ``display(name: str, value: float, batch: int) -> float``: the
        number that a person should see instead of the raw one.
        """
        ...


@runtime_checkable
class Merger(Protocol):
    """A method that combines the weights of checkpoints of one architecture, tensor by tensor."""

    @property
    def needs_base(self) -> bool:
        """Whether it reads the checkpoint that the others were made from."""
        ...

    def check(self, models: int) -> Sequence[str]:
        """Say what cannot work with so many models, one sentence a problem."""
        ...

    def merge(self, name: str, tensors: Sequence[Tensor], base: Tensor | None) -> Tensor:
        """Combine one tensor of every model.

        Args:
            name: its name in the state dict; a seed for methods that draw.
            tensors: one a model, of one shape, float32 or float64.
            base: that of the common ancestor, where ``needs_base``.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRequest:
    """What a student is to be.

    Attributes:
        labels: C names of its head; empty: no head, an extractor.
        initial: start from the weights of the checkpoint, or from random ones.
        head: draw a new one, or keep the trained one of the checkpoint, whose labels are these.
        seed: of everything that is drawn.
        inputs_like: takes over the preprocessing of this checkpoint where it has none of its own.
    """

    labels: tuple[str, ...] = ()
    initial: Literal["pretrained", "random"] = "pretrained"
    head: Literal["new", "keep"] = "new"
    seed: int = 0
    inputs_like: Checkpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """What one network says about a batch.

    Attributes:
        features: tap -> (B, C, H, W) for maps and grids of tokens (special tokens are left out),
            (B, D) for vectors and for texts, which are averaged under their mask; float32.
        logits: (B, C) float32; None without a head.
    """

    features: Mapping[str, Tensor] = field(default_factory=dict)
    logits: Tensor | None = None


class InputReader(Protocol):
    """What turns one sample into what a network reads. Small, and can be sent to a process."""

    @property
    def key(self) -> str:
        """Equal for two readers whose :meth:`prepare` and :meth:`collate` give the same."""
        ...

    def prepare(self, sample: Any) -> Any:
        """Resize one PIL image (RGB) to (H, W, 3) uint8 or (C, H, W) float32; keep a text."""
        ...

    def collate(self, samples: Sequence[Any]) -> dict[str, Tensor]:
        """Normalise, or tokenise and pad: what :meth:`TrainableNetwork.observe` takes, on cpu."""
        ...


class TrainableNetwork(Protocol):
    """An open checkpoint that gradients flow through."""

    @property
    def module(self) -> nn.Module:
        """The whole network, on its device; frozen and in eval mode unless it is a student."""
        ...

    @property
    def reader(self) -> InputReader:
        """Its side of the data."""
        ...

    @property
    def head(self) -> Head | None:
        """What its logits mean."""
        ...

    @property
    def layers(self) -> Sequence[FeatureShape]:
        """Its layers in the order of the forward pass, without the logits.

        The last one is the last map, grid of tokens or vector before the head.
        """
        ...

    def observe(
        self,
        inputs: Mapping[str, Tensor],
        taps: Sequence[str],
        alter: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    ) -> Observed:
        """One forward pass; gradients flow where the caller lets them.

        Args:
            inputs: as the reader collates them.
            taps: layers to read.
            alter: layer -> function of its features, in the form of :class:`Observed`, whose
                result the network goes on with; special tokens stay as they are.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write model, configuration and preprocessing in the format of the Hub."""
        ...


@runtime_checkable
class Trains(Protocol):
    """A runtime that opens networks with gradients (optional)."""

    def open_teacher(
        self, checkpoint: Checkpoint, options: RuntimeOptions, modality: str
    ) -> TrainableNetwork:
        """Load a checkpoint with its trained head, frozen, in eval mode.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...

    def open_student(
        self,
        checkpoint: Checkpoint,
        options: RuntimeOptions,
        modality: str,
        request: StudentRequest,
    ) -> TrainableNetwork:
        """Load or make a network with the head that is asked for.

        Args:
            checkpoint: whose folder needs no weights where ``request.initial`` is ``random``.
            options: how to run.
            modality: which tower of a model that has several.
            request: its head and its beginning.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...

    def layers(
        self, checkpoint: Checkpoint, modality: str, student: StudentRequest | None = None
    ) -> tuple[Sequence[FeatureShape], int]:
        """Name :attr:`TrainableNetwork.layers` and count parameters, from the configuration alone.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """What one network does to one batch, known before it has any weight.

    A trace lists what happens to memory: a number from 0 on is a block of so many bytes that is
    taken; ``-1 - n`` gives the n-th block back, counted from 0 over ``forward`` and ``backward``.

    Attributes:
        parameters: bytes of the weights and of what belongs to them.
        trained: bytes of those that have gradients; 0 for a teacher.
        inputs: bytes of the batch as it reads it.
        forward: trace of the forward pass; what it leaves is saved for the backward pass or is
            its result.
        backward: trace of the backward pass, gradients of the weights included; empty for a
            teacher.
        dense: floating-point operations of matrix products and of dense convolutions.
        grouped: of convolutions in groups.
        moved: bytes that everything else reads and writes.
    """

    parameters: int
    trained: int = 0
    inputs: int = 0
    forward: tuple[int, ...] = ()
    backward: tuple[int, ...] = ()
    dense: float = 0.0
    grouped: float = 0.0
    moved: float = 0.0


@runtime_checkable
class Forecasts(Protocol):
    """A runtime that knows what a step costs from the configuration alone (optional)."""

    def step_cost(
        self,
        checkpoint: Checkpoint,
        modality: str,
        batch: int,
        *,
        student: StudentRequest | None = None,
        taps: Sequence[str] = (),
    ) -> StepCost:
        """Imagine one batch: forward for a teacher, and backward too for a student.

        Args:
            checkpoint: whose folder needs no weights.
            modality: which tower of a model that has several.
            batch: samples.
            student: what it is to be; None for a teacher.
            taps: layers that are read.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...
