"""The algebra of growth: how an axis of channels is repeated, written and read.

With E (N x n) the channels of the larger network hold those of the smaller one, x' = E x, and with
R (n x N) they are read back, x = R x'. R E = I keeps the function: what writes the axis becomes
E W, what reads it W R + Z (I - E F), where F E = I, too, and Z is noise: E cannot reach it. Chen,
Goodfellow and Shlens (Net2Net, ICLR 2016) draw E as copies of random channels; noise in the null
space takes the place of their noise on the copies, which changed the function.

Maps are small and stay on the CPU; weights may be anywhere.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

from zoo.types.growing import AxisMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

    from zoo.types.growing import Axis


def generator_of(seed: int, *words: str) -> torch.Generator:
    """Give a generator of its own to everything that has a name, whatever is drawn before it."""
    digest = hashlib.blake2b("/".join((str(seed), *words)).encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


def selection(index: Tensor, old: int, weights: Tensor | None = None, reason: str = "") -> AxisMap:
    """Copy channels; the copies of one share what is read of it.

    Args:
        index: (N,) int64, all of 0 ... old - 1 among them.
        old: n.
        weights: (N,) relative sizes of the shares; equal where absent.
        reason: why the function is not kept, if it is not.
    """
    weights = torch.ones(len(index), dtype=torch.float64) if weights is None else weights.double()
    totals = torch.zeros(old, dtype=torch.float64).index_add_(0, index, weights)
    return AxisMap(index=index, share=weights / totals[index], reason=reason)


def unchanged(size: int) -> AxisMap:
    """Keep an axis as it is."""
    return selection(torch.arange(size), size)


def drawn(
    old: int, new: int, generator: torch.Generator, reason: str = "", least: int = 1
) -> AxisMap:
    """Keep all channels, each at least so often, and add copies of random ones (Net2WiderNet)."""
    kept = torch.arange(old).repeat(min(least, new // old))
    extra = torch.randint(old, (new - len(kept),), generator=generator)
    return selection(torch.cat([kept, extra]), old, reason=reason)


def least_copies(leader: Axis, axes: Iterable[Axis]) -> int:
    """How often heads of keys and values must be there for every query that follows to be."""
    return max(
        (
            -(-(axis.old // leader.old) // (axis.new // leader.new))
            for axis in axes
            if axis.follows == leader.name
        ),
        default=1,
    )


def tiled(old: int, new: int, fill: str = "zero") -> AxisMap:
    """Repeat the whole axis as often as it fits, and fill the rest.

    With x of n channels repeated k times and r = N - k n channels of their mean (or of zeros), a
    layer norm's mean stays and its variance becomes k n / N of what it was (LEMON, Wang et al.,
    ICLR 2024); the mean square of N channels with r zeros likewise.
    """
    whole, extra = new // old * old, new % old
    index = torch.arange(new) % old
    index[whole:] = -1
    share = torch.zeros(new, dtype=torch.float64)
    share[:whole] = old / whole
    scale = (whole / new) ** 0.5
    return AxisMap(
        index=index, share=share, fill="mean" if fill == "mean" and extra else "zero", scale=scale
    )


def cycled(old: int, new: int, reason: str) -> AxisMap:
    """Repeat an axis from its beginning until it is long enough."""
    return selection(torch.arange(new) % old, old, reason=reason)


def following(axis: Axis, leader: Axis, leading: AxisMap) -> AxisMap:
    """Heads of queries go where the keys and values are that they ask.

    Args:
        axis: of the queries, in groups of old / leader.old heads.
        leader: of keys and values.
        leading: how those are repeated.
    """
    before, after = axis.old // leader.old, axis.new // leader.new
    group = torch.arange(axis.new) // after
    inside = torch.arange(axis.new) % after
    # Copies of one group go on where the last one stopped, so that every query gets its turn.
    seen: dict[int, int] = {}
    start = torch.zeros(leader.new, dtype=torch.int64)
    for number, source in enumerate(leading.index.tolist()):
        start[number] = seen.get(source, 0)
        seen[source] = seen.get(source, 0) + after
    index = leading.index[group] * before + (start[group] + inside) % before
    missing = axis.old - len(set(index.tolist()))
    if missing:
        reason = f"{missing} of {axis.old} heads would be lost"
        return AxisMap(index=index, share=torch.zeros(axis.new, dtype=torch.float64), reason=reason)
    return selection(index, axis.old)


def block(maps: Sequence[AxisMap]) -> AxisMap:
    """Channels within channels, the last of the maps varying fastest."""
    found = maps[0]
    for inner in maps[1:]:
        index = found.index[:, None] * _olds(inner) + inner.index[None, :]
        index = torch.where((found.index[:, None] < 0) | (inner.index[None, :] < 0), -1, index)
        share = found.share[:, None] * inner.share[None, :]
        found = AxisMap(index=index.flatten(), share=share.flatten())
    return found


def joined(maps: Sequence[AxisMap]) -> AxisMap:
    """Channels after channels."""
    if len(maps) == 1:
        return maps[0]
    index, start = [], 0
    for each in maps:
        index.append(torch.where(each.index < 0, -1, each.index + start))
        start += _olds(each)
    return AxisMap(index=torch.cat(index), share=torch.cat([each.share for each in maps]))


def laid_out(layout: str, maps: Mapping[str, AxisMap]) -> AxisMap:
    """Read a layout: see :class:`zoo.types.growing.Dim`."""
    parts = [
        block([unchanged(int(name)) if name.isdigit() else maps[name] for name in part.split("*")])
        for part in layout.split("+")
    ]
    return joined(parts)


def _olds(found: AxisMap) -> int:
    return int(found.index.max()) + 1


def write(
    weight: Tensor,
    dim: int,
    found: AxisMap,
    gate: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """E W along one dimension.

    Args:
        weight: its values before.
        dim: which.
        found: how the axis grows.
        gate: (n,) what multiplies the channels on their way to the axis: where they are averaged,
            it is done here instead.
        out: where to, in its own numbers; of the right shape.
    """
    weight = weight if found.volume == 1.0 else weight * found.volume
    grown = _taken(weight, dim, found.index, out)
    extra = (found.index < 0).nonzero().flatten().to(grown.device)
    if not len(extra):
        return grown
    if found.fill == "zero":
        return grown.index_fill_(dim, extra, 0.0)
    if gate is not None:
        weight = weight * gate.view([-1 if each == dim else 1 for each in range(weight.ndim)])
    mean = weight.mean(dim, keepdim=True).to(grown.dtype)
    shape = [len(extra) if each == dim else size for each, size in enumerate(grown.shape)]
    return grown.index_copy_(dim, extra, mean.expand(shape))


def _taken(weight: Tensor, dim: int, index: Tensor, out: Tensor | None = None) -> Tensor:
    """Repeat channels; whole runs of them at once, which is many times faster than one by one."""
    size, length = weight.shape[dim], len(index)
    if out is None:
        out = weight.new_empty(
            [length if each == dim else old for each, old in enumerate(weight.shape)]
        )
    done, run = 0, torch.arange(size)
    while done < length and torch.equal(index[done : done + size], run[: length - done]):
        part = min(size, length - done)
        out.narrow(dim, done, part).copy_(weight.narrow(dim, 0, part))
        done += part
    if done < length:
        rest = weight.index_select(dim, index[done:].clamp(min=0).to(weight.device))
        out.narrow(dim, done, length - done).copy_(rest)
    return out


def added(found: AxisMap) -> Tensor:
    """Places that hold no channel, or another copy of one: where noise may go."""
    return _apart(found)[1]


def read(weight: Tensor, dim: int, found: AxisMap, noise: Tensor | None = None) -> Tensor:
    """W R + Z (I - E F) along one dimension: F reads the first copy of every channel, F E = I.

    What is drawn for a copy is taken off the first one, so that the copies together read what they
    read before. Z needs columns for the other places alone.

    Args:
        weight: its values before.
        dim: which.
        found: how the axis grows; where it is filled with means, they are read before any norm.
        noise: Z, as long as :func:`added` along the dimension.
    """
    grown = _spread(weight, dim, found)
    if noise is None:
        return grown
    first, others = _apart(found)
    _add(grown, dim, others, noise)
    source = found.index[others]
    copies = (source >= 0).nonzero().flatten()
    extra = (source < 0).nonzero().flatten().to(noise.device)
    drawn = noise.index_select(dim, copies.to(noise.device)) if len(extra) else noise
    _add(grown, dim, first[source[copies]], -drawn)
    if found.fill == "mean" and len(extra):
        mean = noise.index_select(dim, extra).sum(dim, keepdim=True) / len(first)
        shape = [len(first) if each == dim else size for each, size in enumerate(grown.shape)]
        _add(grown, dim, first, -mean.expand(shape))
    return grown


def _apart(found: AxisMap) -> tuple[Tensor, Tensor]:
    """The place of the first copy of every channel, and all other places."""
    places = torch.arange(len(found.index))
    first = torch.full((_olds(found),), len(places))
    kept = found.index >= 0
    first.scatter_reduce_(0, found.index[kept], places[kept], "amin")
    others = torch.ones(len(places), dtype=torch.bool)
    others[first[first < len(places)]] = False  # a silent layer need not hold every channel
    return first, others.nonzero().flatten()


def _add(values: Tensor, dim: int, places: Tensor, more: Tensor) -> None:
    """Add at places, of which each may be there more than once; at once where they are a range."""
    start = int(places[0]) if len(places) else 0
    if torch.equal(places, torch.arange(start, start + len(places))):
        values.narrow(dim, start, len(places)).add_(more)
    else:
        values.index_add_(dim, places.to(values.device), more)


def _spread(weight: Tensor, dim: int, found: AxisMap) -> Tensor:
    """W R."""
    share = (found.share / found.volume).to(weight)
    if bool((share == share[0]).all()):
        return _taken(weight * share[0], dim, found.index)
    share = share.view([-1 if each == dim else 1 for each in range(weight.ndim)])
    return _taken(weight, dim, found.index).mul_(share)
