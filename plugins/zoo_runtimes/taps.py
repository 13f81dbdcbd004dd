"""Find a network's layers by what they return, then read them without keeping them.

No table of architectures: one small forward pass asks the network for its hidden states and
watches every module. A hidden state is traced to the module call that produced it, and later
passes pool that module's output the moment it appears. What cannot be traced is asked for again.
"""

from __future__ import annotations

import re
import weakref
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from zoo.types.runtimes import Tap
from zoo_runtimes.pooling import Pooling, image_pooling, text_pooling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zoo_runtimes.loading import Network

    Rule = Callable[[tuple[int, ...]], Pooling | None]

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


@dataclass(frozen=True)
class _Call:
    """One call of one module during discovery."""

    module: str
    call: int
    output: Callable[[], torch.Tensor | None]
    pooled: torch.Tensor | None
    pooling: Pooling | None
    shape: tuple[int, ...]
    linear_input: Pooling | None = None
    linear_width: int | None = None


class _Watch:
    """Hooks on every module that note what each call returned."""

    def __init__(self, module: torch.nn.Module, rule: Rule, mask: torch.Tensor | None) -> None:
        self.calls: list[_Call] = []
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
            tensor = _first_tensor(output)
            if tensor is None:
                return
            shape = tuple(tensor.shape)
            pooling = self._rule(shape)
            pooled = pooling(tensor, self._mask) if pooling else None
            read: Pooling | None = None
            width: int | None = None
            if isinstance(part, torch.nn.Linear | torch.nn.Conv2d) and inputs:
                read = self._rule(tuple(inputs[0].shape))
                width = part.in_features if isinstance(part, torch.nn.Linear) else part.in_channels
            self.calls.append(
                _Call(name, call, weakref.ref(tensor), pooled, pooling, shape, read, width)
            )

        return note


def _first_tensor(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, tuple | list) and output and isinstance(output[0], torch.Tensor):
        return output[0]
    return None


def discover(
    network: Network,
    inputs: Mapping[str, torch.Tensor],
    *,
    modality: str,
    headless: Pooling | None = None,
) -> tuple[Point, ...]:
    """Run two samples through and find every point, in the order of the forward pass.

    Args:
        network: in eval mode.
        inputs: two samples, as the network wants them.
        modality: ``image`` or ``text``.
        headless: how the last hidden state of a network without a head is pooled; the default
            is the trained pooler for images, and the mean for both.
    """
    mask = inputs.get("attention_mask") if modality == "text" else None
    rule = _rule(network, inputs, modality)
    watch = _Watch(network.module, rule, mask)
    try:
        output = network.module(**inputs, output_hidden_states=True)
    finally:
        for handle in watch.handles:
            handle.remove()
    points = _layers(network, output, watch.calls, rule, mask)
    if modality == "image" and points and points[-1].pooling.special:
        last = points[-1]
        tap = Tap(name=f"{last.tap.name}.cls", dimension=last.tap.dimension)
        points.append(replace(last, tap=tap, pooling=Pooling("cls")))
    if network.head:
        points += _head(output, watch.calls, modality, points)
    else:
        points += _pooled(network, output, rule, mask, headless)
    return tuple(points)


def _rule(network: Network, inputs: Mapping[str, torch.Tensor], modality: str) -> Rule:
    first = next(iter(inputs.values()))
    batch = len(first)
    if modality == "text":
        length = first.shape[1]
        return lambda shape: text_pooling(shape, length) if shape[:1] == (batch,) else None
    grid = patches(network, first)
    return lambda shape: image_pooling(shape, grid) if shape[:1] == (batch,) else None


