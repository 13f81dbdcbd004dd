"""Watch one forward pass: what every call of every module returned."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo_runtimes.pooling import Pooling

    Rule = Callable[[tuple[int, ...]], Pooling | None]


@dataclass(frozen=True)
class Call:
    """One call of one module during discovery.

    Attributes:
        output: the first tensor that it returned, as long as anything keeps it.
        pooled: that tensor, pooled, where ``pooling`` fits its shape.
        linear_input: how what a linear map or a convolution read is pooled.
    """

    module: str
    call: int
    output: Callable[[], torch.Tensor | None]
    pooled: torch.Tensor | None
    pooling: Pooling | None
    shape: tuple[int, ...]
    linear_input: Pooling | None = None
    linear_width: int | None = None
    linear_shape: tuple[int, ...] = ()


class Watch:
    """Hooks on every module that note what each call returned."""

    def __init__(self, module: torch.nn.Module, rule: Rule, mask: torch.Tensor | None) -> None:
        self.calls: list[Call] = []
        self._counts: Counter[str] = Counter()
        self._rule, self._mask = rule, mask
        self.handles = [
            part.register_forward_hook(self._hook(name))
            for name, part in module.named_modules()
            if name
        ]

    def _hook(self, name: str) -> Callable[..., None]:
        def note(part: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            call = self._counts[name]
            self._counts[name] += 1
            tensor = first_tensor(output)
            if tensor is None:
                return
            shape = tuple(tensor.shape)
            pooling = self._rule(shape)
            pooled = pooling(tensor, self._mask) if pooling else None
            # What has no values takes no memory either, and is compared by what it shares.
            kept = (lambda: tensor) if tensor.is_meta else weakref.ref(tensor)
            made = Call(name, call, kept, pooled, pooling, shape)
            if isinstance(part, torch.nn.Linear | torch.nn.Conv2d) and inputs:
                before = tuple(inputs[0].shape)
                width = part.in_features if isinstance(part, torch.nn.Linear) else part.in_channels
                made = replace(
                    made,
                    linear_input=self._rule(before),
                    linear_width=width,
                    linear_shape=before,
                )
            self.calls.append(made)

        return note


def first_tensor(output: Any) -> torch.Tensor | None:
    """What a module returned, or the first of it."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, tuple | list) and output and isinstance(output[0], torch.Tensor):
        return output[0]
    return None
