"""From a traced graph of torch operators to ONNX, one small function an operator.

The exporter of torch translates forward passes; the operators of a backward pass, and one pass a
layer (thousands of nodes), take it minutes where they do not stop it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import helper

from zoo_runtimes.onnx import elementwise, lookups, shapes, sums
from zoo_runtimes.onnx.nodes import TYPES, Builder, Node, UntranslatedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from onnx import ModelProto

    from zoo_runtimes.onnx.nodes import Emit

OPSET = 20
TRANSLATIONS: dict[Any, Emit] = {
    **elementwise.TRANSLATIONS,
    **shapes.TRANSLATIONS,
    **sums.TRANSLATIONS,
    **lookups.TRANSLATIONS,
}


def translate(module: torch.fx.GraphModule, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """Write a traced graph as an ONNX model.

    Args:
        module: its placeholders and outputs in the order of the names.
        inputs: names; the first dimension of each is the batch.
        outputs: names of (batch, ...) float32 results.

    Raises:
        UntranslatedError: an operator is unknown here.
    """
    builder, values = Builder(), {}
    names, declared, results = iter(inputs), [], []
    for node in module.graph.nodes:
        if node.op == "placeholder":
            values[node] = next(names)
            declared.append(_declared(values[node], node.meta["val"]))
        elif node.op == "get_attr":
            tensor = getattr(module, node.target).detach()
            node.meta.setdefault("val", tensor)
            values[node] = builder.constant(tensor.cpu().numpy())
        elif node.op == "call_function":
            values[node] = _translated(Node(builder, node, values))
        else:
            for name, result in zip(outputs, node.args[0], strict=True):
                builder.nodes.append(helper.make_node("Identity", [values[result]], [name]))
                results.append(_declared(name, result.meta["val"]))
    return _model(builder, declared, results)


def _translated(node: Node) -> Any:
    target = node.node.target
    known = TRANSLATIONS.get(target) or TRANSLATIONS.get(getattr(target, "overloadpacket", None))
    if known is None:
        raise UntranslatedError(str(target).removeprefix("aten."))
    return known(node)


def _declared(name: str, info: torch.Tensor) -> Any:
    sizes = [size if isinstance(size, int) else str(size) for size in info.shape]
    return helper.make_tensor_value_info(name, TYPES[info.dtype], sizes)


def _model(builder: Builder, inputs: Sequence[Any], outputs: Sequence[Any]) -> ModelProto:
    used = {name for node in builder.nodes for name in node.input}
    weights = [array for name, array in builder.initializers.items() if name in used]
    graph = helper.make_graph(builder.nodes, "gradients", inputs, outputs, initializer=weights)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10, producer_name="zoo"
    )
