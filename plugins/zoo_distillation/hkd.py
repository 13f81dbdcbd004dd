# ruff: noqa: ARG002 - the contract names what it passes
"""Holistic knowledge distillation: features and the graph between samples, fused and contrasted.

Zhou et al., "Distilling Holistic Knowledge with Graph Neural Networks", ICCV 2021, as in the
authors' code. There positives are the other network's, as in contrastive distillation, while
negatives are the anchor's own, by two names that are swapped; the memory has the embeddings of
single samples, not those of the graph; and the temperature is fixed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.memory import (
    Negatives,
    UnitLinear,
    initial_memory,
    problems,
    products,
    remember,
    smoothed,
)
from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

Source = Literal["own", "cross"]

#: Share of the old vector that a memory keeps.
_MOMENTUM = 0.9
#: Share of the memory in the positive of an embedding of the graph.
_SMOOTHING = 0.75


class HolisticDistillation:
    """Contrast what networks know of a sample, alone and among its neighbours in the batch.

    Args:
        width: of the embeddings and the memories.
        neighbours: samples that each is joined with, itself included. A batch with fewer is
            contrasted without a graph, and not remembered.
        negatives: whose memory they come from: the anchor's ``own`` network, as in the authors'
            code, or across (``cross``), where the positives are.
        count: how many they are; None takes 4096, or all others where there are fewer. The authors
            took 16384.
        temperature: by which similarities are divided.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        neighbours: int = 8,
        negatives: Source = "own",
        count: int | None = None,
        temperature: float = 0.07,
    ) -> None:
        for name, value, least in (
            ("width", width, 1),
            ("neighbours", neighbours, 2),
            ("count", count, 1),
        ):
            if value is not None and value < least:
                raise InputError(f"hkd.{name} must be {least} or more, not {value}.")
        if negatives not in get_args(Source):
            raise InputError(
                f"hkd.negatives must be own or cross, not {negatives!r}.",
                "--set hkd.count=1024 says how many",
            )
        if not 0 < temperature < math.inf:
            raise InputError(f"hkd.temperature must be above 0, not {temperature}.")
        self.width = width
        self.neighbours = neighbours
        self.cross = negatives == "cross"
        self.count = count
        self.temperature = temperature

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare the vectors at the end."""
        return at_the_end(teachers, student, "hkd")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Refuse memories that the device cannot hold, and batches without a graph."""
        found = problems(
            "hkd",
            classroom,
            width=self.width,
            count=self.count,
            anchors=2,
            instead={"count=1024": (self.width, 1024), "width=32": (32, self.count)},
        )
        if classroom.batch < self.neighbours:
            found.append(
                f"hkd joins every sample with {self.neighbours} of its batch, which has "
                f"{classroom.batch}: --batch {self.neighbours}"
            )
        return found

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh both losses alike."""
        return {"individual": 1.0, "holistic": 1.0}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make an embedding, a graph network and a memory of each network."""
        (stage,) = classroom.stages
        return HolisticContrast(
            stage.student.width,
            stage.teachers[0].width,
            self.width,
            Negatives(classroom.samples, self.count, classroom.labels),
            neighbours=self.neighbours,
            cross=self.cross,
            temperature=self.temperature,
        )


