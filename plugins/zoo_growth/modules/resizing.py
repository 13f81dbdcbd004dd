"""Makes the larger module: a copy whose parameters, and whatever knows their sizes, are larger."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types.growing import Rule
    from zoo_growth.modules.tracing import Trace


def extent(layout: str, sizes: Mapping[str, int]) -> int:
    """Count the channels of a layout; see :class:`zoo.types.growing.Dim`."""
    total = 0
    for part in layout.split("+"):
        count = 1
        for name in part.split("*"):
            count *= int(name) if name.isdigit() else sizes[name]
        total += count
    return total


@torch.no_grad()
def resized(module: nn.Module, trace: Trace, sizes: Mapping[str, int]) -> nn.Module:
    """Give a larger copy of a module, its weights not set.

    Args:
        module: stays as it is.
        trace: of it.
        sizes: axis -> what it becomes.
    """
    larger = copy.deepcopy(module)
    made: dict[int, torch.Tensor] = {}
    for name, value in larger.state_dict(keep_vars=True).items():
        rule = trace.rules.get(name)
        if id(value) not in made and rule:
            made[id(value)] = _empty(value, rule, sizes)
    for owner in larger.modules():
        own = {
            **dict(owner.named_parameters("", recurse=False, remove_duplicate=False)),
            **dict(owner.named_buffers("", recurse=False, remove_duplicate=False)),
        }
        for name, value in own.items():
            if id(value) in made:
                setattr(owner, name, made[id(value)])
    for each in larger.modules():
        _settle(each)
    for setting in trace.settings:
        given = tuple(
            place if isinstance(place, int) else extent(trace.layouts[place], sizes)
            for place in setting.places
        )
        _say(larger.get_submodule(setting.module), setting.attribute, given)
    return larger


def _empty(value: torch.Tensor, rule: Rule, sizes: Mapping[str, int]) -> torch.Tensor:
    shape = [
        extent(dim.layout, sizes) if dim.layout else size
        for dim, size in zip(rule.dims, value.shape, strict=True)
    ]
    empty = torch.zeros(shape, dtype=value.dtype, device=value.device)
    if isinstance(value, nn.Parameter):
        return nn.Parameter(empty, requires_grad=value.requires_grad)
    return empty


def _settle(module: nn.Module) -> None:
    """Let a layer say the sizes that its weight has."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _ConvTransposeNd):
        if module.groups > 1:
            module.groups = module.weight.shape[0] * module.groups // module.in_channels
        module.in_channels = module.weight.shape[0]
        module.out_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, _ConvNd):
        if module.groups > 1:
            module.groups = module.weight.shape[0] * module.groups // module.out_channels
        module.out_channels = module.weight.shape[0]
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Embedding):
        module.embedding_dim = module.weight.shape[1]
    elif isinstance(module, nn.PReLU):
        module.num_parameters = module.weight.shape[0]


def _say(module: nn.Module, attribute: str, given: tuple[int, ...]) -> None:
    """Let a norm say the sizes that it normalises."""
    if not hasattr(module, attribute):
        return
    known: Any = getattr(module, attribute)
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        module.normalized_shape = given
    elif isinstance(module, nn.GroupNorm):
        module.num_groups = module.num_groups * given[0] // known
        module.num_channels = given[0]
    else:
        setattr(module, attribute, given[0])
