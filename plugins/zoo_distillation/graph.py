# ruff: noqa: ARG002 - the contract names what it passes
"""Graph distillation: several teachers, compared class by class and pair by pair.

Zhang and Peng, "Better and Faster: Knowledge Transfer from Multiple Self-supervised Learning Tasks
via Graph Distillation for Video Classification", IJCAI 2018, arXiv 1804.10069. No code was ever
published and the paper leaves the details open, so these definitions are Zoo's own:

* logits graph: the earth mover distance between every teacher's softened classes and the student's,
  weighted for each sample by how sure the teachers are of it;
* representation graph: the maximum mean discrepancy between the compact bilinear features of every
  two teachers and a projection of the student's. It needs no labels and no heads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.bilinear import PairSketches, pairs_of
from zoo_distillation.pairing import at_the_end
from zoo_distillation.sinkhorn import class_costs, earth_mover, total_variation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

Cost = Literal["total_variation", "logits"]

#: Classes above which the transport between all pairs of them costs more than it teaches.
_MOST_CLASSES = 200
#: Bandwidths of the kernels that the discrepancy sums (Luo et al., IJCAI 2019).
_SIGMAS = (0.001, 0.01, 0.05, 0.1, 0.2, 1.0, 2.0)
_FLOOR = 1e-12


class GraphDistillation:
    """Learn the classes of several teachers, and how their features go together.

    Args:
        temperature: T that softens all logits.
        cost: of moving probability between two classes: ``total_variation`` counts every move as
            1, which has a closed form; ``logits`` counts one minus the cosine of the two classes'
            logits over the teachers' batch.
        epsilon: of the transport for ``logits``; smaller is more exact and needs more iterations.
        iterations: of the transport.
        sketch: D, width of the bilinear features.
        logits: weight of the logits graph, 0 leaves it out.
        representation: weight of the representation graph, 0 leaves it out.
    """

    def __init__(
        self,
        *,
        temperature: float = 2.0,
        cost: Cost = "total_variation",
        epsilon: float = 0.05,
        iterations: int = 50,
        sketch: int = 4096,
        logits: float = 1.0,
        representation: float = 1.0,
    ) -> None:
        for name, value in (("temperature", temperature), ("epsilon", epsilon)):
            if value <= 0:
                raise InputError(f"graph.{name} must be above 0, not {value}.")
        for name, value in (("iterations", iterations), ("sketch", sketch)):
            if value < 1:
                raise InputError(f"graph.{name} must be 1 or more, not {value}.")
        for name, value in (("logits", logits), ("representation", representation)):
            if value < 0:
                raise InputError(f"graph.{name} is a weight, 0 or more, not {value}.")
        if not logits and not representation:
            raise InputError("graph.logits and graph.representation are both 0: nothing is left.")
        if cost not in get_args(Cost):
            raise InputError(
                f"graph.cost is one of {', '.join(get_args(Cost))}, not {cost!r}.",
                "total_variation is the fast one",
            )
        self.temperature, self.cost = temperature, cost
        self.epsilon, self.iterations = epsilon, iterations
        self.sketch, self.logits, self.representation = sketch, logits, representation

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Pair the last vectors of everybody.

        Raises:
            InputError: a network has no layer.
        """
        return at_the_end(teachers, student, "graph") if self.representation else ()

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Refuse a transport between too many classes, and heads that nobody has."""
        found = []
        if self.logits and self.cost == "logits" and classroom.classes > _MOST_CLASSES:
            found.append(
                f"graph.cost=logits compares every two classes for every sample, at most "
                f"{_MOST_CLASSES}, and there are {classroom.classes}: take total_variation."
            )
        if not self.representation and not any(classroom.head):
            found.append(
                "graph.representation=0 leaves the logits, and no teacher has the student's "
                "classes: give it a weight."
            )
        return found

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh the two graphs as the options say."""
        weights = {"logits": self.logits, "representation": self.representation}
        return {name: weight for name, weight in weights.items() if weight}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make the sketches of the teachers and the projections of the student."""
        return Graphs(self, classroom)


class Graphs(nn.Module):
    """The losses of one batch; see :class:`GraphDistillation`."""

    def __init__(self, options: GraphDistillation, classroom: Classroom) -> None:
        super().__init__()
        self.options = options
        self.pooled = PairedRepresentations(classroom, options.sketch) if classroom.stages else None

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give both losses; that of the logits only where somebody has them."""
        losses = {}
        teachers = [each for each in lesson.teacher_logits if each is not None]
        if self.options.logits and teachers and lesson.student_logits is not None:
            losses["logits"] = self._transport(lesson.student_logits, torch.stack(teachers))
        if self.pooled is not None:
            (meeting,) = lesson.meetings
            losses["representation"] = self.pooled(meeting.student, meeting.teachers)
        return losses

    def _transport(self, student: Tensor, teachers: Tensor) -> Tensor:
        log_p = (teachers.detach() / self.options.temperature).log_softmax(-1)
        log_q = (student / self.options.temperature).log_softmax(-1)
        if self.options.cost == "total_variation":
            distances = total_variation(log_p, log_q)
        else:
            distances = earth_mover(
                log_p,
                log_q,
                class_costs(teachers.detach().flatten(0, 1)),
                epsilon=self.options.epsilon,
                iterations=self.options.iterations,
            )
        return (certainty(log_p) * distances).sum(0).mean()


