"""Which channels of a network can only grow together, and how they lie in its parameters.

Every channel of every parameter has a number; what meets in the graph becomes one class
(union-find). A run of equal classes, as a flattened image or the channels of a group make one,
grows as a block. Classes that are neighbours wherever they are form an axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    #: Channels along one dimension, in order; None where nothing can grow.
    Ids = Sequence[int] | None


class Channels:
    """Classes of channels, and why some of them stay as they are."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._pinned: dict[int, str] = {}
        self._whole: dict[int, str] = {}
        self._seams: list[tuple[int, int]] = []

    def new(self, count: int) -> list[int]:
        """Number so many channels."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return self._parent[start:]

    def find(self, channel: int) -> int:
        """Give the class of a channel."""
        parent = self._parent
        while parent[channel] != channel:
            parent[channel] = parent[parent[channel]]
            channel = parent[channel]
        return channel

    def unite(self, first: Ids, second: Ids, why: str) -> Ids:
        """Make channels that meet one class each; what meets something of fixed size stays."""
        if first is None or second is None:
            self.pin(first, why)
            self.pin(second, why)
            return None
        for one, other in zip(first, second, strict=True):
            self._parent[self.find(other)] = self.find(one)
        return first

    def merge(self, channels: Iterable[int]) -> None:
        """Make all of these one class: a block that is copied as a whole."""
        first, *rest = channels
        for other in rest:
            self._parent[self.find(other)] = self.find(first)

    def pin(self, channels: Ids, why: str) -> None:
        """Let channels stay as they are."""
        for channel in channels or ():
            self._pinned.setdefault(channel, why)

    def keep_whole(self, channels: Ids, why: str) -> None:
        """Let channels be copied all together alone."""
        for channel in channels or ():
            self._whole.setdefault(channel, why)

    def seam(self, before: Ids, after: Ids) -> None:
        """Remember neighbours that are no block, whatever class they have."""
        if before and after:
            self._seams.append((before[-1], after[0]))

    def pinned(self) -> dict[int, str]:
        """Class -> why it stays as it is."""
        for before, after in self._seams:
            if self.find(before) == self.find(after):
                self._pinned.setdefault(before, "its copies would lie among those of others")
        return self._classes(self._pinned)

    def whole(self) -> dict[int, str]:
        """Class -> why it is copied with all others of its axis alone."""
        return self._classes(self._whole)

    def _classes(self, marks: Mapping[int, str]) -> dict[int, str]:
        found: dict[int, str] = {}
        for channel, why in marks.items():
            found.setdefault(self.find(channel), why)
        return found

    def runs(self, channels: Sequence[int]) -> list[tuple[int, int]]:
        """Give the classes of channels in order, each with the length of its run."""
        found: list[tuple[int, int]] = []
        for channel in channels:
            each = self.find(channel)
            if found and found[-1][0] == each:
                found[-1] = (each, found[-1][1] + 1)
            else:
                found.append((each, 1))
        return found


@dataclass(frozen=True, kw_only=True)
class Laid:
    """Axes, and where they are.

    Attributes:
        sizes: axis -> number of classes.
        classes: axis -> one of its classes.
        layouts: place -> layout of :class:`zoo.types.growing.Dim`; a number where nothing can grow.
    """

    sizes: Mapping[str, int]
    classes: Mapping[str, int]
    layouts: Mapping[Hashable, str]


def lay_out(
    channels: Channels, places: Mapping[Hashable, Sequence[int]], names: Mapping[Hashable, str]
) -> Laid:
    """Find the axes.

    Args:
        channels: classes, complete.
        places: every dimension of every parameter, and every other place that must be known.
        names: what an axis is called after where this place is the first to have it.
    """
    stay, whole = channels.pinned(), channels.whole()
    runs = {place: channels.runs(ids) for place, ids in places.items()}
    after = _links(runs.values(), stay, whole)
    chains = _chains({each for run in runs.values() for each, _ in run if each not in stay}, after)
    home = {each: number for number, chain in enumerate(chains) for each in chain}
    called = _called(runs, home, names)
    layouts = {place: _layout(run, stay, chains, home, called) for place, run in runs.items()}
    return Laid(
        sizes={called[number]: len(chain) for number, chain in enumerate(chains)},
        classes={called[number]: chain[0] for number, chain in enumerate(chains)},
        layouts=layouts,
    )


def _links(
    runs: Iterable[Sequence[tuple[int, int]]], stay: Mapping[int, str], whole: Mapping[int, str]
) -> dict[int, int]:
    """Class -> the one that follows it wherever it is, with runs of the same length."""
    after: dict[int, set[int]] = {}
    before: dict[int, set[int]] = {}
    for run in runs:
        for (one, length), (other, next_length) in zip(
            [(-1, 0), *run], [*run, (-1, 0)], strict=True
        ):
            same = length == next_length
            after.setdefault(one, set()).add(other if same else -1)
            before.setdefault(other, set()).add(one if same else -1)
    return {
        one: next(iter(others))
        for one, others in after.items()
        if len(others) == 1
        and -1 not in others
        and one != -1
        and before[next(iter(others))] == {one}
        and not {one, next(iter(others))} & stay.keys()
        and (one in whole) == (next(iter(others)) in whole)
    }


def _chains(classes: set[int], after: Mapping[int, int]) -> list[list[int]]:
    followers = set(after.values())
    chains = []
    for first in sorted(classes - followers):
        chain = [first]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return chains


def _called(
    runs: Mapping[Hashable, Sequence[tuple[int, int]]],
    home: Mapping[int, int],
    names: Mapping[Hashable, str],
) -> dict[int, str]:
    """Name every axis after the first place that has it; one name each."""
    found: dict[int, str] = {}
    taken: dict[str, int] = {}
    for place in (*names, *(each for each in runs if each not in names)):
        for each, _ in runs[place]:
            if each not in home or home[each] in found:
                continue
            name = "channels of " + names.get(place, str(place)).replace("+", "_").replace("*", "_")
            taken[name] = taken.get(name, 0) + 1
            found[home[each]] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    return found


def _layout(
    run: Sequence[tuple[int, int]],
    stay: Mapping[int, str],
    chains: Sequence[Sequence[int]],
    home: Mapping[int, int],
    called: Mapping[int, str],
) -> str:
    parts: list[str] = []
    fixed, place = 0, 0
    while place < len(run):
        each, length = run[place]
        if each in stay:
            fixed, place = fixed + length, place + 1
            continue
        if fixed:
            parts.append(str(fixed))
            fixed = 0
        number = home[each]
        parts.append(called[number] if length == 1 else f"{called[number]}*{length}")
        place += len(chains[number])
    return "+".join([*parts, str(fixed)] if fixed else parts)
