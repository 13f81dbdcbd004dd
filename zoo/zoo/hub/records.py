"""What Zoo remembers of a commit, and how that stands beside what a registry says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo.errors import CheckpointError
from zoo.types.model import ModelEntry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VERSION = 1


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What one commit holds; a commit never changes, so this is remembered for good.

    Attributes:
        entry: pinned and complete; its files are those a run needs.
        sizes: path -> bytes of those files.
        version: of the way of looking; a record of another version is not trusted.
    """

    entry: ModelEntry
    sizes: dict[str, int] = {}
    version: int = _VERSION


def is_complete(entry: ModelEntry) -> bool:
    """Whether a locked entry says everything that looking at the commit would."""
    return bool(entry.files and entry.bytes and entry.modality and entry.library)


def merge(entry: ModelEntry, record: Record) -> Record:
    """Let the registry's own facts stand beside what was found; its digests must agree."""
    need_same_digests(entry, record.entry.files)
    stated = {
        name: value
        for name in ("task", "modality", "library", "architecture", "license", "labels")
        if (value := getattr(entry, name)) is not None
    }
    tags = record.entry.tags | entry.tags
    merged = msgspec.structs.replace(record.entry, **stated, tags=tags)
    return msgspec.structs.replace(record, entry=merged)


def need_same_digests(entry: ModelEntry, files: Mapping[str, str]) -> None:
    """Hold the Hub to the digests of the registry.

    Raises:
        CheckpointError: naming the first file that has another one.
    """
    for path, digest in entry.files.items():
        if files.get(path) != digest:
            raise CheckpointError(
                f"{entry.ref}: {path} has another digest at the Hub than in the registry.",
                f"If you trust the Hub more, zoo registry add {entry.ref} writes the entry anew.",
            )


def recall(path: Path) -> Record | None:
    """Read a record; one that is missing, broken or of another version is None."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None
    return record if record.version == _VERSION else None


def remember(path: Path, record: Record) -> None:
    """Keep a record."""
    from zoo.files import write_atomically

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(record))
    except OSError:  # a home that cannot be written costs time, nothing else
        return
