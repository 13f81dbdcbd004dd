"""The data's side of a network: readers of images and of texts, small enough to be sent away."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from zoo.errors import CheckpointError
from zoo_runtimes.images import load_preparation, varies
from zoo_runtimes.normalising import Line
from zoo_runtimes.processors import image_key, read_config, require_colour
from zoo_runtimes.texts import load_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo_runtimes.images import Preparation
    from zoo_runtimes.loading import Network
    from zoo_runtimes.tokens import Tokens

    Array = npt.NDArray[Any]

PREPROCESSING = ("preprocessor_config.json", "processor_config.json")
_SIDES = (96, 64)
_TOKENIZERS = ("tokenizer*.json", "vocab.*", "spiece.model", "*.sentencepiece", "*.spm", "*.bpe*")


class ImageReader:
    """Prepares images as a checkpoint's processor does, all to one size.

    A batch of training has one size. Where a processor keeps the shape of the image (it fits the
    shortest edge and crops nothing), images are made square first, with the edge that it gives
    square images: nothing is cut off, and what a teacher and its student see stays the same part.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        require_colour(checkpoint)
        self._preparation = load_preparation(checkpoint)
        self._side = _side(checkpoint, self._preparation) if varies(self._preparation) else None
        self._shape = self._prepare(_noise(_SIDES[0])).shape
        self._key = _image_key(checkpoint, self._preparation, self._side)

    @property
    def key(self) -> str:
        """Equal for readers that prepare and normalise alike."""
        return self._key

    def prepare(self, sample: Image.Image) -> Array:
        """(H, W, 3) uint8, or (3, H, W) float32 where the processor cannot be split.

        Raises:
            CheckpointError: the processor gives another size for this image than for others.
        """
        prepared = self._prepare(sample)
        if prepared.shape != self._shape:
            raise CheckpointError(
                f"{type(self._preparation.processor).__name__} makes images of several sizes, "
                f"here {prepared.shape} instead of {self._shape}, and a batch of training has one.",
                "Set a fixed size in preprocessor_config.json.",
            )
        return prepared

    def _prepare(self, image: Image.Image) -> Array:
        if self._side is not None:
            image = image.resize((self._side, self._side), Image.Resampling.BICUBIC)
        return self._preparation.prepare(image)

    def collate(self, samples: Sequence[Array]) -> dict[str, torch.Tensor]:
        """(B, 3, H, W) float32 pixels."""
        scale, offset = self._preparation.scale, self._preparation.offset
        if scale is None or offset is None:
            return {"pixel_values": torch.from_numpy(np.stack(samples))}
        return {"pixel_values": torch.from_numpy(Line(scale, offset)(samples))}

    def samples(self) -> dict[str, torch.Tensor]:
        """Two images of noise."""
        return self.collate([self.prepare(_noise(side)) for side in _SIDES])


def _noise(side: int) -> Image.Image:
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _side(checkpoint: Checkpoint, preparation: Preparation) -> int:
    """The edge that every square image gets, or else the one that the network was made for."""
    shapes = {preparation.prepare(_noise(side)).shape for side in _SIDES}
    if len(shapes) == 1:
        return int(shapes.pop()[1])
    side = read_config(checkpoint).get("image_size")
    if isinstance(side, int) and side > 0:
        return side
    raise CheckpointError(
        f"{checkpoint.model} reads images of every size, and a batch of training has one.",
        "Set do_resize and a size in its preprocessor_config.json.",
    )


def _image_key(checkpoint: Checkpoint, preparation: Preparation, side: int | None) -> str:
    lines = (preparation.scale, preparation.offset)
    key = {
        "prepared": image_key(checkpoint),
        "square": side,
        "line": [None if part is None else part.tolist() for part in lines],
    }
    return json.dumps(key, sort_keys=True)


class TextReader:
    """Tokenises texts, or pairs of texts, and pads them to the longest of the batch."""

    def __init__(self, checkpoint: Checkpoint, network: Network) -> None:
        self._tokens = load_tokens(checkpoint, network)
        self._key = _text_key(checkpoint, self._tokens)

    @property
    def key(self) -> str:
        """Equal for readers that tokenise and pad alike."""
        return self._key

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's own."""
        return self._tokens.tokenizer

    @property
    def vocabulary(self) -> int | None:
        """Number of tokens that the network knows."""
        return self._tokens.vocabulary

    def prepare(self, sample: Any) -> Any:
        """Texts stay what they are."""
        return sample

    def collate(self, samples: Sequence[Any]) -> dict[str, torch.Tensor]:
        """(B, T) int64 token ids, their mask, and segments where the network knows them.

        Raises:
            CheckpointError: the tokenizer makes tokens that the network does not know.
        """
        rows = [entry.data for entry in self._tokens.encode(samples)]
        return {name: torch.from_numpy(ids) for name, ids in self._tokens.collate(rows).items()}

    def samples(self) -> dict[str, torch.Tensor]:
        """Two short texts."""
        return {name: torch.from_numpy(ids) for name, ids in self._tokens.samples().items()}


def _text_key(checkpoint: Checkpoint, tokens: Tokens) -> str:
    backend = getattr(tokens.tokenizer, "backend_tokenizer", None)
    if backend is None:
        identity = checkpoint.digest
    else:
        backend.no_truncation()
        backend.no_padding()
        identity = hashlib.sha256(backend.to_str().encode()).hexdigest()
    allowed = [tokens.longest, tokens.padding, tokens.vocabulary, tokens.segments]
    return json.dumps({"tokenizer": identity, "allowed": allowed})


def open_reader(
    checkpoint: Checkpoint, network: Network, modality: str
) -> ImageReader | TextReader:
    """Load the preprocessing of a checkpoint for a network.

    Raises:
        CheckpointError: there is none that works.
    """
    require_trainable(checkpoint, modality)
    if modality == "image":
        return ImageReader(checkpoint)
    return TextReader(checkpoint, network)


def require_trainable(checkpoint: Checkpoint, modality: str) -> None:
    """Refuse what no reader reads.

    Raises:
        CheckpointError: it is neither images nor texts.
    """
    if modality not in {"image", "text"}:
        raise CheckpointError(
            f"{checkpoint.model} reads {modality}; networks of images and of texts are trained.",
            "Leave it out.",
        )


def inputs_of(checkpoint: Checkpoint, modality: str, like: Checkpoint | None) -> Checkpoint:
    """The checkpoint whose preprocessing a student uses: its own, or else that of ``like``."""
    if like is None or _has_preprocessing(checkpoint, modality):
        return checkpoint
    return like


def require_fitting(student: Checkpoint, reader: TextReader, inputs_from: Checkpoint) -> None:
    """Refuse a tokenizer of another checkpoint that knows more tokens than the student.

    Raises:
        CheckpointError: naming both.
    """
    largest = max(reader.tokenizer.get_vocab().values(), default=0)
    if reader.vocabulary is not None and largest >= reader.vocabulary:
        raise CheckpointError(
            f"{student.model} knows {reader.vocabulary} tokens and has no tokenizer of its own; "
            f"that of {inputs_from.model} makes {largest + 1}.",
            "Put the student's own tokenizer files into its folder, or raise vocab_size in its "
            "config.json.",
        )


def _has_preprocessing(checkpoint: Checkpoint, modality: str) -> bool:
    folder = Path(checkpoint.folder)
    if modality == "image":
        timm = "pretrained_cfg" in read_config(checkpoint)
        return timm or any((folder / name).is_file() for name in PREPROCESSING)
    return any(True for pattern in _TOKENIZERS for _ in folder.glob(pattern))
