# ruff: noqa: ARG002 - the contract names what it passes
"""Layer-wise amalgamation: a compressed joint code of homogeneous teachers at every depth.

Shen, Wang, Song, Sun, Song, "Amalgamating Knowledge towards Comprehensive Classification", AAAI
2019, arXiv 1811.02796, trained jointly as in KamalEngine. The teachers' features are concatenated
and encoded into as many channels as the student has there; the student's are drawn to that code,
sample by sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.training import FeatureShape, Lesson, Stage

    Grid = tuple[int, int] | None


class LayerWise:
    """Draw the student, at every depth, to a joint code of teachers with the same layers."""

    def pair(
        self, teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Pair layer by layer where the student's are like the teachers', else one a grid.

        Raises:
            InputError: the teachers' layers differ, or the student shares no grid with them.
        """
        first = [layer.grid for layer in teachers[0]]
        for number, layers in enumerate(teachers[1:], start=2):
            if [layer.grid for layer in layers] != first:
                raise InputError(
                    "Layer-wise amalgamation needs teachers with the same layers: teacher 1 has "
                    f"{_described(teachers[0])}, teacher {number} has {_described(layers)}.",
                    "zoo amalgamate --method cfl takes teachers of any architecture",
                )
        if [layer.grid for layer in student] == first:
            return tuple(
                (own.tap, tuple(each[depth].tap for each in teachers))
                for depth, own in enumerate(student)
            )
        return self._by_grid(teachers, student)

    def check(self, stages: Sequence[Stage], batch: int) -> Sequence[str]:
        """Accept what could be paired."""
        return ()

    def weights(self, teachers: int) -> Mapping[str, float]:
        """Weigh both losses alike."""
        return {"amalgamation": 1.0, "reconstruction": 1.0}

    def build(self, stages: Sequence[Stage]) -> nn.Module:
        """Make one joint code a stage."""
        return JointCodes([_code(stage) for stage in stages])

    @staticmethod
    def _by_grid(
        teachers: Sequence[Sequence[FeatureShape]], student: Sequence[FeatureShape]
    ) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Pair the last layer that each network has on a grid, for every grid they share."""
        own, *others = (
            {layer.grid: layer.tap for layer in layers} for layers in (student, *teachers)
        )
        shared = [grid for grid in own if all(grid in other for other in others)]
        if not shared:
            raise InputError(
                "Layer-wise amalgamation compares layers of one grid, and the student shares none: "
                f"it has {_described(student)}, the teachers have {_described(teachers[0])}.",
                "zoo amalgamate --method cfl brings all networks onto one grid",
            )
        return tuple((own[grid], tuple(other[grid] for other in others)) for grid in shared)


class JointCodes(nn.Module):
    """The losses of one batch; see :class:`LayerWise`."""

    def __init__(self, codes: Sequence[JointCode]) -> None:
        super().__init__()
        self.codes = nn.ModuleList(codes)

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Sum each loss over the stages, unweighted: name -> scalar."""
        pairs = zip(self.codes, lesson.meetings, strict=True)
        losses = [code(meeting.student, meeting.teachers) for code, meeting in pairs]
        amalgamation, reconstruction = (
            torch.stack(each).sum() for each in zip(*losses, strict=True)
        )
        return {"amalgamation": amalgamation, "reconstruction": reconstruction}


class JointCode(nn.Module):
    """One depth: an encoder and a decoder of all teachers, and an adapter of the student.

    Args:
        student: its channels c_s, also those of the code.
        teachers: channels c_i of each teacher.
        maps: whether features are (B, C, H, W), not (B, C).
    """

    def __init__(self, student: int, teachers: Sequence[int], *, maps: bool = True) -> None:
        super().__init__()
        self.widths = list(teachers)
        self.encoder = _pointwise(sum(teachers), student, maps=maps)
        self.adapter = _pointwise(student, student, maps=maps)
        self.decoder = _pointwise(student, sum(teachers), maps=maps)

    def forward(self, student: Tensor, teachers: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Give the loss of the student and that of the code: (B, c_s, ...), (B, c_i, ...) each."""
        code, adapted, decoded = self.features(student, teachers)
        errors = [
            functional.mse_loss(each, target.detach())
            for each, target in zip(decoded, teachers, strict=True)
        ]
        # The code is made for the teachers alone: the student follows it and does not shape it.
        return functional.mse_loss(adapted, code.detach()), torch.stack(errors).sum()

    def features(
        self, student: Tensor, teachers: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Give the code, the adapted student, both (B, c_s, ...), and the decoded teachers."""
        code = self.encoder(torch.cat(tuple(teachers), dim=1))
        decoded = self.decoder(code).split(self.widths, dim=1)
        return code, self.adapter(student), decoded


def _code(stage: Stage) -> JointCode:
    widths = [each.width for each in stage.teachers]
    return JointCode(stage.student.width, widths, maps=stage.teachers[0].grid is not None)


def _pointwise(inputs: int, outputs: int, *, maps: bool) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 1) if maps else nn.Linear(inputs, outputs)


def _described(layers: Sequence[FeatureShape]) -> str:
    """Say how many layers there are, and on which grids: ``4 layers (56x56, 28x28, 14x14)``."""
    grids = dict.fromkeys(_grid_name(layer.grid) for layer in layers)
    count = f"{len(layers)} layer{'s' * (len(layers) != 1)}"
    return f"{count} ({', '.join(grids)})" if grids else count


def _grid_name(grid: Grid) -> str:
    return "vectors" if grid is None else f"{grid[0]}x{grid[1]}"
