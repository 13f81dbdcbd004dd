"""One pass of a checkpoint over the probe: every tap, in the order of the samples."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.engine.batches import Batches, run_in_batches
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


class ForwardPass:
    """One checkpoint on its way over the inputs, a batch at a time.

    Attributes:
        pooled: tap -> (N, D) float32; the rows of :attr:`rows` are filled.
        seconds: spent in forward passes.
        progress: is told how many samples are done.
    """

    def __init__(
        self, backbone: Backbone, inputs: Sequence[Any], progress: Callable[[int], None]
    ) -> None:
        """Encode the inputs.

        Raises:
            PluginError: the backbone does not keep its promises.
        """
        self._backbone, self.progress = backbone, progress
        self.taps = [tap.name for tap in backbone.taps]
        if backbone.default_tap not in self.taps:
            raise PluginError(f"the default tap {backbone.default_tap!r} is none of {self.taps}.")
        self._encoded = backbone.encode(inputs)
        if len(self._encoded) != len(inputs):
            raise PluginError(f"{len(inputs)} inputs became {len(self._encoded)} in encode().")
        self._batches = Batches([each.cost for each in self._encoded], backbone.budget)
        self.pooled: dict[str, npt.NDArray[np.float32]] = {}
        self.seconds = 0.0
        self._steps: list[tuple[int, float]] = []

    @property
    def rows(self) -> Sequence[int]:
        """The samples that are done."""
        return self._batches.done

    @property
    def batches_left(self) -> float:
        """How many batches are still to come, about."""
        return self._batches.left / self._batches.budget

    @property
    def seconds_left(self) -> float:
        """What the rest will take, at the pace of everything but the first batch."""
        timed = self._steps[1:]
        cost = sum(each[0] for each in timed)
        return self._batches.left * sum(each[1] for each in timed) / cost if cost else 0.0

    def step(self) -> bool:
        """Run the next batch; False when there is none.

        Raises:
            OutOfMemoryError: a single input does not fit.
            PluginError: the backbone does not keep its promises.
        """
        if not self._batches.left:
            return False
        before = self.seconds
        cost = self._batches.run_next(self._forward)
        self._steps.append((cost, self.seconds - before))
        self.progress(len(self.rows))
        return True

    def finish(self) -> dict[str, npt.NDArray[np.float32]]:
        """Run all that is left; give tap -> (N, D) float32.

        Raises:
            OutOfMemoryError, PluginError: as :meth:`step`.
        """
        while self.step():
            pass
        missing = [tap for tap in self.taps if tap not in self.pooled]
        if missing:
            raise PluginError(f"the backbone gave no output for {missing}.")
        return self.pooled

    def _forward(self, batch: Sequence[int]) -> None:
        started = time.perf_counter()
        outputs = self._backbone.extract([self._encoded[index] for index in batch], self.taps)
        self.seconds += time.perf_counter() - started
        _collect(self.pooled, outputs, batch, len(self._encoded))


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
    forward = ForwardPass(backbone, inputs, progress)
    return forward.finish(), forward.seconds


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
