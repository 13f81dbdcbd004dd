"""FPI, the function preserving initialisation of bert2BERT: random copies of everything.

Chen et al., "bert2BERT: Towards Reusable Pretrained Language Models", ACL 2022 (arXiv 2110.07143):
Net2WiderNet on every matrix, heads copied whole, embeddings and the gains of norms copied alike;
the widened layers are stacked where the network becomes deeper.

Its name holds where no norm goes over what grows. Random copies of a hidden size change the mean
and the variance that a norm divides by, and a layer that is stacked is not silent. With ``tiled``
a hidden size that becomes a multiple is copied as a whole, as the re-implementation beside LEMON
does for every size; that is exact. Where the paper leaves copies equal, readers get the noise of
Net2Net here, which no network that keeps its function sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.growing.axes import cycled, drawn, generator_of, tiled
from zoo.growing.choosing import exact_maps
from zoo_growth.net2net import Net2Net
from zoo_growth.stacking import restacked, stacking

if TYPE_CHECKING:
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Axis, AxisMap, Blueprint

_WHY = "copies of some channels change what a norm over all of them divides by"


class Fpi(Net2Net):
    """Implements :class:`zoo.types.growers.Grower`.

    Args:
        tiled: copy what is under a norm from its beginning on, not at random.
        noise: as in Net2Net.
        symmetric: as in Net2Net.
    """

    def __init__(self, *, tiled: bool = False, noise: float = 1.0, symmetric: bool = False) -> None:
        super().__init__(noise=noise, symmetric=symmetric)
        self.tiled = tiled

    def amend(self, blueprint: Blueprint, network: WholeNetwork) -> Blueprint:
        """Repeat all layers, one after another."""
        return restacked(blueprint, network, stacking)

    def choose(self, blueprint: Blueprint, seed: int) -> dict[str, AxisMap]:
        """Copy random channels, whatever sees them."""
        return copies(blueprint, seed, whole=self.tiled)


def copies(blueprint: Blueprint, seed: int, *, whole: bool) -> dict[str, AxisMap]:
    """Copy random channels of every axis, or those under a norm from their beginning on."""
    maps = exact_maps(blueprint.axes, seed)
    for name, axis in blueprint.axes.items():
        if axis.new != axis.old and axis.repetition != "free":
            maps[name] = _copied(axis, seed, whole=whole)
    return maps


def _copied(axis: Axis, seed: int, *, whole: bool) -> AxisMap:
    why = axis.why or _WHY
    if not whole:
        return drawn(axis.old, axis.new, generator_of(seed, axis.name), why)
    if axis.repetition == "fixed" or axis.new % axis.old:
        return cycled(axis.old, axis.new, why)
    return tiled(axis.old, axis.new)
