"""Which activations let layers be inserted, as the graph of a network shows them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.fx import Node

from zoo_growth.modules.operators import Abs, SigmoidGated
from zoo_growth.modules.walking import bound, operator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A call of one.

    Attributes:
        name: for messages.
        node: its answer.
        given: what it is applied to.
        idempotent: phi(phi(x)) = phi(x).
        factor: c of phi(x) - phi(-x) = c x; 0 where there is none.
        make: gives a module that does the same.
    """

    name: str
    node: Node
    given: Node
    idempotent: bool = False
    factor: float = 0.0
    make: Callable[[], nn.Module] | None = None

    @property
    def usable(self) -> bool:
        """Whether something can be inserted behind it that changes nothing."""
        return self.idempotent or self.factor != 0.0


#: Those without parameters that let layers be inserted.
_PLAIN: Mapping[str, tuple[str, bool, float, Callable[[], nn.Module]]] = {
    "relu": ("ReLU", True, 1.0, nn.ReLU),
    "relu6": ("ReLU6", True, 0.0, nn.ReLU6),
    "abs": ("abs", True, 0.0, Abs),
    "silu": ("SiLU", False, 1.0, nn.SiLU),
    "hardswish": ("hardswish", False, 1.0, nn.Hardswish),
}
#: Those with no identity of their own, as people call them.
_OTHERS = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "mish": "mish",
    "softplus": "softplus",
    "log_sigmoid": "log-sigmoid",
    "hardsigmoid": "hard sigmoid",
    "hardshrink": "hard shrink",
    "softshrink": "soft shrink",
    "threshold": "threshold",
    "prelu": "PReLU",
    "rrelu": "RReLU",
    "sin": "sine",
    "square": "square",
}


def activation_of(node: Node) -> Activation | None:
    """Read a node as an activation; None where it is none."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], Node):
        return None
    name, given = operator(node), node.args[0]
    if name == "mul":
        return _gated(node)
    if name in _OTHERS:
        return Activation(name=_OTHERS[name], node=node, given=given)
    found = _known(name, node)
    if found is None:
        return None
    called, idempotent, factor, make = found
    return Activation(
        name=called, node=node, given=given, idempotent=idempotent, factor=factor, make=make
    )


def _known(name: str, node: Node) -> tuple[str, bool, float, Callable[[], nn.Module]] | None:
    """Name, idempotence, factor and maker of what lets layers be inserted."""
    if name in _PLAIN:
        return _PLAIN[name]
    said = bound(node) if name in {"hardtanh", "gelu", "leaky_relu"} else {}
    if name == "hardtanh":
        low, high = float(said["min_val"]), float(said["max_val"])
        called = "ReLU6" if (low, high) == (0.0, 6.0) else "hardtanh"
        return called, True, 0.0, partial(nn.Hardtanh, low, high)
    if name == "gelu":
        return "GELU", False, 1.0, partial(nn.GELU, approximate=str(said["approximate"]))
    if name == "leaky_relu":
        slope = float(said["negative_slope"])
        return "leaky ReLU", False, 1.0 + slope, partial(nn.LeakyReLU, slope)
    return None


def _gated(node: Node) -> Activation | None:
    """Read x * sigmoid(k x), written out."""
    for x, gate in (node.args[:2], node.args[1::-1]):
        if not isinstance(x, Node) or not isinstance(gate, Node) or operator(gate) != "sigmoid":
            continue
        steepness = _multiple(gate.args[0], x)
        if steepness is not None:
            name = "SiLU" if steepness == 1.0 else "quick-GELU"
            make = partial(SigmoidGated, steepness)
            return Activation(name=name, node=node, given=x, factor=1.0, make=make)
    return None


def _multiple(found: Any, x: Node) -> float | None:
    """Give k where a node is k x."""
    if found is x:
        return 1.0
    if isinstance(found, Node) and operator(found) == "mul":
        numbers = [each for each in found.args if isinstance(each, int | float)]
        if x in found.args and len(numbers) == 1:
            return float(numbers[0])
    return None


def opens_a_gate(node: Node) -> bool:
    """Whether what reads an activation makes a gate of it, as squeeze and excite do."""
    gates = {"sigmoid", "hardsigmoid", "softmax"}
    for reader in node.users:
        for user in reader.users:
            if operator(user) in gates and not _is_own_gate(reader, user):
                return True
    return False


def _is_own_gate(reader: Node, gate: Node) -> bool:
    """Whether a gate is that of a SiLU."""
    return any(operator(user) == "mul" and reader in user.args for user in gate.users)
