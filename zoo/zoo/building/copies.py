"""A person's inputs within reach: any one of them at once, whatever file it lies in."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import ZooError
from zoo.events import Event, Listener, ignore
from zoo.files import write_atomically
from zoo.types.probe import ImageInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Inputs that are read with one request.
_CHUNK = 512
_INDEX = ".json"


class Chosen(Sequence[Any]):
    """Some of a sequence, which is still read by slices.

    Args:
        whole: all inputs, or their names.
        rows: numbers of those that are meant.
    """

    def __init__(self, whole: Sequence[Any], rows: Sequence[int]) -> None:
        self._whole, self._rows = whole, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int | slice) -> Any:
        found = self._rows[index]
        if isinstance(found, int):
            return self._whole[found]
        return [each for run in _runs(found) for each in self._whole[run]]


def _runs(rows: Sequence[int]) -> Iterator[slice]:
    """Cut ascending rows into slices of equal steps."""
    start = 0
    while start < len(rows):
        step = rows[start + 1] - rows[start] if start + 1 < len(rows) else 1
        end = start + 1
        while end < len(rows) and rows[end] - rows[end - 1] == step:
            end += 1
        yield slice(rows[start], rows[end - 1] + 1, step)
        start = end


class _Bytes(Sequence[Any]):
    """Encoded images in one file; a process that is forked or started reads the same."""

    def __init__(self, path: Path, names: Sequence[str], ends: Sequence[int]) -> None:
        self._path, self._names, self._ends = path, names, ends
        self._view: mmap.mmap | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_view": None}

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._one(row) for row in range(len(self))[index]]
        return self._one(range(len(self))[index])

    def _one(self, row: int) -> ImageInput | None:
        start = self._ends[row - 1] if row else 0
        if start == self._ends[row]:
            return None
        if self._view is None:
            with self._path.open("rb") as file:
                self._view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return ImageInput(name=self._names[row], data=self._view[start : self._ends[row]])


class _Index(msgspec.Struct, frozen=True, kw_only=True):
    """What lies where in a copy; written when the copy is whole."""

    names: list[str]
    ends: list[int]


def within_reach(
    inputs: Sequence[Any], path: Path, *, on_event: Listener = ignore
) -> Sequence[Any]:
    """Give the same inputs as something that any one of them can be taken from at once.

    Images inside of larger files are copied to ``path``, as they are encoded; texts and the names
    of image files stay in memory. A whole copy of as many inputs is taken for one of the same.

    Args:
        inputs: N images, texts, pairs of texts, or None.
        path: where the copy goes.
        on_event: hears the progress.

    Raises:
        ZooError: the copy cannot be written.
    """
    index = _index_of(path)
    if index is not None and len(index.ends) == len(inputs):
        return _Bytes(path, index.names, index.ends)
    try:
        index, kept = _copied(inputs, path, on_event)
        if index is None:
            path.unlink()
            return kept
        write_atomically(path.with_suffix(_INDEX), msgspec.json.encode(index))
    except OSError as error:
        raise ZooError(
            f"the inputs cannot be copied to {path}: {error.strerror or error}.",
            "Make room there, or name an output folder elsewhere.",
        ) from error
    return _Bytes(path, index.names, index.ends)


def _copied(
    inputs: Sequence[Any], path: Path, on_event: Listener
) -> tuple[_Index | None, list[Any]]:
    """Write the bytes of images that are no files; give what has none as it is."""
    kept: list[Any] = []
    names: list[str] = []
    ends: list[int] = []
    position, copied = 0, False
    with path.open("wb") as file:
        for start in range(0, len(inputs), _CHUNK):
            for each in inputs[start : start + _CHUNK]:
                data = each.data if isinstance(each, ImageInput) and each.path is None else None
                position += file.write(data or b"")
                copied = copied or data is not None
                kept.append(None if data is not None else each)
                names.append(each.name if isinstance(each, ImageInput) else "")
                ends.append(position)
            on_event(Event(kind="prepare", done=len(kept), total=len(inputs)))
        os.fsync(file.fileno())
    return (_Index(names=names, ends=ends) if copied else None), kept


def _index_of(path: Path) -> _Index | None:
    """Read what an earlier copy holds; None where it is not whole."""
    try:
        index = msgspec.json.decode(path.with_suffix(_INDEX).read_bytes(), type=_Index)
        whole = bool(index.ends) and path.stat().st_size == index.ends[-1]
    except (OSError, msgspec.MsgspecError):
        return None
    return index if whole else None