class HolisticContrast(nn.Module):
    """The losses of one batch; see :class:`HolisticDistillation`.

    Args:
        student: D, width of its vectors.
        teacher: D_t, width of the teacher's.
        width: of the embeddings.
        negatives: draws them.
        neighbours: of a sample in the graph.
        cross: whether negatives come from the other network's memory.
        temperature: of the similarities.
    """

    student_memory: Tensor
    teacher_memory: Tensor

    def __init__(
        self,
        student: int,
        teacher: int,
        width: int,
        negatives: Negatives,
        *,
        neighbours: int = 8,
        cross: bool = False,
        temperature: float = 0.07,
    ) -> None:
        super().__init__()
        self.student = UnitLinear(student, width)
        self.teacher = UnitLinear(teacher, width)
        self.student_graph = GraphEncoder(width)
        self.teacher_graph = GraphEncoder(width)
        self.negatives = negatives
        self.neighbours = neighbours
        self.cross = cross
        self.temperature = temperature
        self.register_buffer("student_memory", initial_memory(negatives.samples, width))
        self.register_buffer("teacher_memory", initial_memory(negatives.samples, width))

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``individual`` and ``holistic``, the latter 0 for a batch without a graph."""
        (meeting,) = lesson.meetings
        own, other = lesson.student_logits, lesson.teacher_logits[0]
        assert lesson.rows is not None
        assert own is not None
        assert other is not None
        rows = lesson.rows.to(self.student_memory.device)
        return self.contrast(
            meeting.student, meeting.teachers[0], (own, other), rows, self.negatives(rows)
        )

    def contrast(
        self,
        student: Tensor,
        teacher: Tensor,
        logits: tuple[Tensor, Tensor],
        rows: Tensor,
        chosen: Tensor,
    ) -> dict[str, Tensor]:
        """Compare samples with given negatives, and remember them.

        Args:
            student: (B, D).
            teacher: (B, D_t).
            logits: (B, C) of the student, and of the teacher.
            rows: (B,) int64 numbers of the samples.
            chosen: (B, K) int64 numbers of the negatives.
        """
        own, other = self.student(student), self.teacher(teacher.detach())
        before = self.student_memory[rows], self.teacher_memory[rows]
        if len(rows) < self.neighbours:
            individual = self._against((own[:, None], other[:, None]), before, chosen)
            return {"individual": individual.sum(), "holistic": individual.new_zeros(())}
        graphs = [adjacency(graph_distances(each), self.neighbours) for each in logits]
        fused = self.student_graph(own, graphs[0]), self.teacher_graph(other, graphs[1])
        positives = [
            torch.stack([remembered, smoothed(remembered, graph.detach(), _SMOOTHING)], dim=1)
            for remembered, graph in zip(before, fused, strict=True)
        ]
        anchors = torch.stack([own, fused[0]], dim=1), torch.stack([other, fused[1]], dim=1)
        individual, holistic = self._against(anchors, positives, chosen)
        remember(self.student_memory, rows, own, _MOMENTUM)
        remember(self.teacher_memory, rows, other, _MOMENTUM)
        return {"individual": individual, "holistic": holistic}

    def _against(
        self, anchors: Sequence[Tensor], positives: Sequence[Tensor], chosen: Tensor
    ) -> Tensor:
        """Add both networks' losses up: (B, A, width) anchors, (B, A or none, width) -> (A,)."""
        memories = [self.student_memory, self.teacher_memory]
        if self.cross:
            memories.reverse()
        total = anchors[0].new_zeros(())
        for anchor, positive, memory in zip(anchors, reversed(positives), memories, strict=True):
            sharp = anchor / self.temperature
            same = (sharp * positive.view_as(anchor)).sum(dim=2)
            total = total + info_nce(same, products(sharp, memory, chosen))
        return total


class GraphEncoder(nn.Module):
    """One hop of a topology-adaptive graph convolution, to length one.

    Du et al., "Topology Adaptive Graph Convolutional Networks", 2017, arXiv 1710.10370. All nodes
    have the same number of neighbours, so the symmetric normalisation is a mean.

    Args:
        width: of nodes, before and after.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = UnitLinear(2 * width, width)

    def forward(self, nodes: Tensor, graph: Tensor) -> Tensor:
        """Fuse nodes (B, width) with their neighbours by an adjacency (B, B) of zeros and ones."""
        around = graph.to(nodes.dtype) @ nodes / graph[0].sum()
        fused: Tensor = self.linear(torch.cat([nodes, around], dim=1))
        return fused


def graph_distances(logits: Tensor) -> Tensor:
    """Give one minus the cosine of class probabilities, (B, C) -> (B, B), without a gradient."""
    unit = functional.normalize(logits.detach().softmax(dim=1), dim=1)
    return 1 - unit @ unit.mT


def adjacency(distances: Tensor, neighbours: int) -> Tensor:
    """Join every sample with its nearest, itself the first of them: (B, B) -> (B, B), 1 or 0."""
    # An equal sample must not take a node's place among its own neighbours.
    nearest = distances.clone().fill_diagonal_(-1.0).topk(neighbours, largest=False).indices
    return torch.zeros_like(distances).scatter_(1, nearest, 1.0)


def info_nce(positive: Tensor, negatives: Tensor) -> Tensor:
    """Give the cross-entropy of the positive among all, a mean over the batch.

    Args:
        positive: (B, A) similarities divided by the temperature.
        negatives: (B, A, K).

    Returns:
        (A,).
    """
    return functional.softplus(negatives.logsumexp(dim=2) - positive, threshold=40).mean(dim=0)
