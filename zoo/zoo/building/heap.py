"""How much memory a program really holds: what its blocks take, and the holes between them.

Models the allocator of glibc: blocks of 32 MiB and more are given back to the system at once; the
others share a heap that shrinks only at its end. Holes are filled best-fit and grow together.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

#: Largest values that glibc's own thresholds grow to, which they soon do.
_MAPPED = 32 << 20
_TRIMMED = 64 << 20
_GRAIN = 64


class Heap:
    """A heap that starts empty.

    Args:
        ideal: nothing is wasted, as the caching allocator of a GPU nearly achieves.

    Attributes:
        top: its end.
        mapped: bytes of the blocks outside.
        peak: most of both.
    """

    def __init__(self, *, ideal: bool = False) -> None:
        self._least = 0 if ideal else _MAPPED
        self._ideal = ideal
        self.top = self.mapped = self.peak = 0
        self._high = 0
        self._blocks: dict[Hashable, tuple[int, int]] = {}
        self._sizes: list[tuple[int, int]] = []
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def run(self, trace: Iterable[int], owner: str, first: int = 0) -> int:
        """Take and give back memory as a trace of :class:`zoo.types.training.StepCost` says.

        Args:
            trace: the events.
            owner: whose blocks they are.
            first: number of the first block that is taken.

        Returns:
            The number of the next one.
        """
        for event in trace:
            if event >= 0:
                self.compute((owner, first), event)
                first += 1
            else:
                self.give_back((owner, -1 - event))
        return first

    def compute(self, name: Hashable, size: int) -> None:
        """Take a block for a result, and as much again while it is computed.

        Kernels copy what they read into their own order; without that twin, this model holds a
        fifth less than real processes were seen to hold.
        """
        if not self._ideal:
            self.take(None, size)
        self.take(name, size)
        self.give_back(None)

    def take(self, name: Hashable, size: int) -> None:
        """Take a block."""
        if size >= self._least:
            self._blocks[name] = (-1, size)
            self.mapped += size
        else:
            size = (size // _GRAIN + 2) * _GRAIN
            self._blocks[name] = (self._place(size), size)
        self.peak = max(self.peak, self._high + self.mapped)

    def give_back(self, name: Hashable) -> None:
        """Give a block back; one that is gone already stays gone."""
        start, size = self._blocks.pop(name, (0, 0))
        if start < 0:
            self.mapped -= size
        elif size:
            self._join(start, size)

    def clear(self) -> None:
        """Give every block back; the holes stay."""
        for name in list(self._blocks):
            self.give_back(name)

    def _place(self, size: int) -> int:
        index = bisect_left(self._sizes, (size, -1))
        if index == len(self._sizes):
            start = self.top
            self.top += size
            self._high = max(self._high, self.top)
            return start
        found, start = self._sizes[index]
        self._remove(start, found)
        if found > size:
            self._add(start + size, found - size)
        return start

    def _join(self, start: int, size: int) -> None:
        """Let a hole grow into its neighbours, and the heap shrink where it reaches the end."""
        before = self._ends.get(start)
        if before is not None:
            self._remove(before, start - before)
            start, size = before, size + start - before
        after = self._starts.get(start + size)
        if after is not None:
            self._remove(start + size, after)
            size += after
        if start + size < self.top:
            self._add(start, size)
            return
        self.top = start
        # Pages behind the end stay until there are enough of them to give back.
        if self._high - self.top > _TRIMMED:
            self._high = self.top

    def _add(self, start: int, size: int) -> None:
        insort(self._sizes, (size, start))
        self._starts[start] = size
        self._ends[start + size] = start

    def _remove(self, start: int, size: int) -> None:
        del self._sizes[bisect_left(self._sizes, (size, start))]
        del self._starts[start]
        del self._ends[start + size]
