"""One pass of a checkpoint over the probe: every tap, in the order of the samples."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.engine.batches import run_in_batches
from zoo.errors import NotApplicable, PluginError
from zoo.types.runtimes import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.runtimes import Attributes, Backbone, EncodedInput

LOGITS = "logits"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One tap as it came out.

    Attributes:
        dimension: width D of the pooled vector.
        broken: how many samples have a value that is not finite.
        first: the first of them.
        dead: every value is zero: the checkpoint never trained this layer.
    """

    name: str
    dimension: int
    broken: int = 0
    first: int = 0
    dead: bool = False

    @property
    def problem(self) -> str:
        """What is wrong with it, as a sentence; empty when nothing is."""
        if not self.broken:
            return ""
        return (
            f"the features of layer {self.name!r} are not finite for {self.broken} samples, "
            f"the first is sample {self.first}"
        )


class Extraction(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a features file without opening it.

    Attributes:
        layers: every tap, ``logits`` included, in the order of the forward pass.
        default_layer: the layer a new head would read.
    """

    layers: tuple[Layer, ...]
    default_layer: str
    prepare_seconds: float = 0.0
    load_seconds: float = 0.0
    forward_seconds: float = 0.0
    device: str = "cpu"

    def scored(self, which: str) -> list[Layer]:
        """Give the layers that ``last`` or ``all`` means; logits are no place to cut."""
        if which == "last":
            return [layer for layer in self.layers if layer.name == self.default_layer]
        return [layer for layer in self.layers if layer.name != LOGITS]

    def attributed(self, which: str) -> list[str]:
        """Name the layers to attribute; with all of them the head, which they are compared with."""
        names = [layer.name for layer in self.scored(which)]
        head = which == "all" and any(layer.name == LOGITS for layer in self.layers)
        return [*names, LOGITS] if head else names

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The layers as others see them."""
        return tuple(Tap(name=each.name, dimension=each.dimension) for each in self.scored("all"))


def extract(
    backbone: Backbone, inputs: Sequence[Any], progress: Callable[[int], None]
) -> tuple[dict[str, npt.NDArray[np.float32]], float]:
    """Run every input through the backbone once.

    Args:
        backbone: an open checkpoint.
        inputs: N texts, or N prepared images.
        progress: is told how many samples are done.

    Returns:
        tap -> (N, D) float32, and the seconds spent in forward passes.

    Raises:
        OutOfMemoryError: a single input does not fit.
        PluginError: the backbone does not keep its promises.
    """
    taps = [tap.name for tap in backbone.taps]
    if backbone.default_tap not in taps:
        raise PluginError(f"the default tap {backbone.default_tap!r} is none of {taps}.")
    encoded = backbone.encode(inputs)
    if len(encoded) != len(inputs):
        raise PluginError(f"{len(inputs)} inputs became {len(encoded)} in encode().")
    pooled: dict[str, npt.NDArray[np.float32]] = {}
    done, seconds = 0, 0.0

    def forward(batch: Sequence[int]) -> None:
        nonlocal done, seconds
        started = time.perf_counter()
        outputs = backbone.extract([encoded[index] for index in batch], taps)
        seconds += time.perf_counter() - started
        _collect(pooled, outputs, batch, len(inputs))
        done += len(batch)
        progress(done)

    run_in_batches([each.cost for each in encoded], backbone.budget, forward)
    missing = [tap for tap in taps if tap not in pooled]
    if missing:
        raise PluginError(f"the backbone gave no output for {missing}.")
    return pooled, seconds


def attribute(
    backbone: Attributes,
    inputs: Sequence[EncodedInput],
    taps: Sequence[str],
    *,
    method: str,
    budget: int,
    progress: Callable[[int], None],
) -> dict[str, npt.NDArray[np.float32]]:
    """Attribute the output of each tap to the input, a batch at a time.

    Args:
        backbone: an open checkpoint that can.
        inputs: P encoded inputs.
        taps: names.
        method: as :class:`zoo.types.Attributes` names it.
        budget: cost of one batch.
        progress: is told how many samples are done.

    Returns:
        tap -> (P, G) float32; a tap with values that are not finite is left out.

    Raises:
        OutOfMemoryError: a single input does not fit.
        NotApplicable: nothing can be attributed.
        PluginError: the backbone does not keep its promises.
    """
    maps: dict[str, npt.NDArray[np.float32]] = {}
    done = 0

    def backward(batch: Sequence[int]) -> None:
        nonlocal done
        outputs = backbone.attribute([inputs[index] for index in batch], taps, method)
        _collect(maps, outputs, batch, len(inputs))
        done += len(batch)
        progress(done)

    run_in_batches([each.cost for each in inputs], budget, backward)
    missing = [tap for tap in taps if tap not in maps]
    if missing:
        raise PluginError(f"the backbone gave no attributions of {missing}.")
    finite = {tap: maps[tap] for tap in taps if np.isfinite(maps[tap]).all()}
    if not finite:
        raise NotApplicable(f"attributions of {', '.join(taps)} are not finite.")
    return finite


def describe(
    tensors: Mapping[str, npt.NDArray[np.float32]], names: Sequence[str]
) -> tuple[Layer, ...]:
    """Measure each tap: its width, what is not finite, whether it is dead."""
    layers = []
    for name in names:
        broken = np.flatnonzero(~np.isfinite(tensors[name]).all(axis=1))
        layers.append(
            Layer(
                name=name,
                dimension=tensors[name].shape[1],
                broken=len(broken),
                first=int(broken[0]) if len(broken) else 0,
                dead=not tensors[name].any(),
            )
        )
    return tuple(layers)


def join_layers(parts: Sequence[Layer]) -> Layer:
    """Describe one tap of several slices; its first broken sample counts within its slice."""
    worst = next((part for part in parts if part.broken), parts[0])
    broken = sum(part.broken for part in parts)
    dead = all(part.dead for part in parts)
    return msgspec.structs.replace(worst, broken=broken, dead=dead)


def last_alive(layers: Sequence[Layer], default: str) -> str:
    """Give the default layer, or the last one before it that is not dead.

    The converted backbone of a segmentation network may end in a layer that only its classifier
    had: all zeros, while everything below is as good as in any other backbone.
    """
    names = [layer.name for layer in layers]
    before = layers[: names.index(default) + 1] if default in names else layers
    alive = [layer.name for layer in before if not layer.dead and layer.name != LOGITS]
    return alive[-1] if alive else default


def _collect(
    pooled: dict[str, npt.NDArray[np.float32]],
    outputs: Mapping[str, npt.NDArray[Any]],
    batch: Sequence[int],
    samples: int,
) -> None:
    for tap, rows in outputs.items():
        if rows.ndim != 2 or len(rows) != len(batch):
            raise PluginError(
                f"tap {tap!r} gave shape {rows.shape} for a batch of {len(batch)}; "
                f"({len(batch)}, D) was expected."
            )
        if tap not in pooled:
            pooled[tap] = np.empty((samples, rows.shape[1]), dtype=np.float32)
        elif rows.shape[1] != pooled[tap].shape[1]:
            raise PluginError(f"the width of tap {tap!r} differs between batches.")
        pooled[tap][batch] = rows
