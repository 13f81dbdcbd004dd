"""Checkpoints to resume from: folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "checkpoint-"
_DRAFT = ".draft-"
_KEPT = 2


def checkpoint_of(folder: Path, step: int) -> Path:
    """Name the checkpoint of a step."""
    return folder / f"{_NAME}{step}"


def complete(folder: Path) -> list[tuple[int, Path]]:
    """List (step, checkpoint) in ascending order."""
    found = [
        (int(each.name.removeprefix(_NAME)), each)
        for each in folder.glob(f"{_NAME}*")
        if each.name.removeprefix(_NAME).isdigit()
    ]
    return sorted(found)


def newest(folder: Path) -> tuple[int, Path | None]:
    """Give the step and the folder of the last checkpoint; 0 and None where there is none."""
    found = complete(folder)
    return found[-1] if found else (0, None)


@contextmanager
def appearing(checkpoint: Path) -> Iterator[Path]:
    """Give a folder to write to, which becomes ``checkpoint`` once all of it is on the disk."""
    _drop_drafts(checkpoint.parent)
    draft = checkpoint.with_name(f"{_DRAFT}{checkpoint.name}")
    draft.mkdir(parents=True)
    try:
        yield draft
        for path in (*draft.iterdir(), draft):
            _to_disk(path)
        draft.rename(checkpoint)
        _to_disk(checkpoint.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def prune(folder: Path) -> None:
    """Keep the newest checkpoints only."""
    for _, path in complete(folder)[:-_KEPT]:
        _remove(path)


def clear(folder: Path) -> None:
    """Remove every checkpoint."""
    for _, path in complete(folder):
        _remove(path)
    _drop_drafts(folder)


def _remove(checkpoint: Path) -> None:
    # Renamed first: half of a checkpoint must not look like one.
    doomed = checkpoint.with_name(f"{_DRAFT}{checkpoint.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    checkpoint.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _drop_drafts(folder: Path) -> None:
    for path in folder.glob(f"{_DRAFT}*"):
        shutil.rmtree(path, ignore_errors=True)


def _to_disk(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
