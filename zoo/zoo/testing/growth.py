"""Growing random networks, for tests of families and growers.

A fresh network hides mistakes: its gains are one, its biases zero, its answers tiny. Everything is
drawn anew here before it is grown.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.growing.proof import compare
from zoo.growing.work import carry_out, draw
from zoo.types.growing import Deepen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo.growing.proof import Difference
    from zoo.growing.work import Grown
    from zoo.types.growers import Family, Grower
    from zoo.types.growing import Widen


class HeldNetwork:
    """A network of a test, as a :class:`zoo.types.growers.WholeNetwork`.

    Args:
        module: a transformers model; it is put into eval mode.
        inputs: a batch of its inputs.
    """

    def __init__(self, module: Any, inputs: Mapping[str, torch.Tensor]) -> None:
        self._module, self._inputs = module.eval(), inputs

    @property
    def module(self) -> torch.nn.Module:
        """It."""
        found: torch.nn.Module = self._module
        return found

    @property
    def config(self) -> Any:
        """A copy of its configuration."""
        return copy.deepcopy(self._module.config)

    def enlarged(self, config: Any) -> HeldNetwork:
        """Give a network of the same class, drawn anew: what nobody sets shows."""
        with torch.device(next(self._module.parameters()).device):
            module = type(self._module)(copy.deepcopy(config)).to(self._module.dtype)
        return HeldNetwork(module, self._inputs)

    def inputs(
        self, count: int, seed: int, samples: Sequence[Any] = ()
    ) -> Mapping[str, torch.Tensor]:
        """Give the batch."""
        del count, seed, samples
        return self._inputs

    @torch.no_grad()
    def outputs(self, inputs: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Give every tensor that it answers."""
        dtype = self._module.dtype
        moved = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
        options = {"use_cache": False} if hasattr(self._module.config, "use_cache") else {}
        found = self._module(**moved, **options)
        return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}

    def save(self, folder: Path) -> None:
        """Write it as transformers does."""
        self._module.save_pretrained(folder)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A growth in float64, and its copy in float32.

    Attributes:
        old: the smaller network, in float64.
        grown: the larger one, in float64.
        fp64: how they differ.
        fp32: how their copies in float32 differ.
    """

    old: HeldNetwork
    grown: Grown
    fp64: Difference
    fp32: Difference

    @property
    def passed(self) -> bool:
        """Whether both are within their tolerances."""
        return self.fp64.passed and self.fp32.passed


def randomise(module: torch.nn.Module, seed: int = 0, spread: float = 0.3) -> None:
    """Draw gains, biases, running statistics and weights, so that every mistake shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
            if name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
                drawn = drawn.abs() * 0.3 + 0.5
            else:
                drawn = drawn * (0.2 if value.ndim == 1 else spread)
            value.copy_(drawn)


def try_growth(
    module: Any,
    inputs: Mapping[str, torch.Tensor],
    family: Family,
    grower: Grower,
    steps: Sequence[Widen | Deepen],
    *,
    seed: int = 0,
    config: Any = None,
) -> Trial:
    """Draw every weight of a network, grow it in float64, and compare.

    Args:
        module: a transformers model; its weights are drawn anew.
        inputs: a batch.
        family: its own.
        grower: sets the weights.
        steps: how it grows.
        seed: of everything that is drawn.
        config: of the larger network, in the place of ``steps``.

    Raises:
        InputError: as the family does.
    """
    randomise(module, seed)
    if hasattr(module, "tie_weights"):
        module.tie_weights()
    old = HeldNetwork(module.double(), inputs)
    place = next((each.place for each in steps if isinstance(each, Deepen)), None)
    wanted = copy.deepcopy(config) if config is not None else family.grown(old.config, steps)
    drawing = draw(old, family, grower, wanted, seed=seed, place=place or "end")
    grown = carry_out(old, drawing, grower, seed=seed)
    fp64 = compare(old, grown.network, drawing, inputs, "fp64")
    halves = [
        HeldNetwork(copy.deepcopy(each.module).float(), inputs) for each in (old, grown.network)
    ]
    fp32 = compare(halves[0], halves[1], drawing, inputs, "fp32")
    return Trial(old=old, grown=grown, fp64=fp64, fp32=fp32)
