# ruff: noqa: ARG002 - the contract names what it passes
"""HeroCon: student and teacher as two views of a sample, contrasted with and without labels.

Zheng, Xiong, Zhu, He, "Contrastive Learning with Complex Heterogeneity", KDD 2022. The paper trains
both encoders; here the second view is a teacher, which stays as it is. Two of its three losses are
here, the classifier's is the trainer's loss of the labels.

The published code differs from itself: the linear model divides the unsupervised loss by m = 2B and
the supervised one by ``|N| + 1``, the convolutional ones by B and by ``|N|``, where a class without
negatives divides by zero. The factor m only moves the value, so m is an argument and n by default;
``|N| + 1`` is what Zoo takes. The linear model also contrasts labels on the features
before their projection; here a student and a teacher of any widths and scales meet, so z joins the
projected views. The pairs of a sample with itself count, and there is no temperature.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair


class HeterogeneousContrast:
    """Draw the student's view of a sample to the teacher's, and samples of a class together.

    The authors choose both weights by data set: MNIST 0.1 and 1, scene 0.7 and 0.02, XRMB 5 and
    0.01, CelebA 0.05 and 0.1. The defaults are those for images with one label.

    Args:
        alpha: weight of the contrast of the two views.
        beta: weight of the contrast of the labels, which is summed over classes.
        width: of the projected views.
    """

    def __init__(self, *, alpha: float = 0.1, beta: float = 1.0, width: int = 200) -> None:
        for name, value in (("alpha", alpha), ("beta", beta)):
            if value < 0:
                raise InputError(f"herocon.{name} is a weight, 0 or more, not {value}.")
        if not alpha and not beta:
            raise InputError("herocon.alpha and herocon.beta are both 0: nothing is left.")
        if width < 1:
            raise InputError(f"herocon.width must be 1 or more, not {width}.")
        self.alpha, self.beta, self.width = alpha, beta, width

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Pair the last vectors.

        Raises:
            InputError: a network has no layer.
        """
        return at_the_end(teachers, student, "herocon")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept what could be paired."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh the two contrasts as the options say."""
        return {"views": self.alpha, "labels": self.beta}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make the projections of both views, and the net that weighs pairs."""
        return WeightedContrast(classroom, self.width)


class WeightedContrast(nn.Module):
    """The losses of one batch; see :class:`HeterogeneousContrast`."""

    def __init__(self, classroom: Classroom, width: int) -> None:
        super().__init__()
        (stage,) = classroom.stages
        self.student = nn.Linear(stage.student.width, width)
        self.teacher = nn.Linear(stage.teachers[0].width, width)
        self.weigh = nn.Linear(width, width)
        self.classes = classroom.classes

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give both contrasts; that of the labels is zero where no label is known."""
        (meeting,) = lesson.meetings
        first = self.student(meeting.student)
        second = self.teacher(meeting.teachers[0].detach())
        losses = {"views": view_contrast(first, second, self.weigh)}
        if lesson.labels is not None:
            joined = torch.cat([first, second], dim=1)
            losses["labels"] = single_label_contrast(joined, lesson.labels, self.classes)
        return losses


def view_contrast(
    first: Tensor, second: Tensor, weigh: nn.Module, *, constant: float | None = None
) -> Tensor:
    """Contrast two views of every sample; likely false negatives weigh little.

    Args:
        first: (n, D).
        second: (n, D).
        weigh: (n, D) -> (n, D), before a sigmoid: what pairs are weighed by.
        constant: m that the sum is divided by; n by default.

    Returns:
        mean_j log( sum_i w_ij s_ij / (s_jj m) ) with s = exp(cosine).
    """
    similar = cosines(first, second)
    unlike = 1 - cosines(weigh(first).sigmoid(), second)
    other = 1 - cosines(weigh(second).sigmoid(), first)
    weights = 0.5 * (unlike.exp() + other.exp())
    total = (weights * similar.exp()).sum(0).log() - similar.diagonal()
    return total.mean() - math.log(constant or len(first))


def single_label_contrast(joined: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Contrast the samples of a class with those of all others.

    Args:
        joined: (n, D).
        labels: (n,) int64, -1 where one is not known: such a sample is nobody's negative.
        classes: C.

    Returns:
        :func:`label_contrast` without its weights.
    """
    known = labels >= 0
    columns = labels.clamp(min=0)
    targets = functional.one_hot(columns, max(classes, 1)).to(joined.dtype) * known[:, None]
    anchors = torch.arange(len(labels), device=labels.device), columns
    scores = cosines(joined, joined).exp()
    return _contrast(scores, scores, targets, known, anchors)


def label_contrast(joined: Tensor, targets: Tensor, *, multi_label: bool = True) -> Tensor:
    """Contrast samples by their labels, of which each may have several.

    Args:
        joined: (n, D).
        targets: (n, C) of 0 and 1.
        multi_label: weigh pairs by how far their labels differ: positives by one minus the share
            of labels that do, negatives by their number.

    Returns:
        sum_c mean_{i,j in P_c} log( (sum_k b_jk s_jk + a_ij s_ij) / (a_ij s_ij (|N_c| + 1)) ).
    """
    hamming = (
        targets @ (1 - targets).mT + (1 - targets) @ targets.mT
        if multi_label
        else targets.new_zeros(len(targets), len(targets))
    )
    known = torch.ones(len(targets), dtype=torch.bool, device=targets.device)
    samples, classes = targets.nonzero(as_tuple=True)
    scores = cosines(joined, joined).exp()
    pushed = scores * hamming if multi_label else scores
    pulled = scores * (1 - hamming / targets.shape[1])
    return _contrast(pulled, pushed, targets, known, (samples, classes))


def cosines(first: Tensor, second: Tensor) -> Tensor:
    """(n, D), (m, D) -> (n, m)."""
    return functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).mT


def _contrast(
    pulled: Tensor,
    pushed: Tensor,
    targets: Tensor,
    known: Tensor,
    anchors: tuple[Tensor, Tensor],
) -> Tensor:
    """Sum over the (sample j, its class c) that are listed as ``anchors``, and all i of c.

    Args:
        pulled: (n, n) a s, of positives.
        pushed: (n, n) b s, of negatives.
        targets: (n, C); zero for rows that are not known.
        known: (n,) bool.
        anchors: sample and class, (A,) int64 each.
    """
    samples, classes = anchors
    outside = (1 - targets) * known[:, None]
    negatives = (pushed @ outside)[samples, classes]
    inside = (targets.mT[classes] > 0) & known[samples, None]
    # A pair of an anchor and a sample outside its class has no term, and may have no logarithm.
    positives = pulled[samples].masked_fill(~inside, 1.0)
    count = outside.sum(0)[classes] + 1
    terms = ((negatives[:, None] + positives) / (positives * count[:, None])).log()
    members = targets.sum(0)[classes].clamp(min=1)
    return (terms * inside / members[:, None].square()).sum()
