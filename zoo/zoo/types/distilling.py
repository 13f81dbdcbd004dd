"""The contract of distillation: what moves knowledge into a student, regularises it, mixes it.

The core owns the loop and adds methods up; each sees lessons and gives losses. A method that looks
at one teacher is built once for every teacher, and knows nothing of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from PIL.Image import Image
    from torch import Tensor, nn

    from zoo.types.training import FeatureShape, Lesson, Stage, TrainableNetwork

#: ``own``: every network's own grid; ``common``: maps pooled to the smallest grid of the pair, all
#: vectors where one is; ``vector``: one vector a sample.
Form = Literal["own", "common", "vector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Where a method compares, or only looks.

    Attributes:
        student: a tap of the student.
        teachers: one tap of each teacher; empty where the student alone is looked at.
        form: in which the features are given.
    """

    student: str
    teachers: tuple[str, ...] = ()
    form: Form = "own"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classroom:
    """Everything that a method is built for.

    Attributes:
        stages: one a :class:`Pair` with teachers, in their order.
        watched: one a pair without teachers, in their order.
        teachers: how many there are.
        samples: n, samples that are trained on; ``lesson.rows`` are numbers below it. An estimate
            until the training starts.
        batch: B, samples of one forward pass.
        classes: C, columns of the student's head; 0 without one.
        head: for each teacher how many of the C columns it has a logit for; 0 without.
        labelled: whether lessons have labels.
        labels: (n,) int64 column of each sample, -1 where it is not known; None without labels and
            until the training starts.
        memory: free bytes of the device; None where nobody knows.
    """

    stages: tuple[Stage, ...] = ()
    watched: tuple[FeatureShape, ...] = ()
    teachers: int = 1
    samples: int = 1
    batch: int = 1
    classes: int = 0
    head: tuple[int, ...] = ()
    labelled: bool = False
    labels: Tensor | None = None
    memory: int | None = None


class Distiller(Protocol):
    """A method that teaches a student what teachers know.

    Its options are the keyword parameters of ``__init__``. Where its spec says ``teachers="each"``
    it sees one teacher at a time, whatever their number. It may offer ``golden() ->
    Iterable[Golden]``, numbers that are known to be right; ``zoo plugins check`` compares.
    """

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Choose where to compare.

        Args:
            teachers: for each teacher its layers, in the order of the forward pass; the last one
                is the last map, grid of tokens or vector before the head.
            student: those of the student.

        Returns:
            The pairs; empty where the method reads logits alone.

        Raises:
            InputError: they cannot be paired, and what to do.
        """
        ...

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Say before anything is trained what cannot work, one sentence a problem."""
        ...

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give the weight of each loss relative to the others; the spec's ``weight`` comes on top.

        Args:
            teachers: that it sees.
        """
        ...

    def build(self, classroom: Classroom) -> nn.Module:
        """Make what is trained beside the student and thrown away with the training.

        Its ``forward(lesson: Lesson) -> Mapping[str, Tensor]`` gives scalar losses by name,
        unweighted. What has to survive an interruption is a parameter or a buffer. It may offer
        ``display(name: str, value: float, batch: int) -> float``, the number that a person should
        see instead of the raw one, and ``findings() -> Mapping[str, Any]``, options that it found
        and that a later run may be given.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Golden:
    """A batch whose losses are known, by hand or from the authors' code.

    Attributes:
        lesson: the batch; the module is brought to the type of its numbers.
        losses: what the module gives for it, unweighted.
        state: parameters and buffers of the module; empty: as it is built.
        classroom: what the module is built for; None: what the lesson shows.
        tolerance: the largest error, relative or absolute.
    """

    lesson: Lesson
    losses: Mapping[str, float]
    state: Mapping[str, Tensor] = field(default_factory=dict)
    classroom: Classroom | None = None
    tolerance: float = 1e-5


class Regulariser(Protocol):
    """A method that looks at the student alone."""

    def watch(self, student: Sequence[FeatureShape]) -> Sequence[str]:
        """Name the taps to look at.

        Raises:
            InputError: this student has nothing for it to look at, and what to do.
        """
        ...

    def weights(self) -> Mapping[str, float]:
        """Give the weight of each loss."""
        ...

    def build(self, classroom: Classroom) -> nn.Module:
        """Make a module like that of :meth:`Distiller.build`, which reads ``lesson.watched``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixed:
    """Features of a batch in which samples lend one another something.

    Attributes:
        features: of the shape that was given.
        order: (B,) int64; sample b lent from sample ``order[b]``.
        share: of the loss that is b's own, in [0, 1]; the rest is that of the lender.
    """

    features: Tensor
    order: Tensor
    share: float


class Augmenter(Protocol):
    """A method that changes what the student computes at one layer, in training only."""

    @property
    def probability(self) -> float:
        """Share of the batches that are mixed, in [0, 1]."""
        ...

    def tap(self, student: Sequence[FeatureShape]) -> str:
        """Name the layer.

        Raises:
            InputError: this student has none that can be mixed, and what to do.
        """
        ...

    def mix(self, features: Tensor) -> Mixed:
        """Mix (B, C, H, W) maps or (B, D) vectors; draws from torch's own generator."""
        ...


class Pretext(Protocol):
    """A task that images alone define: which seed an altered patch was made from."""

    def seeds(self, samples: int) -> int:
        """Say how many of so many images become classes; they are spread evenly."""
        ...

    def patch(self, image: Image, draw: random.Random) -> Image:
        """Cut the seed out of an RGB image."""
        ...

    def alter(self, patch: Image, draw: random.Random) -> Image:
        """Transform a seed at random; a new one in every epoch."""
        ...

    def build(self, width: int, classes: int) -> nn.Module:
        """Make the head: ``forward(features: (B, width), classes: (B,) int64)`` -> scalar loss."""
        ...


class Calibrator(Protocol):
    """A method that makes the probabilities of a trained classifier honest."""

    def fit(
        self, network: TrainableNetwork, batches: Callable[[], Iterable[Studied]]
    ) -> Mapping[str, Tensor]:
        """Look at the network on some data; its weights stay as they are.

        Args:
            network: frozen, in eval mode.
            batches: gives the data from the start, as often as it is called.

        Returns:
            What :meth:`probabilities` needs; it is kept beside the model.
        """
        ...

    def probabilities(
        self,
        network: TrainableNetwork,
        fitted: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
    ) -> Tensor:
        """Give (B, C) calibrated probabilities, rows sum to one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Studied:
    """One batch for a :class:`Calibrator`.

    Attributes:
        inputs: as the network's reader collates them.
        labels: (B,) int64 column of the right label, -1 where it is not known; None without.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor | None = None


class Observes(Protocol):
    """Another forward pass of the student over the batch of a lesson."""

    def __call__(
        self,
        *,
        taps: Sequence[str] = (),
        alter: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
        frozen: bool = False,
    ) -> Any:
        """Run the student again.

        Args:
            taps: layers to read.
            alter: tap -> what to put in the place of its features, of the shape that they have.
            frozen: its weights get no gradient from this pass; what is put in may.

        Returns:
            :class:`zoo.types.training.Observed`.
        """
        ...