def patches(network: Network, pixels: torch.Tensor) -> int | None:
    """Number of patches that an isotropic transformer cuts (B, C, H, W) pixels into."""
    patch = getattr(network.config, "patch_size", None)
    height, width = pixels.shape[-2:]
    return (height // patch) * (width // patch) if isinstance(patch, int) and patch > 0 else None


def _layers(
    network: Network,
    output: Any,
    calls: Sequence[_Call],
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
        tap = Tap(name=str(index), dimension=pooled.shape[1])
        made = _producer(state, pooled, calls)
        if made is None or made.pooling is None:
            found.append(Point(tap, pooling, "hidden", index=index))
        else:
            found.append(Point(tap, made.pooling, "output", module=made.module, call=made.call))
    return _named(network, found, [tuple(state.shape) for state in states])


def _producer(state: torch.Tensor, pooled: torch.Tensor, calls: Sequence[_Call]) -> _Call | None:
    """The outermost module call whose output is, or pools to, this hidden state."""
    scale = float(pooled.abs().max()) or 1.0
    same = [
        call
        for call in calls
        if call.pooled is not None
        and call.pooled.shape == pooled.shape
        and float((call.pooled - pooled).abs().max()) <= _AGREEMENT * scale
    ]
    return min(
        same, key=lambda call: (call.output() is not state, call.module.count(".")), default=None
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
    return [
        replace(point, tap=Tap(name=name, dimension=point.tap.dimension))
        for name, point in zip(names, points, strict=True)
    ]


def _head(
    output: Any, calls: Sequence[_Call], modality: str, layers: Sequence[Point]
) -> list[Point]:
    """What the last linear map of the head reads, and the logits it makes."""
    width = output.logits.shape[-1]
    logits = Point(Tap(name="logits", dimension=width), Pooling("vector"), "field", field="logits")
    made = [value for value in output.values() if isinstance(value, torch.Tensor)]
    linear = [call for call in calls if call.linear_input is not None]
    exact = [call for call in linear if any(call.output() is value for value in made)]
    fitting = [c for c in linear if width in (c.shape[-1], c.shape[1])]
    chosen = next(iter(exact[:1] or fitting[-1:]), None)
    if chosen is None or chosen.linear_input is None:
        last = layers[-1]
        return [replace(last, tap=Tap(name="head_input", dimension=last.tap.dimension)), logits]
    pooling = chosen.linear_input
    if modality == "text" and pooling.kind == "masked":
        pooling = Pooling("last")
    tap = Tap(name="head_input", dimension=chosen.linear_width)
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
    points = [Point(Tap(name="head_input", dimension=width), pooling, "field", field=field)]
    if network.projection is not None and field == "pooler_output":
        width = network.projection(values).shape[1]
        tap = Tap(name="projection", dimension=width)
        points.append(Point(tap, Pooling("vector"), "projection"))
    return points


def read(
    network: Network,
    points: Iterable[Point],
    inputs: Mapping[str, torch.Tensor],
    mask: torch.Tensor | None,
) -> dict[str, torch.Tensor]:
    """One forward pass; every point pooled the moment it appears: name -> (B, D) float32."""
    wanted = tuple(points)
    found: dict[str, torch.Tensor] = {}
    handles = _hooks(network.module, wanted, mask, found)
    extra = {"output_hidden_states": True} if any(p.source == "hidden" for p in wanted) else {}
    try:
        output = network.module(**inputs, **extra)
    finally:
        for handle in handles:
            handle.remove()
    for point in wanted:
        if point.source == "field":
            found[point.tap.name] = point.pooling(getattr(output, point.field), mask)
        elif point.source == "hidden":
            found[point.tap.name] = point.pooling(output.hidden_states[point.index], mask)
        elif point.source == "projection" and network.projection is not None:
            found[point.tap.name] = network.projection(output.pooler_output).float()
    return {point.tap.name: found[point.tap.name] for point in wanted}


def _hooks(
    module: torch.nn.Module,
    points: Sequence[Point],
    mask: torch.Tensor | None,
    found: dict[str, torch.Tensor],
) -> list[Any]:
    by_module: dict[str, list[Point]] = {}
    for point in points:
        if point.source in {"output", "input"}:
            by_module.setdefault(point.module, []).append(point)
    handles = []
    for path, its_points in by_module.items():
        hook = _reader(its_points, mask, found)
        handles.append(module.get_submodule(path).register_forward_hook(hook))
    return handles


def _reader(
    points: Sequence[Point], mask: torch.Tensor | None, found: dict[str, torch.Tensor]
) -> Callable[..., None]:
    calls = 0

    def pool(_: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal calls
        for point in points:
            if point.call == calls:
                tensor = inputs[0] if point.source == "input" else _first_tensor(output)
                if tensor is None:
                    raise TypeError(f"{point.module} returned no tensor")
                found[point.tap.name] = point.pooling(tensor, mask)
        calls += 1

    return pool
