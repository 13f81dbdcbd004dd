"""From an open torch network to one ONNX graph: every tap pooled inside it, any batch size."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import CheckpointError, InputError, ZooError
from zoo_runtimes.taps import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from zoo_runtimes.loading import Network
    from zoo_runtimes.taps import Point

OPSET = 20
"""Version of the operators: the first with GELU, which onnxscript writes without translation."""
EXTERNAL_FROM = 1_500_000_000
"""Bytes of weights from which they lie in a file of their own: protobuf ends at 2 GB."""

_UNTRANSLATED = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
_OPAQUE = re.compile(
    r"(?:no fake impl registered for \S*?(?=\w+::)|^)(\w+::\w+)(?:\)>|: attempted to run)"
)
_OPERATOR = re.compile(r"OpOverload\(op='([\w.]+)'|torch\.ops\.(\w+\.\w+)")


def require_packages() -> None:
    """Refuse to start without what an export needs.

    Raises:
        InputError: naming the package and the pip command.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"exporting to ONNX needs the package {missing[0]}, which is not installed.",
            "pip install 'zoo-reuse[onnx]'",
        )


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what the exporters print, log and warn off the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


class _Pooled(torch.nn.Module):
    """The network as the graph has it: inputs by name in, one pooled vector a tap out."""

    def __init__(self, network: Network, points: Sequence[Point]) -> None:
        super().__init__()
        self.module, self.projection = network.module, network.projection
        self._network, self._points = network, points

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return read(self._network, self._points, inputs, inputs.get("attention_mask"))


def export_graph(
    model: str,
    network: Network,
    points: Sequence[Point],
    inputs: Mapping[str, torch.Tensor],
    path: Path,
    *,
    varying: bool = False,
) -> None:
    """Write a graph with an output named after each tap, for any batch size and length.

    Tried as the network is, then with attention spelled out: the fused kernels of some
    architectures have no translation.

    Args:
        model: reference, for messages.
        network: in eval mode, on the CPU.
        points: what to pool.
        inputs: two samples; their names and order become the graph's inputs.
        path: of the graph; weights over :data:`EXTERNAL_FROM` bytes lie beside it.
        varying: images come in several sizes.

    Raises:
        CheckpointError: naming the operator or the reason.
        InputError: a package is missing.
    """
    require_packages()
    axes = {name: _axes(tensor.ndim, varying=varying) for name, tensor in inputs.items()}
    failures: list[Exception] = []
    for prepare in (contextlib.nullcontext, _spelled_out):
        with silence(), torch.no_grad():
            try:
                with prepare(network.module):
                    graph = _translate(_Pooled(network, points).eval(), inputs, axes)
                _tidy(graph, axes, [point.tap.name for point in points])
                save(graph, path)
            except (ZooError, MemoryError):
                raise
            except Exception as error:  # noqa: BLE001 -- exporters raise whatever they like
                failures.append(error)
            else:
                return
    raise CheckpointError(
        f"{model} cannot be exported to ONNX: {explain(failures[0])}.",
        "Run it with --runtime torch.",
    ) from failures[0]


def _axes(dimensions: int, *, varying: bool) -> dict[int, str]:
    """Names of the dimensions that may differ from run to run."""
    if dimensions == 2:
        return {0: "batch", 1: "length"}
    return {0: "batch", 2: "height", 3: "width"} if varying and dimensions == 4 else {0: "batch"}


def _translate(
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    axes: Mapping[str, Mapping[int, str]],
) -> Any:
    from torch.export import Dim
    from transformers.exporters import exporter_onnx
    from transformers.exporters.utils import apply_patches

    del exporter_onnx  # imported for the patches that it registers
    shapes = {name: dict.fromkeys(named, Dim.DYNAMIC) for name, named in axes.items()}
    with apply_patches("onnx"):
        # Captured here: left to itself the exporter would fall back to fixing a dimension.
        program = torch.export.export(module, (dict(inputs),), dynamic_shapes={"inputs": shapes})
        exported = torch.onnx.export(
            program, opset_version=OPSET, optimize=True, verbose=False, input_names=list(inputs)
        )
    if exported is None:
        raise TypeError("the exporter made nothing")
    return exported.model


