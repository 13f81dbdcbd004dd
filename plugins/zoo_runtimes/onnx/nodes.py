"""What translating one call of torch to ONNX works with: its arguments, and where nodes go.

Equal nodes become one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onnx import NodeProto

    Emit = Callable[..., Any]

OPSET = 20
TYPES = {
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.int64: TensorProto.INT64,
    torch.int32: TensorProto.INT32,
    torch.bool: TensorProto.BOOL,
}

aten = torch.ops.aten
Value = str
"""Name of an ONNX value; a symbolic size is a vector of one int64."""


class UntranslatedError(Exception):
    """An operator that has no translation, by name."""


class Builder:
    """Collects nodes, each distinct one once."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, Any] = {}
        self._known: dict[Any, tuple[Value, ...]] = {}

    def emit(self, kind: str, *inputs: Value, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node, or find the same; its output, or a tuple of them."""
        key = (kind, inputs, outputs, repr(sorted(attributes.items())))
        if key not in self._known:
            names = tuple(f"v{len(self.nodes)}_{index}" for index in range(outputs))
            self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
            self._known[key] = names
        names = self._known[key]
        return names[0] if outputs == 1 else names

    def constant(self, array: Any) -> Value:
        """Keep an array, small equal ones once."""
        array = np.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            name = f"c{len(self.initializers)}"
            self.initializers[name] = numpy_helper.from_array(np.array(array, order="C"), name)
            self._known[key] = (name,)
        return self._known[key][0]

    def ints(self, values: Sequence[int | Value]) -> Value:
        """A vector of sizes, some of which may be known only when the graph runs."""
        if all(isinstance(value, int) for value in values):
            return self.constant(np.array(values, dtype=np.int64))
        parts = [
            self.constant(np.array([v], np.int64)) if isinstance(v, int) else v for v in values
        ]
        return str(parts[0] if len(parts) == 1 else self.emit("Concat", *parts, axis=0))


class Node:
    """One traced call with its arguments as ONNX values."""

    def __init__(self, builder: Builder, node: torch.fx.Node, values: dict[Any, Any]) -> None:
        self.builder, self.emit, self.node = builder, builder.emit, node
        self._values = values

    @property
    def meta(self) -> Any:
        """What the trace knows of the result."""
        return self.node.meta["val"]

    def raw(self, index: int, default: Any = None) -> Any:
        """An argument as traced."""
        return self.node.args[index] if len(self.node.args) > index else default

    def value(self, index: int) -> Any:
        """An argument: the name of a value, or a number."""
        return self.of(self.raw(index))

    def of(self, argument: Any) -> Any:
        """What an argument became."""
        if isinstance(argument, torch.fx.Node):
            return self._values[argument]
        if isinstance(argument, list | tuple):
            return [self.of(each) for each in argument]
        return argument

    def info(self, index: int) -> Any:
        """What the trace knows of an argument."""
        argument = self.raw(index)
        return argument.meta["val"] if isinstance(argument, torch.fx.Node) else argument

    def rank(self, index: int = 0) -> int:
        """Dimensions of an argument."""
        return int(self.info(index).dim())

    def cast(self, index: int, dtype: torch.dtype) -> Value:
        """An argument as a tensor of a type: a tensor, a number or a symbolic size."""
        info, value = self.info(index), self.value(index)
        if isinstance(info, torch.Tensor):
            return str(value) if info.dtype == dtype else self.to(value, dtype)
        if isinstance(value, str):
            scalar = self.emit("Squeeze", value, self.builder.ints([0]))
            return self.to(scalar, dtype)
        return self.number(value, dtype)

    def number(self, value: Any, dtype: torch.dtype) -> Value:
        """A constant without dimensions."""
        return self.builder.constant(torch.tensor(value, dtype=dtype).numpy())

    def to(self, value: Value, dtype: torch.dtype) -> Value:
        """Change the type."""
        return str(self.emit("Cast", value, to=TYPES[dtype]))
