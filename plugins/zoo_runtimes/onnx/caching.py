"""Exported graphs that are kept: found by what made them, verified when opened, made once.

Imports no framework: a graph that is kept runs without the libraries that made it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from zoo.errors import CheckpointError
from zoo_runtimes.onnx.manifest import FILE, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Precision

RECIPE = 1
"""Raise it when the same libraries make another graph than before."""

_PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime-gpu", "onnxruntime")
_DAY = 86_400


def versions() -> str:
    """Recipe and versions of whatever shapes an exported graph, from package metadata."""
    found = [f"recipe={RECIPE}"]
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{package}={version(package)}")
    return " ".join(found)


def place_of(checkpoint: Checkpoint, modality: str, precision: Precision, cache: str) -> Path:
    """Folder of the graph with every tap of a checkpoint."""
    made = f"{checkpoint.digest}\n{modality}\n{precision}\n{versions()}"
    name = hashlib.sha256(made.encode()).hexdigest()[:20]
    return Path(cache) / f"{modality}-{precision}-{name}"


def digests(folder: Path) -> dict[str, str]:
    """Name -> sha256 of every file but the manifest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != FILE:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = digest
    return found


def is_whole(folder: Path) -> bool:
    """Whether every file of an exported folder is what was written."""
    try:
        return digests(folder) == read_manifest(folder).files
    except (CheckpointError, OSError):
        return False


def keep(place: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder once, however many processes ask for it; a damaged one is made anew.

    Args:
        place: of the folder.
        make: fills an empty folder, manifest last.
    """
    if is_whole(place):
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / f".{place.name}.lock"):
        if is_whole(place):
            return place
        _sweep(place)
        temporary = place.parent / f".{place.name}-{secrets.token_hex(4)}.tmp"
        temporary.mkdir()
        try:
            make(temporary)
            shutil.rmtree(place, ignore_errors=True)
            os.replace(temporary, place)  # noqa: PTH105 -- says that it replaces
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return place


def _sweep(place: Path) -> None:
    """Remove what killed exports left: of this graph at once, of others after a day."""
    for path in place.parent.glob(".*.tmp"):
        with suppress(OSError):
            mine = path.name.startswith(f".{place.name}-")
            if mine or time.time() - path.stat().st_mtime > _DAY:
                shutil.rmtree(path, ignore_errors=True)
