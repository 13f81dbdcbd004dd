"""Put something else in the place of a layer's features, and let the network go on with it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import InputError
from zoo_runtimes.watching import first_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zoo_runtimes.pooling import Pooling
    from zoo_runtimes.taps import Point

    Alter = Callable[[torch.Tensor], torch.Tensor]


@contextmanager
def altered(
    module: torch.nn.Module,
    points: Sequence[Point],
    alter: Mapping[str, Alter],
    mask: torch.Tensor | None,
) -> Iterator[None]:
    """Let one forward pass inside the block go on with altered layers.

    Args:
        module: the network.
        points: the layers to alter, aligned.
        alter: name -> function of the aligned features.
        mask: (B, T) for texts.

    Raises:
        InputError: a layer is not what any one module returns.
    """
    by_module: dict[str, list[Point]] = {}
    for point in points:
        if point.source != "output":
            raise InputError(
                f"layer {point.tap.name!r} cannot be altered: no part of the network returns it.",
                "Choose another layer.",
            )
        by_module.setdefault(point.module, []).append(point)
    handles = []
    try:
        for path, its_points in by_module.items():
            hook = _hook(its_points, alter, mask)
            # Whoever reads this layer reads it altered.
            part = module.get_submodule(path)
            handles.append(part.register_forward_hook(hook, prepend=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(
    points: Sequence[Point], alter: Mapping[str, Alter], mask: torch.Tensor | None
) -> Callable[..., Any]:
    calls = 0

    def replace(_: torch.nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        nonlocal calls
        call, calls = calls, calls + 1
        for point in points:
            if point.call == call:
                values = first_tensor(output)
                if values is None:
                    raise TypeError(f"{point.module} returned no tensor")
                output = _with_first(output, _altered(point, alter[point.tap.name], values, mask))
        return output

    return replace


def _altered(
    point: Point, function: Alter, values: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    given = point.pooling(values, mask)
    changed = function(given)
    if changed.shape != given.shape:
        raise ValueError(
            f"layer {point.tap.name!r} has features of shape {tuple(given.shape)}, and what "
            f"replaces them has {tuple(changed.shape)}"
        )
    return put_back(point.pooling, values, given, changed, mask)


def put_back(
    pooling: Pooling,
    values: torch.Tensor,
    given: torch.Tensor,
    changed: torch.Tensor,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """Give a layer's output the features ``changed`` in the place of ``given``.

    A mean of tokens changes by moving all of them, those that are averaged, by the difference.

    Args:
        pooling: how ``given`` was aligned, see :class:`Alignment`.
        values: (B, ...) what the layer returned.
        given: (B, C, H, W) or (B, D).
        changed: of the same shape.
        mask: (B, T) for texts.

    Returns:
        New memory, of the shape, type and layout of ``values``.
    """
    if pooling.kind == "spatial_last":
        native = changed.permute(0, 2, 3, 1)
    elif pooling.kind == "tokens" and changed.ndim == 4:
        native = _after(values, pooling.special, changed.flatten(2).transpose(1, 2))
    elif changed.ndim == values.ndim:
        native = changed
    else:
        shift = (changed - given).unsqueeze(1).to(values.dtype)
        if pooling.kind == "masked" and mask is not None:
            native = values + shift * mask.unsqueeze(-1).to(shift.dtype)
        else:
            native = _after(values, pooling.special, values[:, pooling.special :] + shift)
    # The network may overwrite what it goes on with, and chooses kernels by its layout.
    return torch.empty_like(values).copy_(native)


def _after(values: torch.Tensor, special: int, tokens: torch.Tensor) -> torch.Tensor:
    return torch.cat([values[:, :special], tokens.to(values.dtype)], dim=1) if special else tokens


def _with_first(output: Any, tensor: torch.Tensor) -> Any:
    """Replace what :func:`first_tensor` finds."""
    if isinstance(output, torch.Tensor):
        return tensor
    rest = (tensor, *output[1:])
    return type(output)(*rest) if hasattr(output, "_fields") else type(output)(rest)
