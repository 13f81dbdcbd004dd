"""Who takes part in growth: a family, a grower, a runtime; small protocols, no base class.

What passes between them is in :mod:`zoo.types.growing`. Nothing here imports a framework.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from zoo.types.growing import AxisMap, Blueprint, Deepen, Widen
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import RuntimeOptions


class WholeNetwork(Protocol):
    """An open checkpoint of its own class, with every head that it has."""

    @property
    def module(self) -> nn.Module:
        """The network, in eval mode."""
        ...

    @property
    def config(self) -> Any:
        """Its configuration; changing it changes nothing else."""
        ...

    def enlarged(self, config: Any) -> WholeNetwork:
        """Give a network of the same class and another configuration, its weights not yet set."""
        ...

    def inputs(self, count: int, seed: int, samples: Sequence[Any] = ()) -> Mapping[str, Tensor]:
        """Give a batch of inputs.

        Args:
            count: how many to generate where there are no samples.
            seed: of the generator.
            samples: images or texts to read instead.
        """
        ...

    def outputs(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Give everything that the network answers, without gradients."""
        ...

    def save(self, folder: Path) -> None:
        """Write model, configuration and preprocessing in the format of the Hub."""
        ...


@runtime_checkable
class Rebuilds(Protocol):
    """A runtime that opens checkpoints whole, and makes larger ones of their class (optional)."""

    def open_whole(self, checkpoint: Checkpoint, options: RuntimeOptions) -> WholeNetwork:
        """Load a checkpoint as it is.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...

    def imagine_whole(self, checkpoint: Checkpoint) -> WholeNetwork:
        """Give the same network without weights, on the device ``meta``.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...


class Family(Protocol):
    """What Zoo knows of an architecture. ``config`` is what the library of the model calls so."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the configuration of the larger network; the one that is given stays as it is.

        Raises:
            InputError: a size that cannot be, with the nearest that can; one that would shrink;
                one that the family does not have.
        """
        ...

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how the parameters of a larger network come about. No weight is read.

        Args:
            network: the smaller one; it may have no weights.
            config: of the larger one, as :meth:`grown` or a person made it.
            place: where new layers go.

        Raises:
            InputError: it is smaller somewhere, or differs in more than size.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a learning was worth, on inputs that are the same before and after.

    Attributes:
        steps: of the optimiser.
        before: loss.
        after: loss.
        task: ``labels``: those of the data; ``answers``: those of the smaller network.
    """

    steps: int
    before: float
    after: float
    task: Literal["labels", "answers"]


class Learns(Protocol):
    """Trains a module that stands for the larger network, on the person's data."""

    def __call__(
        self, module: nn.Module, *, steps: int = 100, batch: int = 16, rate: float = 2e-4
    ) -> Learned:
        """Train its parameters, and nothing else.

        Args:
            module: ``module(**inputs)`` answers, by name, as the larger network does; inputs as
                :meth:`WholeNetwork.inputs` gives them, floating ones in float32.
            steps: of the optimiser.
            batch: inputs of a step.
            rate: of learning.

        Raises:
            InputError: there is nothing to learn from.
            KeyboardInterrupt: somebody wanted an end.
        """
        ...


class ModuleFamily(Family, Protocol):
    """A family that knows no architecture, but reads how a person's own module is built."""

    def whole(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> WholeNetwork:
        """Take a module in eval mode, with an example of its inputs."""
        ...

    def deepened(self, network: WholeNetwork, step: Deepen) -> tuple[WholeNetwork, Sequence[str]]:
        """Give a deeper module that computes the same, and what a person should know of it.

        Raises:
            InputError: no layer can be inserted that keeps the function.
        """
        ...

    def casts(self, network: WholeNetwork) -> bool:
        """Say whether it computes in fewer bits than its weights have."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Growth:
    """What a grower is given to fill.

    Attributes:
        old: the smaller network.
        new: the larger one; its weights are not set.
        blueprint: how they belong together.
        maps: axis -> map, as the grower chose them.
        seed: of everything that is drawn.
        learn: trains a module on the person's data, as the grower's spec asks for; None where
            nothing was asked for.
    """

    old: WholeNetwork
    new: WholeNetwork
    blueprint: Blueprint
    maps: Mapping[str, AxisMap]
    seed: int = 0
    learn: Learns | None = field(default=None)


@runtime_checkable
class Amends(Protocol):
    """A grower that makes new layers of others than the family would (optional)."""

    def amend(self, blueprint: Blueprint, network: WholeNetwork) -> Blueprint:
        """Change the blueprint before anything is chosen.

        Args:
            blueprint: as the family drew it.
            network: the smaller one; it may have no weights.
        """
        ...


class Grower(Protocol):
    """A way to set the weights of a larger network. Options are parameters of ``__init__``."""

    def choose(self, blueprint: Blueprint, seed: int) -> Mapping[str, AxisMap]:
        """Choose how each axis is repeated; reads no weight."""
        ...

    def fill(self, growth: Growth) -> Sequence[str]:
        """Set every weight of ``growth.new``, and say what a person should know of it."""
        ...
