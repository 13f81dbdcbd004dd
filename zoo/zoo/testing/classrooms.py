"""Made-up classrooms, and lessons of them: what distillers and regularisers are tried on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from zoo.testing.promises import BrokenPromiseError
from zoo.training.aligning import align
from zoo.types.distilling import Classroom
from zoo.types.training import FeatureShape, Lesson, Meeting, Observed, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from torch import Tensor

    from zoo.testing.lessons import Networks

#: Samples that are trained on, more than any batch, and columns of the student's head.
SAMPLES, CLASSES = 40, 5
#: Every so many samples the label of one is not known.
_UNKNOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """A lesson, and those tensors of it that a gradient may reach.

    Attributes:
        lesson: what a method sees.
        features: tap of the student -> its features there.
    """

    lesson: Lesson
    features: Mapping[str, Tensor]

    def reached(self) -> set[str]:
        """Name the taps, and ``logits``, that a gradient has reached."""
        found = {tap for tap, values in self.features.items() if _has_gradient(values)}
        return found | ({"logits"} if _has_gradient(self.lesson.student_logits) else set())


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Who is in a classroom, and what is known there.

    Attributes:
        networks: student and teachers.
        stages: where they meet.
        watched: taps of the student that are looked at.
        given: what there is beside features, see :class:`zoo.types.specs.DistillerSpec`.
        head: the student has logits.
        headless: numbers of teachers without logits, though others may have some.
        batch: samples.
    """

    networks: Networks
    stages: tuple[Stage, ...] = ()
    watched: tuple[FeatureShape, ...] = ()
    given: frozenset[str] = frozenset()
    head: bool = False
    headless: Collection[int] = field(default=())
    batch: int = 7

    def sized(self, batch: int) -> Study:
        """Take another number of samples."""
        return replace(self, batch=batch)

    @property
    def labels(self) -> Tensor | None:
        """Those of all samples, of which some are not known."""
        if "labels" not in self.given:
            return None
        labels = torch.arange(SAMPLES, device="cpu") % CLASSES
        labels[::_UNKNOWN] = -1
        return labels

    def classroom(self, *, planned: bool = False) -> Classroom:
        """Describe it; as it is ``planned``, labels are not read yet."""
        return Classroom(
            stages=self.stages,
            watched=self.watched,
            teachers=self.networks.count,
            samples=SAMPLES,
            batch=self.batch,
            classes=CLASSES if self.head else 0,
            head=tuple(CLASSES * self._speaks(each) for each in range(self.networks.count)),
            labelled="labels" in self.given,
            labels=None if planned else self.labels,
        )

    def lesson(self, *, seed: int = 0, progress: float = 0.5, known: bool = True) -> Drawn:
        """Draw a batch: normal numbers in float32, equal for equal seeds.

        Args:
            seed: of everything.
            progress: share of the training that is done.
            known: whether any label is, where there are labels.
        """
        generator = torch.Generator().manual_seed(seed)

        def draw(*size: int) -> Tensor:
            return torch.randn(self.batch, *size, generator=generator)

        rows = torch.randperm(SAMPLES, generator=generator)[: self.batch]
        speech = [draw(CLASSES) for _ in range(self.networks.count)]
        logits = draw(CLASSES).requires_grad_()
        features = {each.tap: draw(*_size(each)).requires_grad_() for each in self.networks.student}
        theirs = [
            {each.tap: draw(*_size(each)) for each in layers} for layers in self.networks.teachers
        ]
        lesson = Lesson(
            meetings=tuple(self._meeting(stage, features, theirs, draw) for stage in self.stages),
            student_logits=logits if self.head else None,
            teacher_logits=tuple(
                values if self._speaks(number) else None for number, values in enumerate(speech)
            ),
            progress=progress,
            rows=rows,
            watched=tuple(align(features[each.tap], each) for each in self.watched),
            labels=_labels_of(self.labels, rows, known=known),
            again=_Again(features, head=self.head) if "student_again" in self.given else None,
        )
        return Drawn(lesson=lesson, features=features)

    def _speaks(self, teacher: int) -> bool:
        return "logits" in self.given and teacher not in self.headless

    def _meeting(
        self,
        stage: Stage,
        features: Mapping[str, Tensor],
        theirs: Sequence[Mapping[str, Tensor]],
        draw: Callable[..., Tensor],
    ) -> Meeting:
        part = draw(stage.student.width).requires_grad_()
        return Meeting(
            student=align(features[stage.student.tap], stage.student),
            teachers=tuple(
                # A copy: whoever writes over it writes over this stage alone.
                align(own[each.tap], each).clone()
                for own, each in zip(theirs, stage.teachers, strict=True)
            ),
            partial=part if "partial_view" in self.given else None,
        )


