"""What passes between those who take part in growth.

A family says how the numbers of every parameter hang on axes of channels (:class:`Blueprint`); a
grower says how the channels of the larger network hold those of the smaller one
(:class:`AxisMap`). Both are in :mod:`zoo.types.growers`. Nothing here imports a framework.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


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
