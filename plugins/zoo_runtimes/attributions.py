"""Which part of the input a layer responds to: gradients of its pooled output, one layer at a time.

Song et al., "Deep Model Transferability from Attribution Maps", NeurIPS 2019, arXiv 1909.11902.
In eval mode no sample reaches another, so that the gradient of a sum over the batch is the gradient
of every sample. Each layer has its own backward pass; nothing accumulates from layer to layer.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from zoo.errors import NotApplicable
from zoo_runtimes.methods import GRID, SPANS, Method
from zoo_runtimes.taps import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from zoo_runtimes.loading import Network
    from zoo_runtimes.taps import Point

    Reduction = Callable[[torch.Tensor, int], torch.Tensor]

__all__ = ["GRID", "SPANS", "Method", "attribute", "image_cells", "token_relevance"]

_EPSILON = 1e-4
# Zero in, zero out: the ratio of output and input is what such a function does to relevance.
# Sigmoids and softmaxes, which gate and weigh, keep their gradient.
_RATIOS = frozenset(
    ("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "prelu", "rrelu", "gelu", "silu")
) | frozenset(("mish", "hardswish", "hardtanh", "tanh", "softsign", "tanhshrink", "hardshrink"))


@dataclass(eq=False)
class Leaf:
    """Where gradients end: pixels as the network sees them, or the vectors of its tokens."""

    values: torch.Tensor | None = None


def attribute(
    network: Network,
    points: Sequence[Point],
    inputs: Mapping[str, torch.Tensor],
    mask: torch.Tensor | None,
    method: Method,
) -> dict[str, torch.Tensor]:
    """Attribute each point to the input: name -> (B, C, H, W) of pixels, (B, T, D) of tokens.

    The output of a point is the sum over its pooled units; a mean differs by a constant. Behind a
    layer norm whose weights are all equal that sum never moves, and what is left is rounding.

    Raises:
        NotApplicable: no gradient reaches the input.
    """
    make_differentiable(network.module)
    if network.projection is not None:
        make_differentiable(network.projection)
    rescaled = rescaled_activations(network.module) if method.name == "lrp" else None
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        rescaled or contextlib.nullcontext(),
        _leaf(network, inputs) as (leaf, prepared),
    ):
        pooled = read(network, points, prepared, mask)
        if leaf.values is None:
            raise NotApplicable("its tokens pass through no embedding matrix.")
        return _backward(leaf.values, pooled, method)


def _backward(
    leaf: torch.Tensor, pooled: Mapping[str, torch.Tensor], method: Method
) -> dict[str, torch.Tensor]:
    found = {}
    for number, (name, values) in enumerate(pooled.items(), start=1):
        gradient = None
        if values.requires_grad:
            (gradient,) = torch.autograd.grad(
                values.sum(), leaf, retain_graph=number < len(pooled), allow_unused=True
            )
        if gradient is None:
            raise NotApplicable(f"no gradient of {name} reaches the input.")
        found[name] = (
            gradient.abs() if method.name == "saliency" else gradient * leaf.detach()
        ).detach()
    return found


@contextlib.contextmanager
def _leaf(
    network: Network, inputs: Mapping[str, torch.Tensor]
) -> Iterator[tuple[Leaf, dict[str, torch.Tensor]]]:
    """Make the network read a leaf: its pixels, or what its embedding matrix returns."""
    if "pixel_values" in inputs:
        pixels = inputs["pixel_values"].detach().clone().requires_grad_()
        yield Leaf(pixels), {**inputs, "pixel_values": pixels}
        return
    if "input_ids" not in inputs:
        raise NotApplicable("its inputs are neither pixels nor tokens.")
    leaf, ids = Leaf(), inputs["input_ids"]

    def catch(_: torch.nn.Module, given: tuple[Any, ...], output: Any) -> torch.Tensor | None:
        # Positions and segments are looked up as well: only the matrix of the ids is the input.
        if leaf.values is not None or not given or not is_ids(given[0], ids):
            return None
        leaf.values = output.detach().clone().requires_grad_()
        return leaf.values

    matrices = [part for part in network.module.modules() if isinstance(part, torch.nn.Embedding)]
    handles = [matrix.register_forward_hook(catch) for matrix in matrices]
    try:
        yield leaf, dict(inputs)
    finally:
        for handle in handles:
            handle.remove()


def is_ids(given: Any, ids: torch.Tensor) -> bool:
    """Whether a module was handed the ids of the tokens."""
    return (
        isinstance(given, torch.Tensor)
        and given.numel() == ids.numel()
        and (given is ids or torch.equal(given.flatten(), ids.flatten()))
    )


def make_differentiable(module: torch.nn.Module) -> None:
    """Replace tensors made in inference mode, which no graph may keep, by ordinary copies."""
    with torch.inference_mode(mode=False), torch.no_grad():
        for part in module.modules():
            for name, parameter in part._parameters.items():  # noqa: SLF001 -- torch's own tables
                if parameter is not None and parameter.is_inference():
                    copy = torch.nn.Parameter(parameter.clone(), requires_grad=False)
                    part._parameters[name] = copy  # noqa: SLF001
            for table in (part._buffers, part.__dict__):  # noqa: SLF001
                for name, value in list(table.items()):
                    if isinstance(value, torch.Tensor) and value.is_inference():
                        table[name] = value.clone()


class _Rescale(torch.autograd.Function):
    """Forward what an activation gave; backward by output / input instead of its slope."""

    @staticmethod
    def forward(ctx: Any, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(before, after)
        return after.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        before, after = ctx.saved_tensors
        epsilon = torch.where(before < 0, -_EPSILON, _EPSILON)
        return gradients[0] * after / (before + epsilon), None


class _Rescaled(TorchFunctionMode):
    """Sees every call of an activation, however a network makes it."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        before = args[0] if args else kwargs.get("input")
        if name not in _RATIOS or not isinstance(before, torch.Tensor):
            return func(*args, **kwargs)
        # An activation that works in place would overwrite what the ratio divides by.
        kept = before.detach().clone()
        after = func(kept, *args[1:], **{k: v for k, v in kwargs.items() if k != "input"})
        return _by_ratio(before, after)


