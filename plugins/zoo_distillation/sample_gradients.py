"""Gradients of every sample on its own, a whole batch at a time.

A backward pass gives each layer the gradient of its output, sample by sample; together with what
the layer read, that is the gradient of its weights for every sample (Goodfellow 2015, arXiv
1510.01799). It needs no vmap, so that it works through whatever a network does between its layers;
:func:`trusted` compares with ordinary autograd which layers it holds for.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from zoo.types.training import TrainableNetwork

_MATRICES = (nn.Linear, nn.Conv2d)
_NORMS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
#: Largest error of a trusted layer's gradient, as a share of its length.
_AGREEMENT = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One forward pass.

    Attributes:
        logits: (B, C) with a graph.
        calls: name of a layer -> (what it read, what was added to its output) of each call.
    """

    logits: Tensor
    calls: Mapping[str, Sequence[tuple[Tensor, Tensor]]]
    layers: Mapping[str, nn.Module] = field(repr=False)

    def pull(self, cotangent: Tensor) -> dict[str, list[tuple[Tensor, Tensor]]]:
        """Go backward once: layer -> (what it read, gradient of its output) of each call.

        Args:
            cotangent: (B, C), weights of the logits that are added up for each sample.
        """
        added = [each for calls in self.calls.values() for _, each in calls]
        found = torch.autograd.grad(
            self.logits, added, cotangent, retain_graph=True, allow_unused=True
        )
        rest = iter(found)
        return {
            name: [(read, _or_zero(next(rest), moved)) for read, moved in calls]
            for name, calls in self.calls.items()
        }

    def gradients(
        self, cotangent: Tensor, places: Mapping[str, Tensor | None]
    ) -> Iterator[tuple[str, Tensor]]:
        """Give (parameter, (B, n) gradients of each sample) of one backward pass.

        Args:
            cotangent: as in :meth:`pull`.
            places: parameter -> flat places in it; None for all of it.
        """
        batch = len(self.logits)
        for name, calls in self.pull(cotangent).items():
            layer = self.layers[name]
            for kind in ("weight", "bias"):
                if f"{name}.{kind}" in places:
                    where = places[f"{name}.{kind}"]
                    parts = (_gradient(layer, kind, call, batch, where) for call in calls)
                    yield f"{name}.{kind}", sum(parts, start=self.logits.new_zeros(()))


@contextmanager
def recording(network: TrainableNetwork, names: Collection[str]) -> Iterator[Any]:
    """Give ``record(inputs) -> Recording`` for some layers, for as long as the block lasts."""
    modules = dict(network.module.named_modules())
    layers = {name: modules[name] for name in names}
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watch(name: str, layer: nn.Module) -> Any:
        def hook(_: nn.Module, args: Any, kwargs: Any, output: Tensor) -> Tensor:
            read = args[0] if args else next(iter(kwargs.values()))
            added = torch.zeros_like(output).requires_grad_()
            calls.setdefault(name, []).append((read.detach(), added))
            return output + added

        # First of all hooks: those that read the logits have to see what is added.
        return layer.register_forward_hook(hook, with_kwargs=True, prepend=True)

    def record(inputs: Mapping[str, Tensor]) -> Recording:
        calls.clear()
        with torch.enable_grad():
            logits = network.observe(inputs, ()).logits
        assert logits is not None
        return Recording(logits, dict(calls), layers)

    handles = [watch(name, layer) for name, layer in layers.items()]
    try:
        yield record
    finally:
        calls.clear()
        for handle in handles:
            handle.remove()


def layers_of(module: nn.Module) -> list[str]:
    """Name the linear, convolutional and norm layers that have weights of their own."""
    return [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, _MATRICES + _NORMS)
        and "weight" in dict(layer.named_parameters(recurse=False))
    ]


def trusted(network: TrainableNetwork, inputs: Mapping[str, Tensor]) -> list[str]:
    """Name the parameters whose gradients come out right, in the order of the layers' calls.

    Left out are those that are also used elsewhere, those of layers whose class does more than its
    base, and those of layers that see samples in another order.

    Args:
        network: frozen.
        inputs: a batch; with more than one sample, mixed samples are found out.
    """
    layers = set(layers_of(network.module))
    parameters = {
        name: each
        for name, each in network.module.named_parameters()
        if name.rpartition(".")[0] in layers
    }
    try:
        for each in parameters.values():
            each.requires_grad_()
        with recording(network, layers) as record:
            return _agreeing(record(inputs), parameters)
    finally:
        for each in parameters.values():
            each.requires_grad_(False)


