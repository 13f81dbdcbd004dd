"""The gradient of every layer, computed by one ONNX graph that only runs forwards.

A forward pass and a backward pass a layer are traced together, with any batch size and length, and
end on the cells of :func:`zoo_runtimes.attributions.image_cells`, or one number a token.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from zoo.errors import NotApplicable
from zoo_runtimes.attributions import is_ids, make_differentiable, rescaled_activations
from zoo_runtimes.methods import GRID, Method
from zoo_runtimes.onnx.adjoints import decompositions, separable
from zoo_runtimes.taps import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zoo_runtimes.loading import Network
    from zoo_runtimes.taps import Point

_POOLS = {"adaptive_avg_pool1d": (-1,), "adaptive_avg_pool2d": (-2, -1)}
_VARIED = {"input_ids", "attention_mask", "token_type_ids"}


def trace(
    network: Network,
    points: Sequence[Point],
    inputs: Mapping[str, torch.Tensor],
    method: Method,
) -> torch.fx.GraphModule:
    """Trace the cells of each point as a function of the inputs.

    Args:
        network: in eval mode, on the CPU.
        points: one result each.
        inputs: at least two samples; texts of at least two tokens.
        method: one that reads gradients.

    Raises:
        NotApplicable: no gradient reaches the input.
    """
    from torch.fx.experimental.proxy_tensor import make_fx
    from transformers.exporters.utils import apply_patches

    make_differentiable(network.module)
    if network.projection is not None:
        make_differentiable(network.projection)
    matrix = None if "pixel_values" in inputs else _matrix(network, inputs)
    rescaled = rescaled_activations(network.module) if method.name == "lrp" else None
    function = _attribution(network, points, list(inputs), matrix, method)
    with (
        torch.inference_mode(mode=False),
        apply_patches("onnx"),
        rescaled or contextlib.nullcontext(),
    ):
        module: torch.fx.GraphModule = make_fx(
            function,
            decomposition_table=decompositions(),
            tracing_mode="symbolic",
            _allow_non_fake_inputs=True,
        )(*sketches(inputs))
    module.graph.eliminate_dead_code()
    return module


def sketches(inputs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """Tensors without values: the batch and the number of tokens are left open."""
    from torch._dynamo.source import ConstantSource
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import (
        DimDynamic,
        ShapeEnv,
        StatelessSymbolicContext,
    )

    mode = FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv())
    found: list[torch.Tensor] = []
    for name, tensor in inputs.items():
        free = 2 if name in _VARIED else 1
        kinds = [
            DimDynamic.DUCK if axis < free else DimDynamic.STATIC for axis in range(tensor.ndim)
        ]
        context: Any = StatelessSymbolicContext(dynamic_sizes=kinds)
        source = ConstantSource(name)
        found.append(mode.from_tensor(tensor, symbolic_context=context, source=source))
    return found


def _matrix(network: Network, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.nn.Module, int]:
    """The embedding matrix that looks the tokens up, and which of its calls does."""
    ids, calls = inputs["input_ids"], Counter[torch.nn.Module]()
    found: list[tuple[torch.nn.Module, int]] = []

    def note(part: torch.nn.Module, given: tuple[Any, ...], _: Any) -> None:
        if given and is_ids(given[0], ids):
            found.append((part, calls[part]))
        calls[part] += 1

    matrices = [part for part in network.module.modules() if isinstance(part, torch.nn.Embedding)]
    handles = [matrix.register_forward_hook(note) for matrix in matrices]
    try:
        with torch.no_grad():
            network.module(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise NotApplicable("its tokens pass through no embedding matrix.")
    return found[0]


def _attribution(
    network: Network,
    points: Sequence[Point],
    names: Sequence[str],
    matrix: tuple[torch.nn.Module, int] | None,
    method: Method,
) -> Callable[..., tuple[torch.Tensor, ...]]:
    def compute(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = dict(zip(names, tensors, strict=True))
        # Fused attention has a backward pass of its own that cannot be taken apart.
        plain = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
        with torch.enable_grad(), plain, _PlainMeans():
            if matrix is None:
                leaf = given["pixel_values"].detach().requires_grad_()
                pooled = read(network, points, {**given, "pixel_values": leaf}, None)
            else:
                leaf, pooled = _from_tokens(network, points, given, matrix)
            return tuple(
                _cells(_map(name, values, leaf, method), method, image=matrix is None)
                for name, values in pooled.items()
            )

    return compute


class _PlainMeans(TorchFunctionMode):
    """Pooling everything is a mean, which torch may lay out anew in place; no graph can."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        axes = _POOLS.get(getattr(func, "__name__", ""))
        if axes and not kwargs and args[1:] in ((1,), ((1,) * len(axes),), ([1] * len(axes),)):
            return args[0].mean(dim=axes, keepdim=True)
        return func(*args, **(kwargs or {}))


def _from_tokens(
    network: Network,
    points: Sequence[Point],
    given: Mapping[str, torch.Tensor],
    matrix: tuple[torch.nn.Module, int],
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    part, call = matrix
    outputs: list[torch.Tensor] = []

    def catch(_: torch.nn.Module, __: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor | None:
        outputs.append(output.detach())
        return outputs[-1].requires_grad_() if len(outputs) == call + 1 else None

    handle = part.register_forward_hook(catch)
    try:
        pooled = read(network, points, given, given.get("attention_mask"))
    finally:
        handle.remove()
    return outputs[call], pooled


def _map(name: str, values: torch.Tensor, leaf: torch.Tensor, method: Method) -> torch.Tensor:
    gradient = None
    if values.requires_grad:
        (gradient,) = torch.autograd.grad(values.sum(), leaf, retain_graph=True, allow_unused=True)
    if gradient is None:
        raise NotApplicable(f"no gradient of {name} reaches the input.")
    return gradient.abs() if method.name == "saliency" else gradient * leaf.detach()


def _cells(maps: torch.Tensor, method: Method, *, image: bool) -> torch.Tensor:
    """As :func:`attributions.image_cells` and :func:`attributions.token_relevance`."""
    maps = (maps.abs() if method.reduction == "absmean" else maps).detach()
    if not image:
        return maps.sum(dim=2)
    planes = maps.mean(dim=1)
    height, width = (int(side) for side in planes.shape[-2:])
    rows, columns = (separable(_to_grid(min(height, width)), 0, side) for side in (height, width))
    return torch.matmul(torch.matmul(rows.T, planes), columns).flatten(1)


def _to_grid(shortest: int) -> Callable[[torch.Tensor, int], torch.Tensor]:
    functional = torch.nn.functional
    if shortest >= GRID:
        return lambda matrix, _: functional.adaptive_avg_pool1d(matrix, GRID)
    return lambda matrix, _: functional.interpolate(
        matrix, GRID, mode="linear", align_corners=False
    )
