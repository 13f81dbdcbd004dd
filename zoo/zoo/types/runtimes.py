"""The contract between the engine and what runs a checkpoint: small protocols, no base class.

:class:`Runtime` and :class:`Backbone` are what every runtime has. The others are optional: a
runtime that exports has an ``export`` method, a backbone that attributes an ``attribute`` method.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from zoo.types.model import Checkpoint

#: Numbers that a network computes in; ``int8`` is for exported graphs.
Precision = Literal["fp32", "bf16", "fp16", "int8"]
HeadKind = Literal["classification", "multi-label", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A named point of a network whose pooled output can be read.

    Attributes:
        name: ``embeddings``, ``block.3``, ``stage.2``, ``head_input``, ``logits`` ...
        dimension: width D of the pooled vector, where it is known.
        shape: of one sample before it is pooled, such as (197, 768) or (512, 7, 7); None where it
            varies with the input; empty where nobody knows.
    """

    name: str
    dimension: int | None = None
    shape: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the logits of a trained head mean.

    Attributes:
        labels: C names, in the order of the logits.
        kind: one label of many, several at once, or numbers.
    """

    labels: tuple[str, ...]
    kind: HeadKind = "classification"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedInput:
    """One input as a backbone wants it.

    Attributes:
        cost: relative cost of its forward pass: tokens, or pixels.
        data: what :meth:`Backbone.extract` reads.
    """

    cost: int
    data: Any


class Backbone(Protocol):
    """An open checkpoint: one forward pass feeds every tap."""

    @property
    def taps(self) -> Sequence[Tap]:
        """The points in the order of the forward pass; ``logits`` last, if there is a head."""
        ...

    @property
    def default_tap(self) -> str:
        """The penultimate representation: what a new head would read."""
        ...

    @property
    def budget(self) -> int:
        """Cost of a comfortable batch on this device, padding included."""
        ...

    def encode(self, inputs: Sequence[Any]) -> Sequence[EncodedInput]:
        """Tokenise texts, or wrap prepared images."""
        ...

    def extract(
        self, batch: Sequence[EncodedInput], taps: Sequence[str]
    ) -> Mapping[str, npt.NDArray[Any]]:
        """One forward pass: (B, D) float32 a tap, rows in the order of the batch.

        Raises:
            OutOfMemoryError: the engine halves the batch and goes on.
        """
        ...

    def close(self) -> None:
        """Free the memory."""
        ...


@runtime_checkable
class Attributes(Protocol):
    """A backbone that can say which part of its input a layer responds to (optional).

    A backbone that puts another method in the place of the one that was asked for says so in an
    attribute ``attribution_note`` (a string, half a sentence; empty or absent: nothing to say),
    which is read after :meth:`attribute` and shown beside every score that the maps go into.
    """

    def attribute(
        self, batch: Sequence[EncodedInput], taps: Sequence[str], method: str
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Attribute the mean output of each tap to the input: (B, G) float32 a tap.

        The G cells are the same part of the input for every checkpoint of one modality: for images
        a 32 x 32 grid over what the checkpoint sees, channels averaged; for texts 64 equal spans
        of the characters.

        Args:
            batch: encoded inputs.
            taps: names.
            method: ``gradient_x_input``, ``saliency``, ``lrp`` or ``occlusion``.

        Raises:
            OutOfMemoryError: the engine halves the batch and goes on.
            NotApplicable: no gradient reaches the input.
        """
        ...


@runtime_checkable
class HasHead(Protocol):
    """A backbone that knows what its logits mean (optional)."""

    @property
    def head(self) -> Head | None:
        """What the tap ``logits`` means; None without a trained head."""
        ...