def _agreeing(seen: Recording, parameters: Mapping[str, Tensor]) -> list[str]:
    """Compare with autograd for the first sample; for the others nothing may come out."""
    cotangent = torch.zeros_like(seen.logits)
    cotangent[0] = torch.linspace(1, 2, cotangent.shape[1]).to(cotangent)
    cotangent[0, ::2] *= -1
    true = torch.autograd.grad(
        seen.logits, list(parameters.values()), cotangent, retain_graph=True, allow_unused=True
    )
    expected = dict(zip(parameters, true, strict=True))
    found = []
    for name, calls in seen.pull(cotangent).items():
        for kind in ("weight", "bias"):
            exact = expected.get(f"{name}.{kind}")
            if exact is None:
                continue
            try:
                parts = [
                    _gradient(seen.layers[name], kind, call, len(cotangent), None) for call in calls
                ]
            except RuntimeError:  # shapes that its class does not explain
                continue
            own = torch.stack(parts).sum(0)
            own[0] -= exact.flatten()
            if own.norm() <= _AGREEMENT * exact.norm():
                found.append(f"{name}.{kind}")
    return found


def _or_zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


def _gradient(
    layer: nn.Module, kind: str, call: tuple[Tensor, Tensor], batch: int, places: Tensor | None
) -> Tensor:
    """(B, n) gradients of one parameter, from one call of its layer."""
    read, gradient = call
    if isinstance(layer, _NORMS):
        outward = _channels_last(layer, gradient, batch)
        if kind == "weight":
            outward = outward * _channels_last(layer, _standardised(layer, read), batch)
        return _chosen(outward.sum(1), places)
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    outward = _tokens(gradient, batch, image=isinstance(layer, nn.Conv2d))
    if kind == "bias":
        return _chosen(outward.sum(1), places)
    inward = _tokens(_patches(layer, read), batch, image=isinstance(layer, nn.Conv2d))
    if groups == 1:
        return _products(outward, inward, places)
    outward, inward = (each.reshape(*each.shape[:2], groups, -1) for each in (outward, inward))
    return _chosen(torch.einsum("btgo,btgk->bgok", outward, inward).flatten(1), places)


def _products(outward: Tensor, inward: Tensor, places: Tensor | None) -> Tensor:
    """(B, n): places of the matrices (B, O, K) that (B, T, O) and (B, T, K) make."""
    if places is None:
        return (outward.mT @ inward).flatten(1)
    rows, row = torch.unique(places // inward.shape[2], return_inverse=True)
    columns, column = torch.unique(places % inward.shape[2], return_inverse=True)
    return (outward[:, :, rows].mT @ inward[:, :, columns])[:, row, column]


def _chosen(values: Tensor, places: Tensor | None) -> Tensor:
    return values if places is None else values[:, places]


def _tokens(values: Tensor, batch: int, *, image: bool) -> Tensor:
    """(B, T, F): one vector a place of a sample; windows of a sample lie behind one another."""
    if image:
        values = values.flatten(2).mT
    return values.reshape(batch, -1, values.shape[-1])


def _patches(layer: nn.Module, read: Tensor) -> Tensor:
    """(B, K, H, W) -> what a convolution multiplies with its weights at every place."""
    if not isinstance(layer, nn.Conv2d):
        return read
    if layer.padding_mode != "zeros":
        raise RuntimeError(layer.padding_mode)
    size, dilation, padding = layer.kernel_size, layer.dilation, layer.padding
    if isinstance(padding, str):
        spans = [
            step * (side - 1) * (padding == "same")
            for step, side in zip(dilation, size, strict=True)
        ]
        # As torch pads for "same": the odd one goes to the end; the last dimension comes first.
        edges = [edge for span in reversed(spans) for edge in (span // 2, span - span // 2)]
        read, padding = functional.pad(read, edges), (0, 0)
    return functional.unfold(read, size, dilation, padding, layer.stride)


def _standardised(layer: nn.Module, read: Tensor) -> Tensor:
    """What a norm multiplies with its weights."""
    if isinstance(layer, nn.LayerNorm):
        return functional.layer_norm(read, layer.normalized_shape, eps=layer.eps)
    if isinstance(layer, nn.GroupNorm):
        return functional.group_norm(read, layer.num_groups, eps=layer.eps)
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    return functional.batch_norm(read, layer.running_mean, layer.running_var, eps=layer.eps)


def _channels_last(layer: nn.Module, values: Tensor, batch: int) -> Tensor:
    """(B, T, F): the features that a norm has weights for, last."""
    if isinstance(layer, nn.LayerNorm):
        return values.reshape(batch, -1, layer.weight.numel())
    return values.reshape(len(values), values.shape[1], -1).mT.reshape(batch, -1, values.shape[1])
