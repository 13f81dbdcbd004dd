"""PyTorch: one forward pass of a transformers checkpoint feeds every tap."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import CheckpointError
from zoo_runtimes.processors import image_key, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Backbone, RuntimeOptions

_RECIPE = 1  # raise it when taps or pooling change what a stored name means
_LIBRARIES = ("torch", "transformers", "tokenizers", "pillow")


class TorchRuntime:
    """Opens transformers, sentence-transformers and timm checkpoints, safetensors only."""

    def identity(self) -> str:
        """Recipe and library versions, read from package metadata."""
        return " ".join([f"torch-runtime={_RECIPE}", *map(_installed, _LIBRARIES)])

    def input_key(self, checkpoint: Checkpoint, modality: str) -> str:
        """Canonical JSON of what shapes the prepared inputs; texts are not prepared.

        Raises:
            CheckpointError: the checkpoint does not say how its images are prepared.
        """
        return image_key(checkpoint) if modality == "image" else json.dumps({"modality": modality})

    def prepare(self, checkpoint: Checkpoint, inputs: Sequence[Any]) -> Sequence[npt.NDArray[Any]]:
        """Decode and resize :class:`zoo.types.ImageInput` values, one array each.

        Raises:
            InputError: an image cannot be read.
            CheckpointError: the checkpoint has no usable image processor.
        """
        from zoo_runtimes.images import decode, load_preparation

        preparation = load_preparation(checkpoint)
        return [preparation.prepare(decode(image)) for image in inputs]

    def open(self, checkpoint: Checkpoint, options: RuntimeOptions) -> Backbone:
        """Load the weights and find the taps.

        A model of two towers opens the one of ``options.extras["modality"]``, by default of its
        registry entry.

        Raises:
            CheckpointError: with the reason and a hint.
            InputError: the device does not exist.
        """
        from zoo_runtimes.backbones import open_backbone

        return open_backbone(checkpoint, options, _modality(checkpoint, options))


def _installed(package: str) -> str:
    try:
        return f"{package}={version(package)}"
    except PackageNotFoundError:
        return f"{package}=none"


def _modality(checkpoint: Checkpoint, options: RuntimeOptions) -> Literal["image", "text"]:
    named = options.extras.get("modality") or checkpoint.entry.modality
    if named is None:
        config = read_config(checkpoint)
        named = "image" if {"num_channels", "vision_config", "image_size"} & set(config) else "text"
    if named not in ("image", "text"):
        raise CheckpointError(
            f"{checkpoint.model} reads {named}; the torch runtime runs image and text models.",
            "Leave it out.",
        )
    return "image" if named == "image" else "text"
