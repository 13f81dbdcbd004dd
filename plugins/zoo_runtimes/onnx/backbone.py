"""An open graph as the engine wants it: encodes inputs and reads the taps of one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable, unknown_name
from zoo.types.runtimes import Tap
from zoo_runtimes.explaining import explained
from zoo_runtimes.methods import OCCLUSION, Method
from zoo_runtimes.onnx import gradients, occlusion
from zoo_runtimes.onnx.feeds import AudioFeed, ImageFeed, TextFeed
from zoo_runtimes.onnx.manifest import FILE
from zoo_runtimes.onnx.preparing import restore_audio, restore_texts
from zoo_runtimes.onnx.providers import cuda_memory
from zoo_runtimes.onnx.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import EncodedInput, Head, RuntimeOptions
    from zoo_runtimes.onnx.feeds import Feed
    from zoo_runtimes.onnx.manifest import Manifest
    from zoo_runtimes.onnx.sessions import Session

    Array = npt.NDArray[Any]

#: Batches of a CPU, as torch's; and of a GPU, by the share of its memory that one may take.
_PIXELS = 16 * 224 * 224
_TOKENS = 1024
_BYTES_A_PIXEL = 4096
_BYTES_A_TOKEN = 160


class OnnxBackbone:
    """Implements :class:`zoo.types.Backbone` over an exported folder."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        manifest: Manifest,
        session: Session,
        feed: Feed,
        options: RuntimeOptions,
    ) -> None:
        self._checkpoint, self._manifest = checkpoint, manifest
        self._session: Session | None = session
        self._feed, self._device = feed, session.device
        self._outputs = {tap.name: tap for tap in manifest.taps}
        self._options = options
        self._gradients: dict[Path, Session] = {}
        self._notes: dict[str, str] = {}
        self._method = ""

    @property
    def taps(self) -> Sequence[Tap]:
        """As the manifest has them."""
        return [
            Tap(name=tap.name, dimension=tap.dimension, shape=tap.shape)
            for tap in self._manifest.taps
        ]

    @property
    def default_tap(self) -> str:
        """What the head reads, or would read."""
        return self._manifest.default_tap

    @property
    def head(self) -> Head | None:
        """What the logits mean; None without a trained head."""
        return self._manifest.head

    @property
    def device(self) -> str:
        """Where the session was seen to run."""
        return self._device

    @property
    def budget(self) -> int:
        """Pixels or tokens of a comfortable batch."""
        image = self._manifest.modality == "image"
        kind, _, number = self._device.partition(":")
        if kind != "cuda":
            return _PIXELS if image else _TOKENS
        share = cuda_memory()[int(number)] // 2
        if image:
            return max(_PIXELS, min(256 * 224 * 224, share // _BYTES_A_PIXEL))
        width = max(256, *(tap.dimension for tap in self._manifest.taps))
        return max(4 * _TOKENS, min(64 * 1024, share // (width * _BYTES_A_TOKEN)))

    def encode(self, inputs: Sequence[Any]) -> Sequence[EncodedInput]:
        """Tokenise texts or pairs of texts, or wrap prepared images."""
        return self._feed.encode(inputs)

    def extract(self, batch: Sequence[EncodedInput], taps: Sequence[str]) -> Mapping[str, Array]:
        """One pass a size of input: (B, D) float32 a tap, in the order of the batch.

        Raises:
            OutOfMemoryError: use a smaller batch.
            CheckpointError: the graph fails on these inputs.
        """
        if self._session is None:
            raise ValueError("it was closed")
        outputs = [self._output(name) for name in taps]
        found: dict[str, Array] = {}
        with explained(self._checkpoint, "its graph fails", "Leave it out."):
            for rows, arrays in self._feed.batches(batch):
                inputs = {
                    name: array.astype(self._session.kinds[name], copy=False)
                    for name, array in arrays.items()
                }
                values = self._session.run(outputs, inputs)
                for name, pooled in zip(taps, values, strict=True):
                    if len(rows) == len(batch):
                        found[name] = pooled.astype(np.float32, copy=False)
                        continue
                    if name not in found:
                        found[name] = np.empty((len(batch), pooled.shape[1]), dtype=np.float32)
                    found[name][rows] = pooled
        return found

    def attribute(
        self, batch: Sequence[EncodedInput], taps: Sequence[str], method: str
    ) -> Mapping[str, Array]:
        """Attribute the output of each tap to the input: (B, G) float32 a tap.

        Args:
            batch: as in :meth:`extract`.
            taps: names.
            method: ``gradient_x_input``, ``saliency`` or ``lrp``, by a graph of the backward pass
                (:mod:`zoo_runtimes.onnx.gradients`), or ``occlusion``, which also takes their
                place, and says so, where there is no such graph; ``:absmean`` behind it leaves
                the signs out.

        Raises:
            OutOfMemoryError, CheckpointError: as :meth:`extract`.
            NotApplicable: it reads neither images nor texts.
            UnknownNameError: no such tap or method.
        """
        parsed = Method.parse(method)
        for name in taps:
            self._output(name)
        tokens = self._feed.tokens if isinstance(self._feed, TextFeed) else None
        self._method = parsed.name
        if parsed.name not in {OCCLUSION, *self._notes}:
            try:
                return gradients.attribute(
                    self._request(taps, parsed), self._feed, batch, tokens, self._gradients
                )
            except NotApplicable as error:
                note = f"occlusion in place of {parsed.name}: {error.message.rstrip('.')}"
                self._notes[parsed.name] = note
        return occlusion.attribute(
            batch,
            lambda part: self.extract(part, taps),
            parsed,
            budget=self.budget,
            tokens=tokens,
        )

    @property
    def attribution_note(self) -> str:
        """What took the place of the method last asked for, and why; empty where nothing did."""
        return self._notes.get(self._method, "")

    def _request(self, taps: Sequence[str], method: Method) -> gradients.Request:
        """What a graph of gradients is made of.

        Raises:
            NotApplicable: its weights are not at hand, or it reads sounds.
        """
        if (Path(self._checkpoint.folder) / FILE).is_file():
            raise NotApplicable("an exported folder holds no weights to take a gradient of")
        if isinstance(self._feed, AudioFeed):
            raise NotApplicable("sounds are not attributed")
        return gradients.Request(
            checkpoint=self._checkpoint,
            modality=self._manifest.modality,
            taps=tuple(taps),
            method=method,
            cache=self._options.cache,
            device=self._device,
            threads=self._options.threads,
        )

    def _output(self, name: str) -> str:
        if name not in self._outputs:
            raise unknown_name("layer", name, self._outputs)
        return self._outputs[name].output

    def close(self) -> None:
        """Free the memory."""
        self._session = None
        self._gradients.clear()


def open_backbone(
    checkpoint: Checkpoint, manifest: Manifest, folder: Path, options: RuntimeOptions
) -> OnnxBackbone:
    """Open an exported folder.

    Args:
        checkpoint: for messages, and for processors that only transformers has.
        manifest: of the folder.
        folder: with the graph.
        options: ``extras["providers"]`` names execution providers.

    Raises:
        CheckpointError, InputError: as the runtime's ``open``.
    """
    asked = options.extras.get("providers") or ()
    providers = (asked,) if isinstance(asked, str) else tuple(asked)
    session = open_session(
        folder / manifest.graph, options.device, options.threads, providers=providers
    )
    feed = _feed(checkpoint, manifest, folder)
    return OnnxBackbone(checkpoint, manifest, session, feed, options)


def _feed(checkpoint: Checkpoint, manifest: Manifest, folder: Path) -> Feed:
    if manifest.images is not None:
        scale, offset = manifest.images.scale, manifest.images.offset
        line = [np.array(part, dtype=np.float32) if part else None for part in (scale, offset)]
        return ImageFeed(manifest.inputs[0], *line)
    if manifest.texts is not None:
        tokens = restore_texts(folder, manifest.texts, checkpoint.model)
        return TextFeed(manifest.inputs, tokens)
    return AudioFeed(manifest.inputs[0], restore_audio(checkpoint))
