"""An open network that gradients flow through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zoo.errors import unknown_name
from zoo.types.training import Observed
from zoo_runtimes.heads import head_of
from zoo_runtimes.learning.altering import altered
from zoo_runtimes.learning.lengths import has_lengths, read_in_groups
from zoo_runtimes.taps import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Head, RuntimeOptions
    from zoo.types.training import FeatureShape
    from zoo_runtimes.learning.inputs import ImageReader, TextReader
    from zoo_runtimes.loading import Network
    from zoo_runtimes.taps import Point


class TorchNetwork:
    """Implements :class:`zoo.types.training.TrainableNetwork`.

    Args:
        network: in eval mode.
        reader: its side of the data.
        points: everything that can be read of it.
        aligned: those that are layers, and what they give, see :func:`align`.
        inputs_from: the checkpoint whose preprocessing it uses.
        last: its images have the channels last in memory.
    """

    def __init__(
        self,
        network: Network,
        reader: ImageReader | TextReader,
        points: Sequence[Point],
        aligned: tuple[Sequence[Point], Sequence[FeatureShape]],
        inputs_from: Checkpoint,
        *,
        last: bool = False,
    ) -> None:
        self._network, self._reader, self._inputs_from = network, reader, inputs_from
        self._layout = torch.channels_last if last else torch.contiguous_format
        layers, self._layers = aligned
        self._points = {point.tap.name: point for point in layers}
        self._logits = [point for point in points if point.tap.name == "logits"]
        self._reading: tuple[tuple[str, ...], Reader] | None = None

    @property
    def module(self) -> torch.nn.Module:
        """The whole network."""
        return self._network.module

    @property
    def reader(self) -> ImageReader | TextReader:
        """Its side of the data."""
        return self._reader

    @property
    def head(self) -> Head | None:
        """What its logits mean; None for an extractor."""
        width = self._logits[0].tap.dimension if self._logits else None
        return None if width is None else head_of(self.module.config, width)

    @property
    def layers(self) -> Sequence[FeatureShape]:
        """Embeddings, blocks or stages, in the order of the forward pass."""
        return tuple(self._layers)

    def observe(
        self,
        inputs: Mapping[str, torch.Tensor],
        taps: Sequence[str],
        alter: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] | None = None,
    ) -> Observed:
        """One forward pass; gradients flow where the caller lets them.

        Args:
            inputs: as the reader collates them, on any device.
            taps: names of layers.
            alter: layer -> what to put in the place of its features, see :func:`altered`; that
                layer and those after it are read as they come out of it.

        Raises:
            UnknownNameError: no such layer.
            InputError: a layer that cannot be altered.
        """
        device = next(self.module.parameters()).device
        moved = {name: values.to(device, non_blocking=True) for name, values in inputs.items()}
        if "pixel_values" in moved:
            moved["pixel_values"] = moved["pixel_values"].contiguous(memory_format=self._layout)
        read, mask = self._reader_of(tuple(taps)), moved.get("attention_mask")
        if alter:
            with altered(self.module, self._named(alter), alter, mask):
                found = read(moved, mask)
        # On a GPU every pass costs about the same, and asking for lengths would wait for it.
        elif device.type == "cpu" and has_lengths(moved):
            found = read_in_groups(read, moved)
        else:
            found = read(moved, mask)
        logits = found.pop("logits", None)
        return Observed(features=found, logits=logits)

    def _named(self, taps: Iterable[str]) -> list[Point]:
        for name in taps:
            if name not in self._points:
                raise unknown_name("layer", name, self._points)
        return [self._points[name] for name in taps]

    def _reader_of(self, taps: tuple[str, ...]) -> Reader:
        """Keep the hooks while the taps stay the same."""
        if self._reading is None or self._reading[0] != taps:
            points = [*self._named(taps), *self._logits]
            if self._reading is not None:
                self._reading[1].close()
            self._reading = taps, Reader(self._network, points)
        return self._reading[1]

    def save(self, folder: Path) -> None:
        """Write safetensors, configuration and preprocessing: what plain transformers loads."""
        from zoo_runtimes.learning.saving import save

        save(self._network, self._reader, self._inputs_from, folder)


def configure(options: RuntimeOptions, device: torch.device) -> None:
    """Set threads, and float32 products that are the same in every process.

    The backbones' choice between two kernels is measured: a training that is resumed could end
    up with the other one.
    """
    torch.set_num_threads(max(1, options.threads))
    torch.set_float32_matmul_precision("highest")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.allow_tf32 = False
