"""An open checkpoint: encodes prepared inputs and pools the taps of one forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from zoo.errors import unknown_name
from zoo.types.protocols import EncodedInput, Tap
from zoo_runtimes import devices
from zoo_runtimes.folding import fold_batch_norms
from zoo_runtimes.images import Preparation, group_by_shape, load_preparation, sample_arrays
from zoo_runtimes.loading import Network, explained, load_network, quiet
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Point, discover, patches, read
from zoo_runtimes.texts import Tokens, is_causal, load_tokens, sentence_pooling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo.types.protocols import RuntimeOptions

    Array = npt.NDArray[Any]


class Feed(Protocol):
    """What differs between images and texts: from a batch to what the network is called with."""

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Say what each input costs."""
        ...

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> list[tuple[list[int], dict[str, torch.Tensor]]]:
        """Split into what can run together: rows of the batch, and their tensors."""
        ...


class ImageFeed:
    """Bytes become normalised pixels on the device, a batch at a time."""

    def __init__(self, preparation: Preparation, device: torch.device, *, last: bool) -> None:
        self._device = device
        self._layout = torch.channels_last if last else torch.contiguous_format
        self._line = (
            None
            if preparation.scale is None or preparation.offset is None
            else tuple(
                torch.from_numpy(part).to(device).view(1, -1, 1, 1)
                for part in (preparation.scale, preparation.offset)
            )
        )

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Wrap prepared arrays; the cost is the number of pixels."""
        return [EncodedInput(cost=array.size // 3, data=array) for array in inputs]

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> list[tuple[list[int], dict[str, torch.Tensor]]]:
        """One batch for every size of image."""
        arrays = [entry.data for entry in batch]
        groups = group_by_shape(arrays)
        return [(rows, {"pixel_values": self._pixels(arrays, rows)}) for rows in groups.values()]

    def _pixels(self, arrays: Sequence[Array], rows: Sequence[int]) -> torch.Tensor:
        stacked = torch.from_numpy(np.stack([arrays[row] for row in rows]))
        if self._device.type == "cuda":
            stacked = stacked.pin_memory().to(self._device, non_blocking=True)
        if stacked.dtype != torch.uint8:
            return stacked.float().contiguous(memory_format=self._layout)
        if self._line is None:
            raise TypeError("bytes were prepared for a processor that needs its full output")
        scale, offset = self._line
        pixels = stacked.permute(0, 3, 1, 2).to(torch.float32, memory_format=self._layout)
        return pixels.mul_(scale).add_(offset)


class TextFeed:
    """Token ids, padded to the longest text of the batch."""

    def __init__(self, tokens: Tokens, device: torch.device) -> None:
        self._tokens, self._device = tokens, device

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Tokenise; the cost is the number of tokens."""
        return self._tokens.encode(inputs)

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> list[tuple[list[int], dict[str, torch.Tensor]]]:
        """Everything in one."""
        tensors = self._tokens.collate([entry.data for entry in batch])
        moved = {name: tensor.to(self._device) for name, tensor in tensors.items()}
        return [(list(range(len(batch))), moved)]


