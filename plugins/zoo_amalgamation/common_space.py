"""The space in which a student meets its teachers: adapters, one shared extractor, decoders.

Luo et al., "Knowledge Amalgamation from Heterogeneous Networks by Common Feature Learning",
IJCAI 2019, arXiv 1906.10546. Maps take the layers of its official code, or those with batch
normalisation of KamalEngine; vectors those of KamalEngine. Every sample keeps its grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Common:
    """One batch in the common space of k channels.

    Attributes:
        student: (B, k, H, W) or (B, k).
        teachers: one of the same shape a teacher.
        reconstructions: what the decoders make of them: the shapes of the teachers' features.
    """

    student: Tensor
    teachers: tuple[Tensor, ...]
    reconstructions: tuple[Tensor, ...]


class CommonSpace(nn.Module):
    """Bring features of any width into one space, and those of the teachers back.

    Args:
        adapt_teachers: one a teacher; nothing is shared between them.
        adapt_student: that of the student.
        extractor: the same weights for all of them.
        decoders: one a teacher.
        together: run the extractor once over all; wrong where it normalises by the batch.
    """

    def __init__(
        self,
        *,
        adapt_teachers: Sequence[nn.Module],
        adapt_student: nn.Module,
        extractor: nn.Module,
        decoders: Sequence[nn.Module],
        together: bool = True,
    ) -> None:
        super().__init__()
        self.adapt_teachers = nn.ModuleList(adapt_teachers)
        self.adapt_student = adapt_student
        self.extractor = extractor
        self.decoders = nn.ModuleList(decoders)
        self.together = together

    def forward(self, student: Tensor, teachers: Sequence[Tensor]) -> Common:
        """Map (B, C_s, ...) of the student and (B, C_i, ...) of every teacher."""
        pairs = zip(self.adapt_teachers, teachers, strict=True)
        # Teachers first: with batch normalisation the order decides the running statistics.
        adapted = [*(adapt(features) for adapt, features in pairs), self.adapt_student(student)]
        if self.together:
            *common, own = self.extractor(torch.cat(adapted)).split(len(student))
        else:
            *common, own = (self.extractor(each) for each in adapted)
        decoded = zip(self.decoders, common, strict=True)
        return Common(
            student=own,
            teachers=tuple(common),
            reconstructions=tuple(decoder(features) for decoder, features in decoded),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, (B, C, H, W) -> (B, k, H, W).

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv 1512.03385.

    Args:
        inputs: C.
        width: k; the shortcut is a 1x1 convolution where it differs from C.
        normalise: add batch normalisation.
    """

    def __init__(self, inputs: int, width: int, *, normalise: bool = False) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if normalise else nn.Identity
        self.first = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        self.first_norm = norm(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = norm(width)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != width:
            self.shortcut = nn.Conv2d(inputs, width, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Add what the convolutions give to the input, and rectify."""
        inner = self.first_norm(self.first(maps)).relu()
        inner = self.second_norm(self.second(inner))
        outer: Tensor = inner + self.shortcut(maps)
        return outer.relu()


def official(student: int, teachers: Sequence[int], *, width: int, blocks: int = 3) -> CommonSpace:
    """Make the block for maps of the official code, without normalisation anywhere.

    Args:
        student: channels of the student's maps.
        teachers: those of each teacher's.
        width: k of the common space; adapters give 2k.
        blocks: residual blocks of the extractor.
    """

    def adapter(inputs: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inputs, 2 * width, 1, bias=False), nn.ReLU())

    def decoder(outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(width, outputs, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False),
        )

    return CommonSpace(
        adapt_teachers=[adapter(inputs) for inputs in teachers],
        adapt_student=adapter(student),
        extractor=nn.Sequential(
            ResidualBlock(2 * width, width),
            *(ResidualBlock(width, width) for _ in range(blocks - 1)),
        ),
        decoders=[decoder(outputs) for outputs in teachers],
    )


def batch_normalised(
    student: int, teachers: Sequence[int], *, width: int, blocks: int = 2
) -> CommonSpace:
    """Make the block for maps of KamalEngine, with batch normalisation everywhere.

    The shared extractor sees every teacher, in order, and then the student in each step: its
    running statistics are a mixture of all of them. See :func:`official` for the arguments.
    """

    def pointwise(inputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, width, 1), nn.BatchNorm2d(width), nn.ReLU()]

    return CommonSpace(
        adapt_teachers=[nn.Sequential(*pointwise(inputs)) for inputs in teachers],
        adapt_student=nn.Sequential(*pointwise(student)),
        extractor=nn.Sequential(
            *(ResidualBlock(width, width, normalise=True) for _ in range(blocks))
        ),
        decoders=[
            nn.Sequential(*pointwise(width), nn.Conv2d(width, outputs, 1)) for outputs in teachers
        ],
        together=False,
    )


def for_vectors(student: int, teachers: Sequence[int], *, width: int) -> CommonSpace:
    """Make the block for vectors (B, D) of KamalEngine; see :func:`official` for the arguments."""

    def two_layers(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))

    def adapter(inputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, width), nn.ReLU())

    return CommonSpace(
        adapt_teachers=[adapter(inputs) for inputs in teachers],
        adapt_student=adapter(student),
        extractor=two_layers(width, width),
        decoders=[two_layers(width, outputs) for outputs in teachers],
    )