class _Again:
    """A student of one layer: its logits are a linear function of all its features."""

    def __init__(self, features: Mapping[str, Tensor], *, head: bool) -> None:
        self._features, self._head = features, head
        generator = torch.Generator().manual_seed(0)
        self._weights = {
            tap: torch.randn(values.shape[1], CLASSES, generator=generator).requires_grad_()
            for tap, values in features.items()
        }

    def __call__(
        self,
        *,
        taps: Sequence[str] = (),
        alter: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
        frozen: bool = False,
    ) -> Any:
        """Run the student again."""
        changes = dict(alter or {})
        if strange := sorted({*taps, *changes} - self._features.keys()):
            raise BrokenPromiseError(
                f"lesson.again is asked for {strange[0]!r}, which is no layer of the student"
            )
        seen: dict[str, Tensor] = {}
        logits = torch.zeros(())
        for tap, values in self._features.items():
            seen[tap] = values.detach() if frozen else values
            if tap in changes:
                seen[tap] = _changed(tap, seen[tap], changes[tap])
            weights = self._weights[tap].detach() if frozen else self._weights[tap]
            vector = align(seen[tap], FeatureShape(tap=tap, width=values.shape[1]))
            logits = logits + vector.tanh() @ weights
        return Observed(
            features={tap: seen[tap] for tap in taps}, logits=logits if self._head else None
        )


def _changed(tap: str, values: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    found = change(values)
    if found.shape != values.shape:
        raise BrokenPromiseError(
            f"lesson.again is given {tuple(found.shape)} in the place of the features of {tap!r}, "
            f"which are {tuple(values.shape)}"
        )
    return found


def without(study: Study, knowledge: Collection[str]) -> Study:
    """Take away some of what is known."""
    return replace(study, given=study.given - set(knowledge))


def seen_in(lesson: Lesson) -> Classroom:
    """Describe the classroom of a lesson that somebody wrote down."""
    stages = tuple(
        Stage(
            student=_shape_of(f"student.{number}", each.student),
            teachers=tuple(_shape_of(f"teacher.{number}", one) for one in each.teachers),
        )
        for number, each in enumerate(lesson.meetings)
    )
    widths = (each.shape[1] if each is not None else 0 for each in lesson.teacher_logits)
    met = [len(each.teachers) for each in lesson.meetings]
    first = next((each.student for each in lesson.meetings), lesson.student_logits)
    batch = 1 if first is None else len(first)
    return Classroom(
        stages=stages,
        watched=tuple(_shape_of(f"watched.{n}", each) for n, each in enumerate(lesson.watched)),
        teachers=max(*met, len(lesson.teacher_logits), 1),
        samples=batch if lesson.rows is None else max(batch, int(lesson.rows.max()) + 1),
        batch=batch,
        classes=0 if lesson.student_logits is None else lesson.student_logits.shape[1],
        head=tuple(widths),
        labelled=lesson.labels is not None,
    )


def _shape_of(tap: str, values: Tensor) -> FeatureShape:
    grid = (values.shape[2], values.shape[3]) if values.ndim == 4 else None
    return FeatureShape(tap=tap, width=values.shape[1], grid=grid)


def _labels_of(labels: Tensor | None, rows: Tensor, *, known: bool) -> Tensor | None:
    if labels is None:
        return None
    return labels[rows] if known else torch.full_like(rows, -1)


def _size(shape: FeatureShape) -> tuple[int, ...]:
    return (shape.width, *(shape.grid or ()))


def _has_gradient(values: Tensor | None) -> bool:
    return values is not None and values.grad is not None and bool(values.grad.any())
