"""The numbers that LiGO learns: how channels and layers combine old ones."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import nn

from zoo.growing.axes import generator_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zoo.types.growing import AxisMap


class WidthFactor(nn.Module):
    """B of one axis: each old channel once, as it is, and learned combinations of them.

    Args:
        found: where the old channels are; what repeats one, or none, is learned.
        old: n.
        generator: of the combinations, which begin positive and with sum one.
    """

    def __init__(self, found: AxisMap, old: int, generator: torch.Generator) -> None:
        super().__init__()
        new = len(found.index)
        places: list[int] = []
        seen: set[int] = set()
        for source in found.index.tolist():
            kept = source >= 0 and source not in seen
            places.append(source if kept else old + len(places) - len(seen))
            seen |= {source} if kept else set()
        self._places = torch.tensor(places)
        drawn = torch.rand(new - old, old, generator=generator)
        self.rows = nn.Parameter(drawn / drawn.sum(1, keepdim=True))

    def forward(self, value: Tensor, dim: int, *, squared: bool = False) -> Tensor:
        """Apply it along one dimension; ``squared`` for variances, of channels taken as apart."""
        rows = self.rows.square() if squared else self.rows
        extra = torch.tensordot(rows, value, dims=([1], [dim])).movedim(0, dim)
        return torch.cat([value, extra], dim).index_select(dim, self._places.to(value.device))


class DepthFactor(nn.Module):
    """w of one parameter of layers of one form: a combination of the old ones for each new one.

    Args:
        olds: the parameter in every old layer.
        first: for each new layer the place of the old one that it begins as.
        noise: how much of the others it begins with, at most.
        generator: of the noise.
    """

    def __init__(
        self, olds: Sequence[Tensor], first: Sequence[int], noise: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._olds = torch.stack(list(olds))
        drawn = torch.rand(len(first), len(olds), generator=generator) * noise
        drawn[torch.arange(len(first)), torch.tensor(first)] = 1.0
        self.weights = nn.Parameter(drawn / drawn.sum(1, keepdim=True))

    def forward(self) -> Tensor:
        """Give the parameter in every new layer, one after another."""
        combined: Tensor = torch.tensordot(self.weights, self._olds, 1)
        return combined


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """A dimension of a parameter, as parts of channels within channels.

    Attributes:
        parts: names of axes, or sizes, that vary slowest first, one list a part.
        sizes: their sizes before.
    """

    parts: tuple[tuple[str, ...], ...]
    sizes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, layout: str, olds: Mapping[str, int]) -> Layout:
        """Read ``a*b+c``: see :class:`zoo.types.growing.Dim`."""
        parts = tuple(tuple(part.split("*")) for part in layout.split("+"))
        sizes = tuple(
            tuple(int(each) if each.isdigit() else olds[each] for each in part) for part in parts
        )
        return cls(parts=parts, sizes=sizes)


def widened(
    value: Tensor,
    dim: int,
    layout: Layout,
    factors: Mapping[str, WidthFactor],
    *,
    squared: bool = False,
    scales: Sequence[float] = (),
) -> Tensor:
    """Apply the factors of a layout along one dimension.

    Args:
        value: a parameter, or a combination of some.
        dim: which.
        layout: of that dimension.
        factors: axis -> factor; an axis that does not grow has none.
        squared: the values are variances.
        scales: what each part is multiplied by; empty: by nothing.
    """
    found = []
    totals = [prod(sizes) for sizes in layout.sizes]
    for number, piece in enumerate(torch.split(value, totals, dim)):
        unfolded = torch.unflatten(piece, dim, layout.sizes[number])
        for place, name in enumerate(layout.parts[number]):
            if name in factors:
                unfolded = factors[name].forward(unfolded, dim + place, squared=squared)
        folded = unfolded.flatten(dim, dim + len(layout.parts[number]) - 1)
        found.append(folded * scales[number] if scales else folded)
    return torch.cat(found, dim)


def generator_for(seed: int, *words: str) -> torch.Generator:
    """Give a generator of its own to every factor."""
    return generator_of(seed, "ligo", *words)
