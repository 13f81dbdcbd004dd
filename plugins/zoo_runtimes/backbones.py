"""An open checkpoint: encodes prepared inputs and pools the taps of one forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.errors import unknown_name
from zoo_runtimes import attributions, devices
from zoo_runtimes.audio import AudioFeed
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.feeds import Feed, ImageFeed, TextFeed
from zoo_runtimes.folding import fold_batch_norms
from zoo_runtimes.heads import head_of
from zoo_runtimes.images import load_preparation, sample_arrays, varies
from zoo_runtimes.loading import Network, load_network
from zoo_runtimes.methods import OCCLUSION
from zoo_runtimes.onnx import occlusion
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Point, Reader, discover, patches
from zoo_runtimes.texts import is_causal, load_tokens, sentence_pooling
from zoo_runtimes.transfers import download
from zoo_runtimes.waveforms import load_extraction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import EncodedInput, Head, Precision, RuntimeOptions, Tap

    Array = npt.NDArray[Any]

#: A pass that is differentiated takes so many times the memory of a plain one.
_GRAPH = 4


class TorchBackbone:
    """Implements :class:`zoo.types.Backbone`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: Network,
        feed: Feed,
        points: Sequence[Point],
        budget: int,
        *,
        device: torch.device,
        precision: Precision = "fp32",
    ) -> None:
        self._checkpoint = checkpoint
        self._device, self._precision = device, precision
        self._network: Network | None = network
        self._feed = feed
        self._points = {point.tap.name: point for point in points}
        self._budget = budget
        self._reader: tuple[tuple[str, ...], Reader] | None = None

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

    @property
    def device(self) -> str:
        """Where the weights are."""
        return str(self._device)

    @property
    def head(self) -> Head | None:
        """What the logits mean; None where no trained head makes any."""
        network, logits = self._network, self._points.get("logits")
        if network is None or logits is None or logits.tap.dimension is None:
            return None
        return head_of(network.config, logits.tap.dimension)

    @property
    def parts(self) -> tuple[Network, tuple[Point, ...], Feed]:
        """The network, where it is read and what feeds it: all that an exporter needs."""
        self._rest()
        if self._network is None:
            raise ValueError("it was closed")
        return self._network, tuple(self._points.values()), self._feed

    def encode(self, inputs: Sequence[Any]) -> Sequence[EncodedInput]:
        """Tokenise texts or pairs of texts, or wrap prepared images."""
        return self._feed.encode(inputs)

    def extract(self, batch: Sequence[EncodedInput], taps: Sequence[str]) -> Mapping[str, Array]:
        """One forward pass a size of input: (B, D) float32 a tap, in the order of the batch.

        The passes compute in the precision that was asked for, the pooling in float32.

        Raises:
            OutOfMemoryError: use a smaller batch.
            CheckpointError: the network fails on these inputs.
        """
        points = [self._point(name) for name in taps]
        model = self._checkpoint.model
        with (
            explained(self._checkpoint, self._fails, self._hint),
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
        reader, coming = self._reading(self._network, points), []
        for rows, inputs in self._feed.batches(batch):
            first = next(iter(inputs.values()))
            with (
                devices.attention(_sequence(self._network, inputs), first.device),
                devices.computing(self._precision, first.device),
            ):
                pooled = reader(inputs, inputs.get("attention_mask"))
            coming.append((rows, download(pooled)))
        if len(coming) == 1:
            arrived = coming[0][1]()
            return {name: np.array(values, order="C") for name, values in arrived.items()}
        found: dict[str, Array] = {}
        for rows, arrive in coming:
            for name, values in arrive().items():
                if name not in found:
                    found[name] = np.empty((len(batch), values.shape[1]), dtype=np.float32)
                found[name][rows] = values
        return found

    def _reading(self, network: Network, points: Sequence[Point]) -> Reader:
        """Keep the hooks while the taps stay the same."""
        names = tuple(point.tap.name for point in points)
        if self._reader is None or self._reader[0] != names:
            self._rest()
            self._reader = names, Reader(network, points)
        return self._reader[1]

    def _rest(self) -> None:
        """Take the hooks off: others are about to use the network."""
        if self._reader is not None:
            self._reader[1].close()
            self._reader = None

    def attribute(
        self, batch: Sequence[EncodedInput], taps: Sequence[str], method: str
    ) -> Mapping[str, Array]:
        """Attribute the output of each tap to the input: (B, G) float32 a tap.

        One forward pass a part of the batch (a graph takes several times the memory of a plain
        pass), one backward pass a tap. G is 1024 for images, a 32 x 32 grid over what the network
        saw, and 64 for texts, equal spans of the characters.

        Args:
            batch: as in :meth:`extract`.
            taps: names.
            method: ``gradient_x_input``, ``saliency``, ``lrp`` or ``occlusion`` (forward passes
                only, see :mod:`zoo_runtimes.onnx.occlusion`); ``:absmean`` behind it averages
                absolute values over the channels instead of signed ones.

        Raises:
            OutOfMemoryError, CheckpointError: as :meth:`extract`.
            NotApplicable: no gradient reaches the input.
            UnknownNameError: no such tap or method.
        """
        points = [self._point(name) for name in taps]
        parsed = attributions.Method.parse(method)
        if parsed.name == OCCLUSION:
            return occlusion.attribute(
                batch,
                lambda part: self.extract(part, taps),
                parsed,
                budget=self._budget,
                tokens=self._feed.tokens if isinstance(self._feed, TextFeed) else None,
            )
        model = self._checkpoint.model
        with (
            explained(self._checkpoint, "its backward pass fails", "Leave it out."),
            devices.memory_guard(
                f"{model}: attributions of {len(batch)} inputs did not fit into memory.",
                "Leave it out, or run it on a larger device.",
            ),
        ):
            affordable = _affordable(batch, self._budget // _GRAPH)
            parts = [self._attribute(part, points, parsed) for part in affordable]
        return {name: np.concatenate([part[name] for part in parts]) for name in taps}

    def _attribute(
        self, batch: Sequence[EncodedInput], points: Sequence[Point], method: attributions.Method
    ) -> Mapping[str, Array]:
        self._rest()
        if self._network is None:
            raise ValueError("it was closed")
        found: dict[str, Array] = {}
        for rows, inputs in self._feed.batches(batch):
            with devices.attention(
                _sequence(self._network, inputs), next(iter(inputs.values())).device
            ):
                maps = attributions.attribute(
                    self._network, points, inputs, inputs.get("attention_mask"), method
                )
            entries = [batch[row] for row in rows]
            for name, values in maps.items():
                cells = self._feed.cells(entries, values, method.reduction)
                into = found.setdefault(name, np.empty((len(batch), cells.shape[1]), cells.dtype))
                into[rows] = cells
        return found

    @property
    def _fails(self) -> str:
        how = "" if self._precision == "fp32" else f" in {self._precision}"
        return f"its forward pass fails{how}"

    @property
    def _hint(self) -> str:
        return "Leave it out." if self._precision == "fp32" else "Use --precision fp32."

    def _point(self, name: str) -> Point:
        if name not in self._points:
            raise unknown_name("layer", name, self._points)
        return self._points[name]

    def close(self) -> None:
        """Free the memory."""
        self._rest()
        self._network = None
        devices.release_memory()


def _affordable(batch: Sequence[EncodedInput], budget: int) -> list[Sequence[EncodedInput]]:
    """Cut a batch into parts of at most this cost, padding included; at least one input each."""
    parts: list[list[EncodedInput]] = []
    for entry in batch:
        part = parts[-1] if parts else []
        longest = max([entry.cost, *(each.cost for each in part)])
        if not part or longest * (len(part) + 1) > budget:
            parts.append([entry])
        else:
            part.append(entry)
    return list(parts)


def _sequence(network: Network, inputs: Mapping[str, torch.Tensor]) -> int | None:
    """Length of the sequences that attention sees, where that is known."""
    ids, pixels = inputs.get("input_ids"), inputs.get("pixel_values")
    if ids is not None:
        return ids.shape[1]
    return None if pixels is None else patches(network, pixels)


def open_backbone(checkpoint: Checkpoint, options: RuntimeOptions, modality: str) -> TorchBackbone:
    """Load network and inputs' side, and find the taps with two small samples, in float32.

    Raises:
        CheckpointError, InputError: as the runtime's ``open``.
    """
    device = devices.resolve_device(options.device)
    devices.configure(options, device)
    devices.check_precision(options.precision, device)
    network = load_network(checkpoint, modality, device)
    with (
        explained(checkpoint, "its forward pass fails", "Leave it out."),
        devices.memory_guard(f"{checkpoint.model} does not fit into memory.", "Leave it out."),
        torch.inference_mode(),
        quiet(),
    ):
        if modality == "image":
            feed, points = _open_images(checkpoint, network, device, options.precision)
        elif modality == "audio":
            feed, points = _open_sounds(checkpoint, network, device)
        else:
            feed, points = _open_texts(checkpoint, network, device)
    width = max((point.tap.dimension or 0) for point in points)
    return TorchBackbone(
        checkpoint,
        network,
        feed,
        points,
        devices.budget(modality, device, width),
        device=device,
        precision=options.precision,
    )


def _open_images(
    checkpoint: Checkpoint, network: Network, device: torch.device, precision: Precision
) -> tuple[Feed, Sequence[Point]]:
    preparation = load_preparation(checkpoint)
    last = devices.prefers_channels_last(network.module, device, precision)
    if last:
        network.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    feed = ImageFeed(preparation, device, last=last)
    ((_, inputs),) = feed.batches(feed.encode(sample_arrays(preparation)))
    points = discover(network, inputs, modality="image", varying=varies(preparation))
    fold_batch_norms(network, points, inputs)
    devices.tune(device, fixed=preparation.fixed)
    return feed, points


def _open_sounds(
    checkpoint: Checkpoint, network: Network, device: torch.device
) -> tuple[Feed, Sequence[Point]]:
    extraction = load_extraction(checkpoint)
    feed = AudioFeed(extraction, device)
    return feed, discover(network, feed.samples(), modality="audio", varying=extraction.varying)


def _open_texts(
    checkpoint: Checkpoint, network: Network, device: torch.device
) -> tuple[Feed, Sequence[Point]]:
    tokens = load_tokens(checkpoint, network)
    feed = TextFeed(tokens, device)
    inputs = {name: torch.from_numpy(array).to(device) for name, array in tokens.samples().items()}
    headless = sentence_pooling(checkpoint)
    if not network.head and not network.tower and headless is None:
        headless = Pooling("last" if is_causal(network, inputs) else "masked")
    return feed, discover(network, inputs, modality="text", headless=headless)