class TorchBackbone:
    """Implements :class:`zoo.types.Backbone`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: Network,
        feed: Feed,
        points: Sequence[Point],
        budget: int,
    ) -> None:
        self._checkpoint = checkpoint
        self._network: Network | None = network
        self._feed = feed
        self._points = {point.tap.name: point for point in points}
        self._budget = budget

    @property
    def taps(self) -> Sequence[Tap]:
        """Embeddings, blocks or stages, ``head_input``, ``logits``."""
        return [point.tap for point in self._points.values()]

    @property
    def default_tap(self) -> str:
        """What the head reads, or would read."""
        return "head_input"

    @property
    def budget(self) -> int:
        """Pixels or tokens of a comfortable batch."""
        return self._budget

    def encode(self, inputs: Sequence[Any]) -> Sequence[EncodedInput]:
        """Tokenise texts or pairs of texts, or wrap prepared images."""
        return self._feed.encode(inputs)

    def extract(self, batch: Sequence[EncodedInput], taps: Sequence[str]) -> Mapping[str, Array]:
        """One forward pass a size of input: (B, D) float32 a tap, in the order of the batch.

        Raises:
            OutOfMemoryError: use a smaller batch.
            CheckpointError: the network fails on these inputs.
        """
        points = [self._point(name) for name in taps]
        model = self._checkpoint.model
        with (
            explained(self._checkpoint, "its forward pass fails", "Leave it out."),
            devices.memory_guard(
                f"{model}: a batch of {len(batch)} did not fit into memory.",
                "Leave it out, or run it on a larger device.",
            ),
            torch.inference_mode(),
        ):
            return self._extract(batch, points)

    def _extract(
        self, batch: Sequence[EncodedInput], points: Sequence[Point]
    ) -> Mapping[str, Array]:
        if self._network is None:
            raise ValueError("it was closed")
        found: dict[str, Array] = {}
        for rows, inputs in self._feed.batches(batch):
            with devices.attention(
                _sequence(self._network, inputs), next(iter(inputs.values())).device
            ):
                pooled = read(self._network, points, inputs, inputs.get("attention_mask"))
            for name, values in pooled.items():
                into = found.setdefault(
                    name, np.empty((len(batch), values.shape[1]), dtype=np.float32)
                )
                into[rows] = values.cpu().numpy()
        return found

    def _point(self, name: str) -> Point:
        if name not in self._points:
            raise unknown_name("layer", name, self._points)
        return self._points[name]

    def close(self) -> None:
        """Free the memory."""
        self._network = None
        devices.release_memory()


def _sequence(network: Network, inputs: Mapping[str, torch.Tensor]) -> int | None:
    """Length of the sequences that attention sees, where that is known."""
    ids = inputs.get("input_ids")
    return patches(network, inputs["pixel_values"]) if ids is None else ids.shape[1]


def open_backbone(checkpoint: Checkpoint, options: RuntimeOptions, modality: str) -> TorchBackbone:
    """Load network and inputs' side, and find the taps with two small samples.

    Raises:
        CheckpointError, InputError: as the runtime's ``open``.
    """
    device = devices.resolve_device(options.device)
    devices.configure(options, device)
    network = load_network(checkpoint, modality, device)
    with (
        explained(checkpoint, "its forward pass fails", "Leave it out."),
        devices.memory_guard(f"{checkpoint.model} does not fit into memory.", "Leave it out."),
        torch.inference_mode(),
        quiet(),
    ):
        if modality == "image":
            feed, points = _open_images(checkpoint, network, device)
        else:
            feed, points = _open_texts(checkpoint, network, device)
    width = max((point.tap.dimension or 0) for point in points)
    return TorchBackbone(checkpoint, network, feed, points, devices.budget(modality, device, width))


def _open_images(
    checkpoint: Checkpoint, network: Network, device: torch.device
) -> tuple[Feed, Sequence[Point]]:
    preparation = load_preparation(checkpoint)
    last = devices.prefers_channels_last(network.module, device)
    if last:
        network.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    feed = ImageFeed(preparation, device, last=last)
    ((_, inputs),) = feed.batches(feed.encode(sample_arrays(preparation)))
    points = discover(network, inputs, modality="image")
    fold_batch_norms(network, points, inputs)
    return feed, points


def _open_texts(
    checkpoint: Checkpoint, network: Network, device: torch.device
) -> tuple[Feed, Sequence[Point]]:
    tokens = load_tokens(checkpoint, network)
    feed = TextFeed(tokens, device)
    inputs = {name: tensor.to(device) for name, tensor in tokens.samples().items()}
    headless = sentence_pooling(checkpoint)
    if not network.head and not network.tower and headless is None:
        headless = Pooling("last" if is_causal(network, inputs) else "masked")
    return feed, discover(network, inputs, modality="text", headless=headless)