@contextlib.contextmanager
def _spelled_out(module: torch.nn.Module) -> Iterator[None]:
    """Compute attention with plain products while it is being exported."""
    from transformers.exporters import exporter_dynamo
    from transformers.exporters.utils import apply_patches

    del exporter_dynamo  # imported for the patches that it registers
    config = getattr(module, "config", None)
    before = getattr(config, "_attn_implementation", None)
    switch = getattr(module, "set_attn_implementation", None)
    if switch is not None and before is not None:
        switch("eager")
    try:
        with apply_patches("dynamo"):
            yield
    finally:
        if switch is not None and before is not None:
            switch(before)


def _tidy(model: Any, axes: Mapping[str, Mapping[int, str]], outputs: Sequence[str]) -> None:
    """Name what goes in and out; drop traces of this machine and what confuses quantisers."""
    import onnx_ir

    graph = model.graph
    found = [value.name for value in graph.inputs]
    if found != list(axes) or len(graph.outputs) != len(outputs):
        raise ValueError(f"the graph reads {found} and has {len(graph.outputs)} outputs")
    _separate(graph)
    for value, name in zip(graph.outputs, outputs, strict=True):
        value.name = name
        value.shape = onnx_ir.Shape(["batch", *list(value.shape or ())[1:]])
    for value in graph.inputs:
        sizes = enumerate(value.shape or ())
        value.shape = onnx_ir.Shape([axes[value.name].get(axis, size) for axis, size in sizes])
    kept = {*graph.inputs, *graph.outputs}
    for node in graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
            if value not in kept:
                value.shape = value.type = None
    model.metadata_props.clear()
    graph.metadata_props.clear()


def _separate(graph: Any) -> None:
    """Give every output a value of its own: two taps may be one tensor, or an input."""
    import onnx_ir

    seen: set[Any] = set(graph.inputs)
    for index, value in enumerate(list(graph.outputs)):
        if value in seen:
            node = onnx_ir.node("Identity", [value])
            copy = node.outputs[0]
            copy.shape, copy.type = value.shape, value.type
            graph.append(node)
            graph.outputs[index] = copy
        seen.add(graph.outputs[index])


def save(model: Any, path: Path) -> None:
    """Write an ``onnx_ir`` model: one file, or two where the weights are large."""
    import onnx_ir

    values = (value.const_value for value in model.graph.initializers.values())
    size = sum(value.nbytes for value in values if value is not None)
    external = f"{path.name}.data" if size > EXTERNAL_FROM else None
    onnx_ir.save(model, path, external_data=external)


def prune(source: Path, outputs: Sequence[str], target: Path) -> None:
    """Write the part of a graph that some of its outputs need."""
    import onnx_ir
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    with silence():
        model = onnx_ir.load(source)
        kept = {value.name: value for value in model.graph.outputs}
        model.graph.outputs[:] = [kept[name] for name in outputs]
        save(RemoveUnusedNodesPass()(model).model, target)


def explain(error: BaseException) -> str:
    """Say in half a sentence why an exporter gave up."""
    chain = list(_chain(error))
    texts = [str(each) for each in chain]
    for text in texts:
        missing = _UNTRANSLATED.search(text) or _OPAQUE.search(text)
        if missing:
            return f"operator {missing[1].replace('::', '.')} has no translation"
    if any("code specialized it to be a constant" in text for text in texts):
        return "it works for a single batch size or length"
    if any("GuardOnDataDependent" in type(each).__name__ for each in chain):
        return "what it computes depends on the values of its inputs"
    lines = texts[-1].strip().splitlines() or [type(chain[-1]).__name__]
    operator = next((found for text in texts if (found := _OPERATOR.search(text))), None)
    at = f" at operator {operator[1] or operator[2]}" if operator else ""
    return f"{lines[0].rstrip('.:')}{at}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
