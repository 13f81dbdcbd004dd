"""Find a network's layers by what they return, then read them without keeping them.

No table of architectures: one small forward pass asks the network for its hidden states and
watches every module. A hidden state is traced to the module call that produced it, and later
passes pool that module's output the moment it appears. What cannot be traced is asked for again.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from zoo.types.runtimes import Tap
from zoo_runtimes.pooling import (
    Pooling,
    audio_pooling,
    image_pooling,
    sample_shape,
    text_pooling,
)
from zoo_runtimes.watching import Watch, first_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zoo_runtimes.loading import Network
    from zoo_runtimes.watching import Call, Rule

_AGREEMENT = 1e-5
_EMBEDDING = re.compile(r"embed|stem", re.IGNORECASE)
_NUMBERED = re.compile(r"\.\d+(\.|$)")


@dataclass(frozen=True)
class Point:
    """Where a tap is read.

    Attributes:
        tap: its name and width.
        pooling: how it becomes a vector.
        source: a module's ``output`` or ``input``; a returned ``hidden`` state; a ``field`` of
            the network's output; or the ``projection`` of its pooled output.
        module: path of the module.
        call: which of its calls in one pass, for modules that are used again.
        index: number of the hidden state.
        field: name of the field.
    """

    tap: Tap
    pooling: Pooling
    source: Literal["output", "input", "hidden", "field", "projection"]
    module: str = ""
    call: int = 0
    index: int = 0
    field: str = ""


def discover(
    network: Network,
    inputs: Mapping[str, torch.Tensor],
    *,
    modality: str,
    headless: Pooling | None = None,
    varying: bool | None = None,
) -> tuple[Point, ...]:
    """Run two samples through and find every point, in the order of the forward pass.

    Network and samples may lie on the meta device, where tensors have shapes and no values.

    Args:
        network: in eval mode.
        inputs: two samples, as the network wants them.
        modality: ``image``, ``text`` or ``audio``.
        headless: how the last hidden state of a network without a head is pooled; the default
            is the trained pooler for images, and the mean for all of them.
        varying: whether inputs differ in size; by default those of texts do.
    """
    mask = inputs.get("attention_mask") if modality == "text" else None
    rule = _rule(network, inputs, modality)
    watch = Watch(network.module, rule, mask)
    try:
        output = network.module(**inputs, output_hidden_states=True)
    finally:
        for handle in watch.handles:
            handle.remove()
    points = _layers(network, output, watch.calls, rule, mask)
    if modality == "image" and points and points[-1].pooling.special:
        last = points[-1]
        points.append(replace(_renamed(last, f"{last.tap.name}.cls"), pooling=Pooling("cls")))
    if network.head:
        points += _head(output, watch.calls, modality, points)
    else:
        points += _pooled(network, output, rule, mask, headless)
    varies = modality == "text" if varying is None else varying
    return tuple(_shaped(point, rule, varying=varies) for point in points)


def _renamed(point: Point, name: str) -> Point:
    return replace(point, tap=replace(point.tap, name=name))


def _shaped(point: Point, rule: Rule, *, varying: bool) -> Point:
    whole = tuple(size or 0 for size in point.tap.shape)
    shape = sample_shape(whole, rule(whole) or point.pooling, varying=varying)
    return replace(point, tap=replace(point.tap, shape=shape))


def _rule(network: Network, inputs: Mapping[str, torch.Tensor], modality: str) -> Rule:
    first = next(iter(inputs.values()))
    batch = len(first)
    if modality == "text":
        length = first.shape[1]
        return lambda shape: text_pooling(shape, length) if shape[:1] == (batch,) else None
    grid = patches(network, first)
    pool = audio_pooling if modality == "audio" else image_pooling
    return lambda shape: pool(shape, grid) if shape[:1] == (batch,) else None


def patches(network: Network, values: torch.Tensor) -> int | None:
    """Number of patches that an isotropic transformer cuts pixels or a spectrogram into."""
    patch = getattr(network.config, "patch_size", None)
    if not isinstance(patch, int) or patch <= 0 or values.ndim < 3:
        return None
    # Those of spectrograms overlap: (B, time, frequency).
    strides = [getattr(network.config, f"{way}_stride", patch) for way in ("time", "frequency")]
    sides = zip(values.shape[-2:], strides, strict=True)
    return math.prod((side - patch) // stride + 1 for side, stride in sides)


def _layers(
    network: Network,
    output: Any,
    calls: Sequence[Call],
    rule: Rule,
    mask: torch.Tensor | None,
) -> list[Point]:
    states = [s for s in (getattr(output, "hidden_states", None) or ()) if s is not None]
    found: list[Point] = []
    for index, state in enumerate(states):
        pooling = rule(tuple(state.shape))
        if pooling is None:
            continue
        pooled = pooling(state, mask)
        made = _producer(state, pooled, calls)
        tap = Tap(name=str(index), dimension=pooled.shape[1], shape=tuple(state.shape))
        if made is None or made.pooling is None:
            found.append(Point(tap, pooling, "hidden", index=index))
        else:
            found.append(Point(tap, made.pooling, "output", module=made.module, call=made.call))
    return _named(network, found, [tuple(state.shape) for state in states])


def _producer(state: torch.Tensor, pooled: torch.Tensor, calls: Sequence[Call]) -> Call | None:
    """The outermost module call whose output is, or pools to, this hidden state."""
    fitting = [c for c in calls if c.pooled is not None and c.pooled.shape == pooled.shape]
    if state.is_meta:
        same = [call for call in fitting if _shares(call.output(), state)]
    else:
        scale = float(pooled.abs().max()) or 1.0
        same = [call for call in fitting if _distance(call.pooled, pooled) <= _AGREEMENT * scale]
    return min(
        same, key=lambda call: (call.output() is not state, call.module.count(".")), default=None
    )


def _distance(one: torch.Tensor | None, other: torch.Tensor) -> float:
    return math.inf if one is None else float((one - other).abs().max())


def _shares(made: torch.Tensor | None, state: torch.Tensor) -> bool:
    """Whether one is the other, or a view of all of it."""
    return (
        made is not None
        and made.numel() == state.numel()
        and made.untyped_storage()._cdata == state.untyped_storage()._cdata  # noqa: SLF001
    )


def _named(network: Network, points: list[Point], shapes: list[tuple[int, ...]]) -> list[Point]:
    if not points:
        return []
    first = points[0].module
    layers = getattr(network.config, "num_hidden_layers", None)
    depths = getattr(network.config, "depths", None)
    expected = {layers, len(depths) if isinstance(depths, list | tuple) else None}
    fits = _EMBEDDING.search(first) is not None or len(points) - 1 in expected
    embedded = fits and not _NUMBERED.search(first)
    word = "block" if len(set(shapes[embedded:])) <= 1 else "stage"
    names = ["embeddings"] * embedded
    names += [f"{word}.{number}" for number in range(1, len(points) + 1 - embedded)]
    return [_renamed(point, name) for name, point in zip(names, points, strict=True)]


def _head(
    output: Any, calls: Sequence[Call], modality: str, layers: Sequence[Point]
) -> list[Point]:
    """What the last linear map of the head reads, and the logits it makes."""
    width = output.logits.shape[-1]
    tap = Tap(name="logits", dimension=width, shape=tuple(output.logits.shape))
    logits = Point(tap, Pooling("vector"), "field", field="logits")
    made = [value for value in output.values() if isinstance(value, torch.Tensor)]
    linear = [call for call in calls if call.linear_input is not None]
    exact = [call for call in linear if any(call.output() is value for value in made)]
    fitting = [c for c in linear if width in (c.shape[-1], c.shape[1])]
    chosen = next(iter(exact[:1] or fitting[-1:]), None)
    if chosen is None or chosen.linear_input is None:
        return [_renamed(layers[-1], "head_input"), logits]
    pooling = chosen.linear_input
    if modality == "text" and pooling.kind == "masked":
        pooling = Pooling("last")
    tap = Tap(name="head_input", dimension=chosen.linear_width, shape=chosen.linear_shape)
    return [Point(tap, pooling, "input", module=chosen.module, call=chosen.call), logits]


def _pooled(
    network: Network,
    output: Any,
    rule: Rule,
    mask: torch.Tensor | None,
    headless: Pooling | None,
) -> list[Point]:
    """What a new head on a network without one would read."""
    trained = network.pooler and getattr(output, "pooler_output", None) is not None
    field = "pooler_output" if trained and headless is None else "last_hidden_state"
    values = getattr(output, field)
    pooling = headless or rule(tuple(values.shape)) or Pooling("vector")
    width = pooling(values, mask).shape[1]
    tap = Tap(name="head_input", dimension=width, shape=tuple(values.shape))
    points = [Point(tap, pooling, "field", field=field)]
    if network.projection is not None and field == "pooler_output":
        shape = tuple(network.projection(values).shape)
        tap = Tap(name="projection", dimension=shape[1], shape=shape)
        points.append(Point(tap, Pooling("vector"), "projection"))
    return points


def read(
    network: Network,
    points: Iterable[Point],
    inputs: Mapping[str, torch.Tensor],
    mask: torch.Tensor | None,
) -> dict[str, torch.Tensor]:
    """One forward pass; every point pooled the moment it appears: name -> (B, D) float32."""
    reader = Reader(network, points)
    try:
        return reader(inputs, mask)
    finally:
        reader.close()


class Reader:
    """Reads the same points in pass after pass; its hooks stay, and rest in between."""

    def __init__(self, network: Network, points: Iterable[Point]) -> None:
        self._network, self._points = network, tuple(points)
        hidden = any(point.source == "hidden" for point in self._points)
        self._extra = {"output_hidden_states": True} if hidden else {}
        self._found: dict[str, torch.Tensor] | None = None
        self._mask: torch.Tensor | None = None
        self._calls: dict[str, int] = {}
        by_module: dict[str, list[Point]] = {}
        for point in self._points:
            if point.source in {"output", "input"}:
                by_module.setdefault(point.module, []).append(point)
        self._handles = [
            network.module.get_submodule(path).register_forward_hook(self._hook(path, its_points))
            for path, its_points in by_module.items()
        ]

    def __call__(
        self, inputs: Mapping[str, torch.Tensor], mask: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        """One forward pass, as :func:`read`."""
        found: dict[str, torch.Tensor] = {}
        self._found, self._mask, self._calls = found, mask, {}
        try:
            output = self._network.module(**inputs, **self._extra)
        finally:
            self._found = self._mask = None
        for point in self._points:
            if point.source == "field":
                found[point.tap.name] = point.pooling(getattr(output, point.field), mask)
            elif point.source == "hidden":
                found[point.tap.name] = point.pooling(output.hidden_states[point.index], mask)
            elif point.source == "projection" and self._network.projection is not None:
                found[point.tap.name] = self._network.projection(output.pooler_output).float()
        return {point.tap.name: found[point.tap.name] for point in self._points}

    def close(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _hook(self, path: str, points: Sequence[Point]) -> Callable[..., None]:
        def pool(_: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if self._found is None:  # a pass of somebody else's
                return
            call = self._calls.get(path, 0)
            self._calls[path] = call + 1
            for point in points:
                if point.call == call:
                    tensor = inputs[0] if point.source == "input" else first_tensor(output)
                    if tensor is None:
                        raise TypeError(f"{path} returned no tensor")
                    self._found[point.tap.name] = point.pooling(tensor, self._mask)

        return pool