@contextlib.contextmanager
def rescaled_activations(module: torch.nn.Module) -> Iterator[None]:
    """Epsilon-LRP as a gradient: activations answer by their ratio, everything else is linear.

    Bach et al., PLoS ONE 2015; as a gradient, Ancona et al., ICLR 2018, arXiv 1711.06104. With
    ReLUs, and epsilon going to zero, it is gradient x input.
    """
    composed = [part for part in module.modules() if _is_composed(part)]
    handles = [part.register_forward_hook(_rescale_module) for part in composed]
    try:
        with _Rescaled():
            yield
    finally:
        for handle in handles:
            handle.remove()


def _rescale_module(_: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> torch.Tensor:
    return _by_ratio(inputs[0], output)


def _by_ratio(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    apply: Callable[..., torch.Tensor] = _Rescale.apply
    return apply(before, after.detach())


def _is_composed(part: torch.nn.Module) -> bool:
    """Whether it is an activation written out in elementary operations, zero at zero."""
    if type(part).__module__ != "transformers.activations":
        return False
    with torch.no_grad():
        try:
            return not bool(part(torch.zeros(1)).any())
        except RuntimeError:  # one with parameters of its own: its gradient stays
            return False


def image_cells(maps: torch.Tensor, reduction: str) -> torch.Tensor:
    """Bring maps (B, C, H, W) to the shared grid, row by row: (B, 1024) float32.

    The grid lies over what the network saw. Checkpoints that crop otherwise see another part of
    the picture, by a few cells at the border; that is not undone.
    """
    reduced = maps.abs().mean(dim=1) if reduction == "absmean" else maps.mean(dim=1)
    planes = reduced[:, None].float()
    fine = min(planes.shape[-2:]) >= GRID
    scaled = (
        torch.nn.functional.adaptive_avg_pool2d(planes, GRID)
        if fine
        else torch.nn.functional.interpolate(
            planes, (GRID, GRID), mode="bilinear", align_corners=False
        )
    )
    return scaled.flatten(1)


def token_relevance(maps: torch.Tensor, reduction: str) -> npt.NDArray[Any]:
    """Add up maps (B, T, D) over the width of the embeddings: (B, T) float64."""
    added = maps.abs().sum(dim=2) if reduction == "absmean" else maps.sum(dim=2)
    relevance: npt.NDArray[Any] = added.double().cpu().numpy()
    return relevance
