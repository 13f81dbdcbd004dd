"""The contract of growth: what a family says about a network, and what a method does with it.

A :class:`Family` knows an architecture: which sizes its configuration has, and how the numbers of
every parameter hang on them (:class:`Blueprint`). A :class:`Grower` knows a method: how the
channels of the larger network hold those of the smaller one (:class:`AxisMap`), and what is
written into it. Every grower works with every family. Nothing here imports a framework.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import RuntimeOptions

#: How the channels of an axis may be repeated so that the network keeps its function.
#:
#: ``free``: any channel may be copied any number of times. ``average``: a layer norm sees all of
#: them; whole copies of the axis, and channels that hold their mean. ``zero``: a root mean square
#: norm sees them; whole copies, and channels of zeros. ``whole``: whole copies alone. ``fixed``:
#: nothing keeps the function.
Repetition = Literal["free", "average", "zero", "whole", "fixed"]
#: What a parameter does with an axis, along one of its dimensions.
#:
#: ``writes``: gives its values (outputs of a linear map, a bias, statistics of a batch norm, a
#: depthwise kernel). ``reads``: takes them, after the norm where the axis has one. ``reads_raw``:
#: takes them before any norm. ``gains``, ``shifts``: weight and bias of a norm over the axis.
#: ``gates``: multiplies what is written to it (layer scale). ``keeps``: does not depend on it.
Role = Literal["writes", "reads", "reads_raw", "gains", "shifts", "gates", "keeps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Widen:
    """Make a network wider. A size is ``1.5x``, ``+64``, ``+25%`` or the new number itself.

    Attributes:
        width: of everything: channels of a convolutional network; hidden size, heads and
            intermediate size of a transformer. Of a module of one's own also parts by their
            names: ``fc1=2x,conv2=96``.
        hidden: hidden size; the number of heads follows where it can, and else their width.
        heads: attention heads; said beside ``hidden``, their width follows.
        kv_heads: heads of keys and values, where several queries share one.
        mlp: intermediate size.
    """

    width: str | float = ""
    hidden: str | int = ""
    heads: str | int = ""
    kv_heads: str | int = ""
    mlp: str | int = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deepen:
    """Make a network deeper.

    Attributes:
        depth: ``+2``, ``+25%`` or the new number of layers; of every stage, where there are
            several, or one number a stage: ``3,4,9,3``.
        place: the new layers come last in their stage, or evenly between the old ones.
    """

    depth: str | int = "+1"
    place: Literal["end", "between"] = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Channels that can only grow together.

    Attributes:
        name: as rules and people call it: ``hidden``, ``layer 3 heads``.
        old: their number.
        new: what it becomes.
        repetition: what keeps the function.
        why: half a sentence about that, for messages: why nothing else does.
        follows: heads of queries follow those of their keys and values: the axis of the latter.
    """

    name: str
    old: int
    new: int
    repetition: Repetition = "free"
    why: str = ""
    follows: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dim:
    """One dimension of a parameter.

    Attributes:
        role: what it does.
        layout: with which channels: the name of an axis; ``a*b`` for b channels within each of a;
            ``a+b`` for those of a and then those of b; a number stands for so many equal places.
    """

    role: Role = "keeps"
    layout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one parameter or buffer is made larger.

    Attributes:
        dims: its dimensions; those that are not named keep.
        factor: multiplies it; where a norm adds one to its gain, the sum.
        shared: axis whose copies divide what is written, as keys do where heads become wider.
        part: of a layout ``a+b+c``, the part that ``factor`` and ``shared`` speak of, from 0: the
            keys of a layer that gives queries, keys and values at once; -1 for all of them.
        gate: name of the parameter that multiplies what it writes, if any.
        tied: a norm before a reader that is tied to a writer: it divides for that reader.
        centre: a norm multiplies by one plus this parameter.
    """

    dims: tuple[Dim, ...] = ()
    factor: float = 1.0
    shared: str = ""
    part: int = -1
    gate: str = ""
    tied: bool = False
    centre: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Layers of equal form, one after another.

    Attributes:
        path: name of the list of layers in the network: ``vit.layers``.
        source: for each layer of the larger network the layer of the smaller one that it is or
            copies.
        inserted: for each layer whether it is new.
        silent: parameters and modules, by their names within a layer, that are zero in a new one,
            so that it adds nothing to the stream.
        norms: norms that a new layer must not apply, by their names within a layer: post-norm.
        last_norm: the norm that ends a layer of a post-norm network; empty elsewhere.
        why: why a new layer cannot keep the function; empty where it can.
        fresh: for each layer whether it is drawn anew, as the smaller network has none of its form
            to copy; empty: none is.
    """

    path: str
    source: tuple[int, ...]
    inserted: tuple[bool, ...]
    silent: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    last_norm: str = ""
    why: str = ""
    fresh: tuple[bool, ...] = ()

    @property
    def added(self) -> int:
        """How many layers are new."""
        return sum(self.inserted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """How the numbers of a larger network hang on those of a smaller one.

    Attributes:
        axes: by name.
        rules: name in the state dict of the larger network -> rule; what has none is copied, and
            must have kept its shape.
        stacks: that become deeper.
        epsilon: (field of the configuration, axis): the epsilon of the norms over an axis. Where
            an axis under a norm has none that may change, as it serves other norms too, what
            writes the axis is multiplied instead, and counts for the epsilon what it did.
        outputs: name of an answer that grows with the network, as features do, -> its dimension
            and layout.
        casts: the network computes in float32 inside, whatever its weights are.
        notes: what a person should know, one sentence each.
    """

    axes: Mapping[str, Axis]
    rules: Mapping[str, Rule]
    stacks: tuple[Stack, ...] = ()
    epsilon: tuple[tuple[str, str], ...] = ()
    outputs: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    casts: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AxisMap:
    """How N new channels hold n old ones.

    Attributes:
        index: (N,) int64, the old channel that each one repeats; -1 for none.
        share: (N,) float64, what a reader takes from each; those of one old channel sum to one.
        fill: what a channel that repeats none holds.
        scale: by which a norm's denominator changes; 1 where all channels are repeated evenly.
        volume: what the channels are multiplied by; 1 but where a norm's epsilon cannot change.
        reason: why the function is not kept; empty where it is.
    """

    index: Tensor
    share: Tensor
    fill: Literal["mean", "zero"] = "zero"
    scale: float = 1.0
    volume: float = 1.0
    reason: str = ""


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
