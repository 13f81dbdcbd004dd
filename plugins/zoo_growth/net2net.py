"""Net2Net: wider by copies of channels, deeper by layers that do nothing yet.

Chen, Goodfellow and Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016
(arXiv 1511.05641). Where the paper breaks the tie of copies by noise on what they read, which
changes the function, noise goes to their readers, in the null space of the copies. Under a norm,
whose function random copies would change, an axis is repeated as a whole and the rest holds its
mean or zeros: Wang et al., "LEMON: Lossless Model Expansion", ICLR 2024 (arXiv 2310.07999).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.growing.choosing import exact_maps
from zoo.growing.filling import fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.growers import Growth
    from zoo.types.growing import AxisMap, Blueprint


class Net2Net:
    """Implements :class:`zoo.types.growers.Grower`.

    Args:
        noise: size of the noise on readers, as a multiple of each weight's own spread.
        symmetric: allow copies that stay equal for ever, with ``noise=0``.
    """

    def __init__(self, *, noise: float = 1.0, symmetric: bool = False) -> None:
        if not 0 <= noise < float("inf"):
            raise InputError(f"noise {noise:g} is not a size: 0 or more.", "--set noise=1")
        if noise == 0 and not symmetric:
            raise InputError(
                f"with noise {noise:g} the copies of a channel would stay equal for ever.",
                "--set noise=1, or, if you do mean it, --set noise=0 --set symmetric=true",
            )
        self.noise, self.symmetric = noise, symmetric

    def choose(self, blueprint: Blueprint, seed: int) -> dict[str, AxisMap]:
        """Copy random channels where that is exact, whole axes elsewhere."""
        return exact_maps(blueprint.axes, seed)

    def fill(self, growth: Growth) -> Sequence[str]:
        """Set the weights by the rules of the family."""
        fill(
            growth.new.module,
            growth.old.module.state_dict(),
            growth.blueprint,
            growth.maps,
            seed=growth.seed,
            noise=self.noise,
        )
        return ()
