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

    from zoo.types.growers import WholeNetwork
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Backbone, RuntimeOptions, Tap
    from zoo.types.training import FeatureShape, StepCost, StudentRequest, TrainableNetwork

_RECIPE = 2  # raise it when taps or pooling change what a stored name means
_LIBRARIES = ("torch", "transformers", "tokenizers", "pillow")


class TorchRuntime:
    """Opens transformers, sentence-transformers and timm checkpoints, safetensors only."""

    def identity(self) -> str:
        """Recipe and library versions, read from package metadata."""
        return " ".join([f"torch-runtime={_RECIPE}", *map(_installed, _LIBRARIES)])

    def input_key(self, checkpoint: Checkpoint, modality: str) -> str:
        """Canonical JSON of what shapes the prepared inputs; texts are not prepared.

        Raises:
            CheckpointError: the checkpoint does not say how its images or sounds are prepared.
        """
        if modality == "image":
            return image_key(checkpoint)
        if modality == "audio":
            from zoo_runtimes.waveforms import audio_key

            return audio_key(checkpoint)
        return json.dumps({"modality": modality})

    def prepare(self, checkpoint: Checkpoint, inputs: Sequence[Any]) -> Sequence[npt.NDArray[Any]]:
        """Decode and resize :class:`zoo.types.ImageInput` values, one array each.

        Waveforms, one row of float samples at the rate of the checkpoint, are only checked.

        Raises:
            InputError: an image cannot be read, or an array is no waveform.
            CheckpointError: the checkpoint has no usable image processor.
        """
        from zoo.probes.decoding import decode
        from zoo.types.probe import ImageInput
        from zoo_runtimes.images import load_preparation
        from zoo_runtimes.waveforms import as_waveform

        if inputs and not isinstance(inputs[0], ImageInput):
            return [as_waveform(wave) for wave in inputs]
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

        named = options.extras.get("modality")
        return open_backbone(checkpoint, options, modality_of(checkpoint, named))

    def outline(self, checkpoint: Checkpoint, modality: str | None = None) -> Sequence[Tap]:
        """Name the taps that :meth:`open` would find, with their shapes, from the config alone.

        Raises:
            CheckpointError: as :meth:`open`.
        """
        from zoo_runtimes.outline import outline

        return outline(checkpoint, modality_of(checkpoint, modality))

    def open_teacher(
        self, checkpoint: Checkpoint, options: RuntimeOptions, modality: str
    ) -> TrainableNetwork:
        """Load a checkpoint with its trained head, frozen, in eval mode.

        Raises:
            CheckpointError: with the reason and a hint.
            InputError: the device does not exist.
        """
        from zoo_runtimes.learning.teachers import open_teacher

        return open_teacher(checkpoint, options, modality_of(checkpoint, modality))

    def open_student(
        self,
        checkpoint: Checkpoint,
        options: RuntimeOptions,
        modality: str,
        request: StudentRequest,
    ) -> TrainableNetwork:
        """Load or make a network with a new head; see :class:`zoo.types.training.Trains`.

        Raises:
            CheckpointError: with the reason and a hint.
            InputError: the device does not exist.
        """
        from zoo_runtimes.learning.students import open_student

        return open_student(checkpoint, options, modality_of(checkpoint, modality), request)

    def open_whole(self, checkpoint: Checkpoint, options: RuntimeOptions) -> WholeNetwork:
        """Load a checkpoint as the class that it was saved from, in the numbers of its files.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        from zoo_runtimes.learning.whole import open_whole

        return open_whole(checkpoint, options, modality_of(checkpoint))

    def imagine_whole(self, checkpoint: Checkpoint) -> WholeNetwork:
        """Make the same network without weights.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        from zoo_runtimes.learning.whole import imagine_whole

        return imagine_whole(checkpoint, modality_of(checkpoint))

    def layers(
        self, checkpoint: Checkpoint, modality: str, student: StudentRequest | None = None
    ) -> tuple[Sequence[FeatureShape], int]:
        """Name the layers that opening would find, and count parameters, from the config alone.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        from zoo_runtimes.learning.planned import layers

        return layers(checkpoint, modality_of(checkpoint, modality), student)

    def step_cost(
        self,
        checkpoint: Checkpoint,
        modality: str,
        batch: int,
        *,
        student: StudentRequest | None = None,
        taps: Sequence[str] = (),
    ) -> StepCost:
        """Imagine one batch: its memory and its operations, from the config alone.

        Raises:
            CheckpointError: as opening would.
        """
        from zoo_runtimes.learning.cost import step_cost

        return step_cost(checkpoint, modality_of(checkpoint, modality), batch, student, taps)


def _installed(package: str) -> str:
    try:
        return f"{package}={version(package)}"
    except PackageNotFoundError:
        return f"{package}=none"


def modality_of(
    checkpoint: Checkpoint, named: str | None = None
) -> Literal["image", "text", "audio"]:
    """What a checkpoint reads: as asked for, as its entry says, or by its configuration.

    Raises:
        CheckpointError: nothing that the torch runtime runs.
    """
    named = named or checkpoint.entry.modality
    if named is None:
        keys = set(read_config(checkpoint))
        image = bool({"num_channels", "vision_config", "image_size"} & keys)
        audio = bool({"num_mel_bins", "feat_extract_norm"} & keys)
        named = "image" if image else "audio" if audio else "text"
    known: dict[str, Literal["image", "text", "audio"]]
    known = {"image": "image", "text": "text", "audio": "audio"}
    if named not in known:
        raise CheckpointError(
            f"{checkpoint.model} reads {named}; the torch runtime runs models of images, texts and "
            "sounds.",
            "Leave it out.",
        )
    return known[named]
