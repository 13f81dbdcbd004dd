"""Columns that need no Python object a row: texts in one buffer, lists in one array."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """N strings.

    Attributes:
        data: (B,) uint8: all of them in UTF-8.
        ends: (N + 1,) int64: where each ends; 0 comes first.
    """

    data: npt.NDArray[Any]
    ends: npt.NDArray[Any]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Pack strings; a lone surrogate becomes a question mark."""
        packed = [text.encode("utf-8", "replace") for text in texts]
        return cls(np.frombuffer(b"".join(packed), np.uint8), _ends(packed))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.data[self.ends[index] : self.ends[index + 1]].tobytes().decode()


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """N lists of numbers.

    Attributes:
        values: (V,) int32: all of them.
        ends: (N + 1,) int64: where each ends; 0 comes first.
    """

    values: npt.NDArray[Any]
    ends: npt.NDArray[Any]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Rows:
        """Pack lists."""
        ends = _ends(rows)
        return cls(np.fromiter(chain.from_iterable(rows), np.int32, int(ends[-1])), ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, index: int) -> list[int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        found: list[int] = self.values[self.ends[index] : self.ends[index + 1]].tolist()
        return found

    def lengths(self) -> npt.NDArray[Any]:
        """Count: (N,) int64."""
        return np.diff(self.ends)


def _ends(rows: Sequence[Sequence[Any]] | Sequence[bytes]) -> npt.NDArray[np.int64]:
    ends = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)), out=ends[1:])
    return ends
