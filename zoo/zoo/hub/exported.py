"""A folder that an export wrote is a checkpoint too: its manifest says everything about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo.errors import CheckpointError
from zoo.types.model import Modality, ModelEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.hub.files import Files

MANIFEST = "zoo_export.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What every runtime that exports writes; the rest of the file is its own.

    Attributes:
        entry: registry entry of the original.
        format: the ``library`` of the export: runtimes say which they open.
        files: path -> sha256 of everything else in the folder.
        modality: what goes in, where the original reads several things.
    """

    entry: ModelEntry
    format: str
    files: dict[str, str]
    modality: Modality | None = None
    precision: str = ""


def is_export(files: Files) -> bool:
    """Whether an export wrote these files."""
    return MANIFEST in files.sizes


def read_manifest(files: Files) -> Manifest:
    """Read what the export says of itself.

    Raises:
        CheckpointError: the manifest is not what an export wrote.
    """
    try:
        return msgspec.json.decode(files.read(MANIFEST), type=Manifest)
    except msgspec.MsgspecError as error:
        raise CheckpointError(
            f"{files.model}: {MANIFEST} is damaged: {error}.", "Export it again."
        ) from error


def complete(entry: ModelEntry, manifest: Manifest, files: Files) -> ModelEntry:
    """Complete the entry of an export from its original's; what it says itself stays.

    Raises:
        CheckpointError: a file of the export has gone.
    """
    gone = [path for path in manifest.files if path not in files.sizes]
    if gone:
        raise CheckpointError(f"{files.model}: {gone[0]} has gone.", again(manifest, files.model))
    original = manifest.entry
    size = sum(files.sizes[path] for path in (MANIFEST, *manifest.files))
    found = msgspec.structs.asdict(original) | {
        "library": manifest.format,
        "modality": manifest.modality or original.modality,
        "bytes": size,
    }
    own = {"exported_from": original.ref, "precision": manifest.precision}
    stated = {name: getattr(entry, name) for name in found if getattr(entry, name)}
    tags = original.tags | {name: value for name, value in own.items() if value} | entry.tags
    return ModelEntry(**{**found, **stated, "ref": entry.ref, "files": entry.files, "tags": tags})


def refuse_damaged(manifest: Manifest, digests: Mapping[str, str], model: str) -> None:
    """Refuse an export one of whose files is not what was written.

    Raises:
        CheckpointError: naming the file.
    """
    for path, digest in manifest.files.items():
        if digests.get(path) != digest:
            raise CheckpointError(
                f"{model}: {path} is damaged: it is not the file that was exported.",
                again(manifest, model),
            )


def again(manifest: Manifest, folder: str) -> str:
    """Say how to get the export anew."""
    numbers = "" if manifest.precision in {"", "fp32"} else f" --precision {manifest.precision}"
    return f"Copy it again, or: zoo export {manifest.entry.ref} -o {folder}{numbers} --force"
