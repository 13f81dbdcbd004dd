"""ONNX Runtime: checkpoints exported on the way, or exported before and opened as they are."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import CheckpointError, InputError
from zoo_runtimes.onnx.manifest import FILE, read_manifest
from zoo_runtimes.torch_runtime import TorchRuntime, modality_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Backbone, ExportReport, ExportRequest, RuntimeOptions, Tap
    from zoo_runtimes.images import Preparation
    from zoo_runtimes.onnx.manifest import Manifest

_RECIPE = 1  # raise it when the graph, or what is read from it, changes what a stored name means
_EXPORTERS = ("torch", "transformers", "onnx", "onnxscript")
_LIBRARIES = ("tokenizers", "pillow", *_EXPORTERS)
_OPENING = 0.2
_EXPORTING = 8.0
_BYTES_A_SECOND = 50e6


class OnnxRuntime:
    """Opens what the torch runtime opens, by exporting it first, and folders of ``zoo export``."""

    def identity(self) -> str:
        """Recipe and versions of ONNX Runtime and of what exports, from package metadata."""
        packages = [_version("onnxruntime"), _version("onnxruntime-gpu")]
        runtime = "+".join(each for each in packages if each)
        found = [f"onnx-runtime={_RECIPE}", f"onnxruntime={runtime}"]
        return " ".join([*found, *(f"{name}={_version(name)}" for name in _LIBRARIES)])

    def input_key(self, checkpoint: Checkpoint, modality: str) -> str:
        """As the torch runtime's: what both prepare is the same.

        Raises:
            CheckpointError: nobody says how its inputs are prepared.
        """
        if not is_exported(checkpoint):
            return TorchRuntime().input_key(checkpoint, modality)
        manifest = _manifest(checkpoint, modality)
        if manifest.images is None:
            return TorchRuntime().input_key(checkpoint, modality)
        from zoo_runtimes.onnx.preparing import restored_key

        return restored_key(checkpoint, manifest.images)

    def prepare(self, checkpoint: Checkpoint, inputs: Sequence[Any]) -> Sequence[npt.NDArray[Any]]:
        """As the torch runtime does; an exported folder's by the numbers in its manifest.

        Raises:
            InputError: an input cannot be read.
            CheckpointError: the checkpoint has no usable image processor.
        """
        if not is_exported(checkpoint) or read_manifest(Path(checkpoint.folder)).images is None:
            return TorchRuntime().prepare(checkpoint, inputs)
        from zoo.probes.decoding import decode

        preparation = _preparation(checkpoint.folder, checkpoint.digest, checkpoint.model)
        return [preparation.prepare(decode(image)) for image in inputs]

    def open(self, checkpoint: Checkpoint, options: RuntimeOptions) -> Backbone:
        """Open a graph; exported on the way, unless the folder is one or the cache has one.

        Neither an exported folder nor a cached graph needs torch or transformers.

        Raises:
            CheckpointError: with the reason and a hint.
            InputError: no such device, provider or precision.
        """
        from zoo_runtimes.onnx.backbone import open_backbone

        named = options.extras.get("modality")
        if is_exported(checkpoint):
            manifest = _manifest(checkpoint, named)
            _require_precision(checkpoint, manifest, options)
            verify(checkpoint, manifest)
            return open_backbone(checkpoint, manifest, Path(checkpoint.folder), options)
        if options.precision == "bf16":
            raise InputError(
                "ONNX graphs compute in fp32, fp16 or int8, not in bf16.",
                "Use --precision fp16, or --runtime torch.",
            )
        from zoo_runtimes.onnx import providers
        from zoo_runtimes.onnx.exporter import ensure_graph

        providers.choose(options.device)  # before minutes are spent on an export
        modality = modality_of(checkpoint, named)
        folder = ensure_graph(
            checkpoint, modality, precision=options.precision, cache=options.cache
        )
        return open_backbone(checkpoint, read_manifest(folder), folder, options)

    def opening_seconds(self, checkpoint: Checkpoint, options: RuntimeOptions) -> float:
        """Guess what opening costs: next to nothing, or an export."""
        if is_exported(checkpoint):
            return _OPENING
        from zoo_runtimes.onnx.exporter import is_cached

        modality = modality_of(checkpoint, options.extras.get("modality"))
        if is_cached(checkpoint, modality, precision=options.precision, cache=options.cache):
            return _OPENING
        return _EXPORTING + (checkpoint.entry.bytes or 0) / _BYTES_A_SECOND

    def outline(self, checkpoint: Checkpoint, modality: str | None = None) -> Sequence[Tap]:
        """The taps that :meth:`open` would find.

        Raises:
            CheckpointError: as :meth:`open`.
        """
        if not is_exported(checkpoint):
            return TorchRuntime().outline(checkpoint, modality)
        from zoo.types.runtimes import Tap

        taps = _manifest(checkpoint, modality).taps
        return [Tap(name=tap.name, dimension=tap.dimension, shape=tap.shape) for tap in taps]

    def export(self, checkpoint: Checkpoint, folder: Path, request: ExportRequest) -> ExportReport:
        """Write everything that a prediction needs into an empty folder, and compare it.

        Raises:
            CheckpointError, InputError: see :class:`zoo.types.runtimes.Exports`.
        """
        if is_exported(checkpoint):
            raise InputError(
                f"{checkpoint.model} is exported already.", "Name the original checkpoint."
            )
        from zoo_runtimes.onnx.exporter import export

        return export(checkpoint, folder, request)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def is_exported(checkpoint: Checkpoint) -> bool:
    """Whether a folder was written by ``zoo export``."""
    return (Path(checkpoint.folder) / FILE).is_file()


def _manifest(checkpoint: Checkpoint, modality: str | None) -> Manifest:
    manifest = read_manifest(Path(checkpoint.folder))
    if modality and modality != manifest.modality:
        raise CheckpointError(
            f"{checkpoint.model} was exported to read {manifest.modality}, not {modality}.",
            "Leave it out, or export the other part of the model.",
        )
    return manifest


def _require_precision(checkpoint: Checkpoint, manifest: Manifest, options: RuntimeOptions) -> None:
    if options.precision not in ("fp32", manifest.precision):
        raise InputError(
            f"{checkpoint.model} was exported in {manifest.precision}, so it cannot run in "
            f"{options.precision}.",
            f"Leave --precision away, or export it again with --precision {options.precision}.",
        )


@functools.cache
def _preparation(folder: str, digest: str, model: str) -> Preparation:
    from zoo.types.model import Checkpoint, ModelEntry
    from zoo_runtimes.onnx.preparing import restore_images

    checkpoint = Checkpoint(entry=ModelEntry(ref=model), folder=folder, digest=digest)
    images = read_manifest(Path(folder)).images
    if images is None:
        raise CheckpointError(f"{model} reads no images.", "Leave it out.")
    return restore_images(checkpoint, images)


def verify(checkpoint: Checkpoint, manifest: Manifest) -> None:
    """Compare every file with what the export wrote.

    Raises:
        CheckpointError: naming the first that is missing or different.
    """
    for name, expected in manifest.files.items():
        path = Path(checkpoint.folder) / name
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            found = ""
        if found != expected:
            state = "is not what the export wrote" if found else "is missing"
            raise CheckpointError(
                f"{checkpoint.model}: {name} {state}.",
                "Copy the folder again, or export the original once more.",
            )