class PairedRepresentations(nn.Module):
    """The representation graph.

    Args:
        classroom: with one stage, at which all teachers are vectors.
        size: D of the sketches.
    """

    def __init__(self, classroom: Classroom, size: int) -> None:
        super().__init__()
        (stage,) = classroom.stages
        self.sketches = PairSketches([each.width for each in stage.teachers], size)
        self.count, self.size = len(pairs_of(len(stage.teachers))), size
        # One layer for the projections to all pairs.
        self.projection = nn.Linear(stage.student.width, self.count * size)

    def forward(self, student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
        """Sum the discrepancies of all pairs: (B, D_s), (B, D_i) each -> scalar."""
        with torch.no_grad():
            pooled = self.sketches([each.detach() for each in teachers])
        given = self.projection(student).unflatten(-1, (self.count, self.size)).movedim(1, 0)
        return discrepancy(given, pooled).sum()


def certainty(log_p: Tensor) -> Tensor:
    """Weigh teachers by their certainty of each sample.

    Args:
        log_p: (M, B, C) logarithms of their probabilities.

    Returns:
        (M, B): softmax of minus the entropy, sums to one over the teachers.
    """
    return (log_p.exp() * log_p).sum(-1).softmax(0)


def discrepancy(u: Tensor, v: Tensor) -> Tensor:
    """Measure the squared maximum mean discrepancy of batches of normalised samples.

    Args:
        u: (..., B, D).
        v: of the same shape.

    Returns:
        (...), the biased V-statistic under a sum of Gaussian kernels, at least 0.
    """
    u, v = functional.normalize(u, dim=-1), functional.normalize(v, dim=-1)
    same = torch.eye(u.shape[-2], dtype=torch.bool, device=u.device)
    # Set, not computed: the narrowest kernel would read the rounding of the diagonal.
    within = [_distances(each, each).masked_fill(same, _FLOOR) for each in (u, v)]
    inside = _kernel(within[0]) + _kernel(within[1])
    return (inside - 2 * _kernel(_distances(u, v))).relu()


def _distances(u: Tensor, v: Tensor) -> Tensor:
    """Squared distances between rows of unit length."""
    return (2 - 2 * u @ v.mT).clamp_min(_FLOOR)


def _kernel(distances: Tensor) -> Tensor:
    """Average the summed kernels: (..., B, B) -> (...)."""
    kernels = [(distances / (-2 * sigma**2)).exp().mean((-2, -1)) for sigma in _SIGMAS]
    return torch.stack(kernels).sum(0)