@runtime_checkable
class OnDevice(Protocol):
    """A backbone that says where it really runs (optional)."""

    @property
    def device(self) -> str:
        """``cpu``, ``cuda:0`` ..., as found after opening, not as asked for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """How to run.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:n``; never ``auto``.
        threads: compute threads of this process.
        precision: numbers to compute in; pooled vectors are float32 whatever it is.
        cache: folder for what is costly to make, such as exported graphs; empty: keep nothing.
        extras: what only one runtime understands.
    """

    device: str = "cpu"
    threads: int = 1
    precision: Precision = "fp32"
    cache: str = ""
    extras: dict[str, Any] = field(default_factory=dict)


class Runtime(Protocol):
    """Opens checkpoints. ``input_key`` and ``identity`` must not import a framework."""

    def identity(self) -> str:
        """Name and versions of everything that shapes the numbers: part of the store's key."""
        ...

    def input_key(self, checkpoint: Checkpoint, modality: str) -> str:
        """Equal for two checkpoints whose prepared inputs are the same; read from files only.

        Runtimes of one package share what they prepare: their equal keys mean equal arrays.
        """
        ...

    def prepare(self, checkpoint: Checkpoint, inputs: Sequence[Any]) -> Sequence[npt.NDArray[Any]]:
        """Decode and resize images, once for every checkpoint with an equal ``input_key``.

        One array an input: (H, W, 3) uint8 where the rest can be done a batch at a time, else
        (C, H, W) float32. Text needs no preparation: the runtime is handed the texts.
        """
        ...

    def open(self, checkpoint: Checkpoint, options: RuntimeOptions) -> Backbone:
        """Load the weights, eval mode, safetensors only.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...


@runtime_checkable
class Outlines(Protocol):
    """A runtime that knows a network's taps without its weights (optional)."""

    def outline(self, checkpoint: Checkpoint, modality: str | None = None) -> Sequence[Tap]:
        """Name the taps that :meth:`Runtime.open` would find, with their shapes.

        Reads the configuration and allocates no weight.

        Args:
            checkpoint: whose folder needs no weight files.
            modality: which tower of a model that has several; by default its entry's.

        Raises:
            CheckpointError: with the reason and a hint.
        """
        ...


@runtime_checkable
class OpensSlowly(Protocol):
    """A runtime that has to make something before it can run (optional)."""

    def opening_seconds(self, checkpoint: Checkpoint, options: RuntimeOptions) -> float:
        """Guess what opening costs beyond reading the weights; next to 0 once it is in the cache.

        Must not import a framework.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What an export should be like.

    Attributes:
        precision: of the weights and products.
        taps: names to expose beside the logits; empty exposes every tap.
        inputs: real inputs, :class:`zoo.types.ImageInput` or texts: the exported network is
            compared with the original on them, and ``int8`` of images is calibrated with them;
            empty takes the few that come with the runtime.
        modality: of the inputs; by default the checkpoint's own.
        cache: see :class:`RuntimeOptions`.
        tolerance: largest relative difference to accept; by default that of the precision.
    """

    precision: Precision = "fp32"
    taps: tuple[str, ...] = ()
    inputs: Sequence[Any] = ()
    modality: str | None = None
    cache: str = ""
    tolerance: float | None = None


class TapParity(msgspec.Struct, frozen=True, kw_only=True):
    """How one tap of an exported network compares with the original.

    Attributes:
        difference: largest absolute difference.
        relative: that, over the largest absolute value of the original.
    """

    tap: str
    dimension: int
    difference: float
    relative: float


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an export wrote, and how it was seen to be right.

    Attributes:
        model: reference of the original.
        folder: where it lies.
        opset: version of the operators.
        samples: real inputs that were compared.
        tolerance: largest relative difference that was accepted.
        agreement: share of the samples with the same first label in [0, 1]; None without a head.
        bytes: of all files.
        files: path -> sha256.
        cached: the graph was exported before; only the comparison is new.
        notes: what a person should know, one sentence each.
        warnings: what a person should think about, one sentence each.
    """

    model: str
    folder: str
    format: str
    precision: str
    opset: int
    taps: tuple[TapParity, ...]
    samples: int
    tolerance: float
    agreement: float | None = None
    bytes: int = 0
    files: dict[str, str] = {}
    seconds: float = 0.0
    cached: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@runtime_checkable
class Exports(Protocol):
    """A runtime that writes checkpoints in its own format (optional)."""

    def export(self, checkpoint: Checkpoint, folder: Path, request: ExportRequest) -> ExportReport:
        """Write everything that a prediction needs into an empty folder, and compare it.

        Raises:
            CheckpointError: it cannot be exported (which operator), or it computes something else
                than the original.
            InputError: an unknown tap; a package is missing (with the pip command).
        """
        ...
