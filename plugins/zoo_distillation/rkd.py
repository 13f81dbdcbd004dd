# ruff: noqa: ARG002 - the contract names what it passes
"""Relational distillation: the distances and the angles between the samples of a batch.

Park, Kim, Lu, Cho, "Relational Knowledge Distillation", CVPR 2019, arXiv 1904.05068. No network
has to have the other's width, and there is nothing to train beside the student. The weights 25 and
50 are those for classification; the authors' code, for metric learning, uses 1 and 2.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.pairing import at_the_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types import Classroom, FeatureShape, Lesson, Pair

#: Smallest squared distance of two samples.
_FLOOR = 1e-12
#: Squared distances below so many roundings of the squared lengths say nothing.
_ROUNDINGS = 16


class RelationalDistillation:
    """Draw the distances and the angles of the student's batch to the teacher's.

    Args:
        distance: weight of the distances between two samples; 0 leaves them out.
        angle: weight of the angles between three samples; 0 leaves them out.
        most: samples whose angles are compared, of which there are ``most`` cubed; of a larger
            batch the first ones.
    """

    def __init__(self, *, distance: float = 25.0, angle: float = 50.0, most: int = 128) -> None:
        for name, value in (("distance", distance), ("angle", angle)):
            if not 0 <= value < inf:
                raise InputError(f"rkd.{name} must be a number of 0 or more, not {value}.")
        if distance == angle == 0:
            raise InputError("rkd.distance and rkd.angle are both 0: nothing is left to learn.")
        if most < 3:
            raise InputError(f"rkd.most must be 3 or more, the corners of an angle, not {most}.")
        self.named = {"distance": distance, "angle": angle}
        self.most = most

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[Pair]:
        """Compare the vectors at the end."""
        return at_the_end(teachers, student, "rkd")

    def check(self, classroom: Classroom) -> Sequence[str]:
        """Accept everything."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Give those of the losses that are not left out."""
        return {name: weight for name, weight in self.named.items() if weight}

    def build(self, classroom: Classroom) -> nn.Module:
        """Make a module without parameters."""
        return RelationalLoss(tuple(self.weights(1)), self.most)


class RelationalLoss(nn.Module):
    """The losses of one batch; see :class:`RelationalDistillation`."""

    def __init__(self, names: Sequence[str], most: int) -> None:
        super().__init__()
        self.names = names
        self.most = most

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give ``distance`` and ``angle``: smooth L1 errors, means over all pairs and triples."""
        (meeting,) = lesson.meetings
        own = squared_distances(meeting.student)
        other = squared_distances(meeting.teachers[0].detach())
        losses = {}
        if "distance" in self.names:
            losses["distance"] = functional.smooth_l1_loss(distances(*own), distances(*other))
        if "angle" in self.names:
            few = slice(self.most)
            mine, theirs = (angles(*(each[few, few] for each in both)) for both in (own, other))
            losses["angle"] = functional.smooth_l1_loss(mine, theirs)
        return losses


def squared_distances(features: Tensor) -> tuple[Tensor, Tensor]:
    """Give squared distances (B, B) of (B, D) features, and which pairs are apart (B, B).

    Two samples are apart unless their distance is below 1e-6 or lost in rounding.
    """
    # Distances are those between centred features, which lose less to rounding.
    centred = features - features.detach().mean(dim=0)
    products = centred @ centred.mT
    lengths = products.diagonal()
    scale = lengths[:, None] + lengths
    squared = scale - 2 * products
    lost = _ROUNDINGS * torch.finfo(features.dtype).eps * scale.detach()
    return squared, squared > lost.clamp_min(_FLOOR)


def distances(squared: Tensor, apart: Tensor) -> Tensor:
    """Give (B, B) distances divided by their mean, in which the diagonal has no part.

    Equal samples are 1e-6 apart, as published, and get no gradient.
    """
    size = len(squared)
    same = torch.eye(size, dtype=torch.bool, device=squared.device)
    found = squared.where(apart, _FLOOR).sqrt().masked_fill(same, 0.0)
    return found * (size * (size - 1) / found.sum())


def angles(squared: Tensor, apart: Tensor) -> Tensor:
    """Give (B, B, B) cosines: entry i, j, k of the angle at i between j and k.

    By the law of cosines they follow from the distances, so that nothing is as large as B^2 D. An
    angle with a side of no length counts as 0; the published code gives it that value too, and a
    gradient 1e12 times as large as others.
    """
    inverse = (2 * squared).where(apart, inf).rsqrt()
    opposite = squared[:, :, None] + (squared[:, None, :] - squared)
    return opposite * inverse[:, :, None] * inverse[:, None, :]
