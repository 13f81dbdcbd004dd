"""The content-addressed store: what was computed once is read again, by any process.

Arrays live in one safetensors file a key, with the sha256 of every tensor in its header. A file
appears whole or not at all, is verified on every read, and is set aside when it is damaged.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from zoo.files import write_atomically
from zoo.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy.typing as npt

Kind = Literal["features", "attributions", "inputs"]

_SUFFIX = ".safetensors"
_HASH = "sha256:"
#: Longer than any write takes: an older temporary file has lost its writer.
_STALE_SECONDS = 3600.0
_DTYPES = {"U8": np.uint8, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64}


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class DamagedError(Exception):
    """A file that is not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a file of the store holds.

    Attributes:
        tensors: name -> read-only array, mapped into memory.
        metadata: what was written beside them.
    """

    tensors: dict[str, npt.NDArray[Any]]
    metadata: dict[str, str]


def key(**fields: object) -> str:
    """Name a result by everything that shapes it: sha256 of the fields as canonical JSON."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """Features, prepared inputs and scores under one folder; safe for many processes at once.

    Attributes:
        folder: where it lives; made on the first write.
        records: the scores and everything else that is small.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = Records(folder / "scores.sqlite")

    def path(self, kind: Kind, key: str) -> Path:
        """Where the file of a key is, or would be."""
        return self.folder / kind / key[:2] / (key + _SUFFIX)

    @property
    def graphs(self) -> Path:
        """Where runtimes keep what is costly to make."""
        return self.folder / "graphs"

    def has(self, kind: Kind, key: str) -> bool:
        """Whether there is a file, without a look inside."""
        return self.path(kind, key).is_file()

    def read(self, kind: Kind, key: str, names: Iterable[str] | None = None) -> Stored | None:
        """Map a file into memory and verify what is asked for.

        Args:
            kind: what sort of file.
            key: see :func:`key`.
            names: the tensors to read; those that the file lacks are left out. None reads all.

        Returns:
            None when there is no file, or only a damaged one, which is then set aside.
        """
        path = self.path(kind, key)
        try:
            stored = _verified(path, names)
            with suppress(PermissionError):  # of a store that people share
                os.utime(path)  # last use, for zoo cache prune
        except FileNotFoundError:
            return None
        except DamagedError:
            self._set_aside(path)
            return None
        return stored

    def write(
        self,
        kind: Kind,
        key: str,
        tensors: Mapping[str, npt.NDArray[Any]],
        metadata: Mapping[str, str],
    ) -> None:
        """Write a file whole, or not at all.

        Raises:
            OSError: no space, no permission.
        """
        from safetensors.numpy import save

        whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        header = dict(metadata)
        header.update({_HASH + name: _digest(tensor) for name, tensor in whole.items()})
        header[_HASH] = _header_digest(header)
        path = self.path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write_atomically(path, save(whole, metadata=header))

    def lock(self, kind: Kind, key: str) -> AbstractContextManager[Any]:
        """Hold a key, so that two processes do its work once; a killed holder lets go."""
        from filelock import FileLock

        path = self.path(kind, key).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)

    def _write_atomically(self, path: Path, content: bytes) -> None:
        folder = self.folder / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        write_atomically(path, content, scratch=folder)

    def _sweep(self) -> None:
        limit = time.time() - _STALE_SECONDS
        for path in (self.folder / "tmp").glob(".*.tmp*"):
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
            except FileNotFoundError:
                continue  # another process was faster

    def _set_aside(self, path: Path) -> None:
        try:
            path.replace(path.with_suffix(".damaged"))
        except FileNotFoundError:
            return


def _verified(path: Path, names: Iterable[str] | None) -> Stored:
    layout, metadata, content = _mapped(path)
    wanted = layout if names is None else [name for name in names if name in layout]
    tensors = {}
    if metadata.pop(_HASH, None) != _header_digest(metadata):
        raise DamagedError(str(path))
    for name in wanted:
        tensor = _tensor(content, layout[name])
        if _digest(tensor) != metadata.get(_HASH + name):
            raise DamagedError(f"{path}: {name}")
        tensors[name] = tensor
    kept = {name: text for name, text in metadata.items() if not name.startswith(_HASH)}
    return Stored(tensors=tensors, metadata=kept)


def _mapped(path: Path) -> tuple[dict[str, _Tensor], dict[str, str], npt.NDArray[np.uint8]]:
    # safetensors' own reader copies; images have to stay on disk until their batch.
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            if start > size:
                raise DamagedError(str(path))
            header = msgspec.json.decode(file.read(start - 8), type=dict[str, msgspec.Raw])
        metadata = msgspec.json.decode(header.pop("__metadata__", b"{}"), type=dict[str, str])
        layout = {name: msgspec.json.decode(raw, type=_Tensor) for name, raw in header.items()}
        content = np.asarray(np.memmap(path, dtype=np.uint8, mode="r", offset=start))
    except (ValueError, msgspec.MsgspecError) as error:
        raise DamagedError(f"{path}: {error}") from error
    return layout, metadata, content


def _tensor(content: npt.NDArray[np.uint8], tensor: _Tensor) -> npt.NDArray[Any]:
    begin, end = tensor.data_offsets
    try:
        return content[begin:end].view(_DTYPES[tensor.dtype]).reshape(tensor.shape)
    except (KeyError, ValueError) as error:
        raise DamagedError(str(error)) from error


def _header_digest(metadata: Mapping[str, str]) -> str:
    return key(**metadata)


def _digest(tensor: npt.NDArray[Any]) -> str:
    return hashlib.sha256(tensor.reshape(-1).view(np.uint8).data).hexdigest()
