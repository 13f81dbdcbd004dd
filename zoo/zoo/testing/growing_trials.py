"""A small pre-norm network that has every kind of axis, and its blueprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.growing.depth import deepened_names, stacked
from zoo.growing.tables import linear, norm, resolve
from zoo.types.growing import Axis, Blueprint

if TYPE_CHECKING:
    from torch import Tensor

_TABLE = {
    "embedding": linear("width"),
    "layers.{}.norm": norm("width"),
    "layers.{}.up": linear("hidden {0}", "width"),
    "layers.{}.down": linear("width", "hidden {0}"),
    "norm": norm("width"),
    "head": linear("", "width"),
}
#: The epsilon is so small that a stream of another width needs no other.
_EPSILON = 1e-20


@dataclass
class Config:
    """Sizes of the network."""

    width: int
    hidden: int
    layers: int


class Layered(torch.nn.Module):
    """Layers that each add something to a stream, as those of a transformer do."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = torch.nn.Linear(4, config.width)
        self.layers = torch.nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = torch.nn.LayerNorm(config.width, eps=_EPSILON)
        self.head = torch.nn.Linear(config.width, 5)

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return self.head.weight.dtype

    def forward(self, values: Tensor) -> dict[str, Any]:
        """(B, 4) -> logits (B, 5)."""
        stream = self.embedding(values)
        for layer in self.layers:
            stream = layer(stream)
        return {"logits": self.head(self.norm(stream))}


class _Layer(torch.nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(config.width, eps=_EPSILON)
        self.up = torch.nn.Linear(config.width, config.hidden)
        self.down = torch.nn.Linear(config.hidden, config.width)

    def forward(self, stream: Tensor) -> Tensor:
        added: Tensor = self.down(torch.nn.functional.gelu(self.up(self.norm(stream))))
        return stream + added


def blueprint_of(old: Config, new: Config) -> Blueprint:
    """Say how one of these networks becomes a larger one."""
    layers = stacked("layers", old.layers, new.layers, silent=("down",))
    axes = {"width": Axis(name="width", old=old.width, new=new.width, repetition="average")}
    for number in range(new.layers):
        name = f"hidden {number}"
        axes[name] = Axis(name=name, old=old.hidden, new=new.hidden)
    with torch.device("meta"):
        names = deepened_names(Layered(old).state_dict(), (layers,))
    return Blueprint(axes=axes, rules=resolve(_TABLE, names, axes), stacks=(layers,))
