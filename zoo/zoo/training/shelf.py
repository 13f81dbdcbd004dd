"""Rows of numbers that one teacher says, written one after the other, never half-trusted.

Each array is an ordinary ``.npy`` file that only grows. Beside them a small file says how many rows
are finished and what their bytes sum up to; whatever lies behind these rows is cut off, and rows
that do not add up are thrown away, all of them.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import time
import zlib
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ZooError
from zoo.files import write_atomically
from zoo.training.moments import Moments, pack, unpack
from zoo.training.observing import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import numpy.typing as npt

    from zoo.types.training import FeatureShape

    Floats = npt.NDArray[np.float32]

LOGITS = "logits"
_PROGRESS = "progress.npz"
_SAVE_SECONDS = 5.0
_BLOCK = 1 << 22
_ITEM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What can be trusted: so many rows of each file, with these sums (CRC-32) and moments."""

    done: int = 0
    sums: Mapping[str, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)


class Shelf:
    """What one teacher says about every view of every row: one array a form, rows in one order.

    Attributes:
        folder: its place; made when the first row is written.
        total: rows of each array.
        forms: name of each array -> shape of one row.
        damaged: what lay here could not be trusted, and is gone.
    """

    def __init__(
        self, folder: Path, total: int, columns: int, shapes: Sequence[FeatureShape]
    ) -> None:
        self.folder = folder
        self.total = total
        self.forms: dict[str, tuple[int, ...]] = {LOGITS: (columns,)} if columns else {}
        for number, shape in enumerate(shapes):
            self.forms[feature_name(number)] = (shape.width, *(shape.grid or ()))
        self.damaged = False
        self._kept = self._trusted()
        self._files: dict[str, BinaryIO] = {}
        self._saved = 0.0

    @property
    def done(self) -> int:
        """How many rows are finished."""
        return self._kept.done

    @property
    def complete(self) -> bool:
        """Whether every row is."""
        return self.done == self.total

    @property
    def counts(self) -> Counts:
        """Moments of the rows that were counted."""
        return self._kept.counts

    @property
    def missing_bytes(self) -> int:
        """What is still to be written."""
        return sum(map(_row_bytes, self.forms.values())) * (self.total - self.done)

    def read(self) -> dict[str, Floats]:
        """Map the arrays into memory, read-only, (total, *form) each."""
        assert self.complete, self.folder
        return {name: self._mapped(name) for name in self.forms}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Go on behind the last finished row; what was appended is kept, however it ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self._files = {name: stack.enter_context(self._end(name)) for name in self.forms}
            self._saved = time.monotonic()
            try:
                yield
            except BaseException:
                with suppress(OSError):  # a full disk is what ended it
                    self._save()
                raise
            self._save()

    def append(self, arrays: Mapping[str, Floats], counts: Counts) -> None:
        """Add some rows to every array, and say what is counted with them.

        Raises:
            ZooError: no space.
        """
        sums = {}
        for name, form in self.forms.items():
            content = np.ascontiguousarray(arrays[name], dtype="<f4")
            assert content.shape[1:] == form, (name, content.shape, form)
            block = content.reshape(-1).view(np.uint8).data
            sums[name] = zlib.crc32(block, self._kept.sums.get(name, 0))
            self._write(name, block)
        self._kept = _Kept(done=self.done + len(content), sums=sums, counts=counts)
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self._save()
            self._saved = time.monotonic()

    def _write(self, name: str, block: memoryview) -> None:
        try:
            while block:
                block = block[self._files[name].write(block) :]
        except OSError as error:
            raise ZooError(
                f"what the teachers say cannot be kept in {self.folder}: {error.strerror}",
                "make room and go on, or ask them anew in every epoch (--no-cache)",
            ) from error

    def _save(self) -> None:
        for file in self._files.values():
            os.fsync(file.fileno())
        known: dict[str, npt.NDArray[Any]] = {"done": np.array(self.done)}
        sums = self._kept.sums
        known.update({f"sum.{name}": np.array(sums.get(name, 0)) for name in self.forms})
        known.update(_arrays(self.counts))
        write_atomically(self.folder / _PROGRESS, pack(known))

    def _end(self, name: str) -> BinaryIO:
        # Unbuffered and without holes: a full disk is an error here, not a crash on reading.
        path = self._path(name)
        file: BinaryIO = path.open("r+b" if self.done else "w+b", buffering=0)
        if not self.done:
            file.write(self._header(name))
        file.truncate(len(self._header(name)) + self.done * _row_bytes(self.forms[name]))
        file.seek(0, os.SEEK_END)
        return file

    def _trusted(self) -> _Kept:
        if not self.folder.exists():
            return _Kept()
        try:
            known = unpack((self.folder / _PROGRESS).read_bytes())
            kept = _Kept(
                done=int(known["done"]),
                sums={name: int(known[f"sum.{name}"]) for name in self.forms},
                counts=_counts(known),
            )
            if all(self._sum(name, kept.done) == each for name, each in kept.sums.items()):
                return kept
        except (OSError, KeyError, ValueError):
            pass  # not what was written
        self.damaged = True
        shutil.rmtree(self.folder, ignore_errors=True)
        return _Kept()

    def _sum(self, name: str, rows: int) -> int | None:
        left, total = rows * _row_bytes(self.forms[name]), 0
        with self._path(name).open("rb") as file:
            header = self._header(name)
            if file.read(len(header)) != header:
                return None
            while left:
                block = file.read(min(left, _BLOCK))
                if not block:
                    return None
                total, left = zlib.crc32(block, total), left - len(block)
        return total

    def _mapped(self, name: str) -> Floats:
        array = np.load(self._path(name), mmap_mode="r", allow_pickle=False)
        return np.asarray(array)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _header(self, name: str) -> bytes:
        file = io.BytesIO()
        shape = (self.total, *self.forms[name])
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        return file.getvalue()


def feature_name(number: int) -> str:
    """Name the array of the n-th form of a teacher's features."""
    return f"features.{number}"


def _row_bytes(form: tuple[int, ...]) -> int:
    return _ITEM * math.prod(form)


def _arrays(counts: Counts) -> dict[str, npt.NDArray[Any]]:
    named = {} if counts.logits is None else {LOGITS: counts.logits}
    named.update({feature_name(number): each for number, each in enumerate(counts.features)})
    found: dict[str, npt.NDArray[Any]] = {}
    for name, each in named.items():
        found[f"count.{name}"] = np.array(each.count)
        found[f"mean.{name}"], found[f"squares.{name}"] = each.mean, each.squares
    return found


def _counts(known: Mapping[str, npt.NDArray[Any]]) -> Counts:
    named = {
        name.removeprefix("count."): Moments(
            count=int(count),
            mean=known[f"mean.{name.removeprefix('count.')}"],
            squares=known[f"squares.{name.removeprefix('count.')}"],
        )
        for name, count in known.items()
        if name.startswith("count.")
    }
    logits = named.pop(LOGITS, None)
    features = tuple(named[feature_name(number)] for number in range(len(named)))
    return Counts(logits=logits, features=features)
