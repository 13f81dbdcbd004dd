# ruff: noqa: ARG002 - the contract names what it passes
"""Common-feature learning: one space into which the student and all teachers are mapped.

Luo, Wang, Fang, Hu, Tao, Song, "Knowledge Amalgamation from Heterogeneous Networks by Common
Feature Learning", IJCAI 2019, arXiv 1906.10546. The loss is that of its official code: soft
targets, the discrepancy (MMD) in the common space, and the reconstruction of the teachers'
features, without which a constant space would do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo_amalgamation import common_space, mmd
from zoo_amalgamation.pairing import by_depth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.training import FeatureShape, Lesson, Meeting, Stage
    from zoo_amalgamation.common_space import Common, CommonSpace

CommonLoss = Literal["mmd", "paired", "mmd+paired"]
Bandwidth = Literal["fixed", "adaptive"]
Block = Literal["official", "batch_norm"]

#: Channels of the published common space.
PUBLISHED_WIDTH = 128
SMALLEST_BATCH = 4


class CommonFeatureLearning:
    """Draw the student to its teachers in a common space that can be decoded.

    Args:
        common_loss: ``mmd`` compares batches as sets, as published; ``paired`` each sample with
            itself: the squared distance of the normalised features; or both.
        bandwidth: the seven published kernels, or five around the mean distance of the batch.
        width: channels of the common space; 0 takes the published 128, or the student's width
            where that is smaller: a narrow student cannot fill a wide space.
        blocks: residual blocks of the extractor of maps; vectors have two linear layers.
        stages: depths at which to compare, evenly spaced, the last one at the end of the networks.
        block: layers for maps: those of the official code, or with batch normalisation. There the
            shared extractor sees all teachers and then the student in every step, so that its
            running statistics mix them.
    """

    def __init__(
        self,
        *,
        common_loss: CommonLoss = "mmd",
        bandwidth: Bandwidth = "fixed",
        width: int = 0,
        blocks: int = 3,
        stages: int = 1,
        block: Block = "official",
    ) -> None:
        _one_of("common_loss", common_loss, CommonLoss)
        _one_of("bandwidth", bandwidth, Bandwidth)
        _one_of("block", block, Block)
        if width < 0:
            raise InputError(f"cfl.width must be 0 or more, not {width}.")
        for name, value in (("blocks", blocks), ("stages", stages)):
            if value < 1:
                raise InputError(f"cfl.{name} must be 1 or more, not {value}.")
        self.common_losses = tuple(common_loss.split("+"))
        self.sigmas = mmd.SIGMAS if bandwidth == "fixed" else None
        self.width = width
        self.blocks = blocks
        self.stages = stages
        self.block = block

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Pair the last layers, or those at ``stages`` relative depths."""
        return by_depth(teachers, student, self.stages, "cfl")

    def check(self, stages: Sequence[Stage], batch: int) -> Sequence[str]:
        """Refuse batches that are too small to be compared as sets."""
        if "mmd" in self.common_losses and batch < SMALLEST_BATCH:
            said = f"Common-feature learning compares batches as sets: {batch} samples a batch are"
            return (f"{said} too few, {SMALLEST_BATCH} are the least, 16 or more are advised.",)
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh all losses alike; they are sums over the teachers, whose number is not in it."""
        return dict.fromkeys((*self.common_losses, "reconstruction"), 1.0)

    def build(self, stages: Sequence[Stage]) -> nn.Module:
        """Make one common space a stage."""
        return CommonFeatures(
            [self._space(stage) for stage in stages],
            losses=self.common_losses,
            sigmas=self.sigmas,
            comparisons=sum(len(stage.teachers) for stage in stages),
        )

    def _space(self, stage: Stage) -> CommonSpace:
        student, teachers = stage.student.width, [each.width for each in stage.teachers]
        width = self.width or min(PUBLISHED_WIDTH, student)
        if stage.teachers[0].grid is None:
            return common_space.for_vectors(student, teachers, width=width)
        make = common_space.official if self.block == "official" else common_space.batch_normalised
        return make(student, teachers, width=width, blocks=self.blocks)


class CommonFeatures(nn.Module):
    """The losses of one batch; see :class:`CommonFeatureLearning`.

    Args:
        spaces: one a stage.
        losses: of the common space: ``mmd``, ``paired``.
        sigmas: bandwidths, see :func:`zoo_amalgamation.mmd.mmd`.
        comparisons: discrepancies that are summed: teachers times stages.
    """

    def __init__(
        self,
        spaces: Sequence[CommonSpace],
        *,
        losses: Sequence[str],
        sigmas: Sequence[float] | None,
        comparisons: int,
    ) -> None:
        super().__init__()
        self.spaces = nn.ModuleList(spaces)
        self.losses = tuple(losses)
        self.sigmas = sigmas
        self.comparisons = comparisons

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Sum each loss over teachers and stages, unweighted: name -> scalar."""
        totals: dict[str, Tensor] = {}
        for space, meeting in zip(self.spaces, lesson.meetings, strict=True):
            for name, value in self._losses(space, meeting):
                totals[name] = totals[name] + value if name in totals else value
        return totals

    def display(self, name: str, value: float, batch: int) -> float:
        """Take off a discrepancy what two batches of one distribution have, down to 0."""
        if name != "mmd":
            return value
        return max(0.0, value - self.comparisons * mmd.floor(batch, sigmas=self.sigmas))

    def _losses(self, space: nn.Module, meeting: Meeting) -> list[tuple[str, Tensor]]:
        common: Common = space(meeting.student, meeting.teachers)
        losses = []
        if "mmd" in self.losses:
            apart = mmd.discrepancies(common.student, common.teachers, sigmas=self.sigmas)
            losses.append(("mmd", apart.sum()))
        if "paired" in self.losses:
            losses.append(("paired", paired(common.student, common.teachers)))
        losses.append(("reconstruction", reconstruction(common.reconstructions, meeting.teachers)))
        return losses


def paired(student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
    """Sum over teachers the mean squared distance of each normalised sample to its partner.

    Args:
        student: (B, ...) in the common space.
        teachers: of the same shape.
    """
    with torch.autocast(student.device.type, enabled=False):
        own, *others = (_normalised(each) for each in (student, *teachers))
        return torch.stack([(own - each).square().sum(-1).mean() for each in others]).sum()


def reconstruction(decoded: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """Sum over teachers the mean squared error of the decoded (B, C_i, ...) features."""
    errors = [
        functional.mse_loss(each, target.detach())
        for each, target in zip(decoded, features, strict=True)
    ]
    return torch.stack(errors).sum()


def _normalised(samples: Tensor) -> Tensor:
    flat = samples.flatten(1)
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    return functional.normalize(flat, eps=mmd.FLOOR)


def _one_of(option: str, value: str, choices: object) -> None:
    names = get_args(choices)
    if value not in names:
        listed = ", ".join(names[:-1]) + f" or {names[-1]}"
        raise InputError(f"cfl.{option} must be {listed}, not {value!r}.")
