"""Many similarities at once, and the nodes that chance would have drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from zoo_explanation.lexicon.nodes import Lexicon

_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The best source of each target.

    Attributes:
        values: (T,) float64: Lin's similarity with it; 0 where nothing is shared.
        sources: (T,) int64: its place among the sources, the first of equals; -1 where nothing
            is shared.
    """

    values: npt.NDArray[Any]
    sources: npt.NDArray[Any]


def best_lin(lexicon: Lexicon, targets: Sequence[int], sources: Sequence[int]) -> Nearest:
    """Find the most similar source of every target by :meth:`Lexicon.lin`."""
    wanted, given = np.asarray(targets, np.int64), np.asarray(sources, np.int64)
    values, best = np.zeros(len(wanted)), np.full(len(wanted), -1, np.int64)
    if not len(given):
        return Nearest(values, best)
    above = _by_ancestor(lexicon, given)
    for start in range(0, len(wanted), _ROWS):
        rows = slice(start, start + _ROWS)
        lin = _lin(lexicon, wanted[rows], given, above)
        best[rows] = lin.argmax(axis=1)
        values[rows] = lin.max(axis=1)
    best[values <= 0] = -1
    return Nearest(values, best)


def random_leaves(
    lexicon: Lexicon, fields: Sequence[str], draws: int, seed: int
) -> npt.NDArray[np.int64]:
    """Draw nodes without narrower ones, each of the same field as a class of the person's.

    Args:
        lexicon: where from.
        fields: F, one a class; a field without leaves, such as the empty one, stands for all.
        draws: how often.
        seed: same seed, same nodes.

    Returns:
        (draws, F).
    """
    generator = np.random.default_rng(seed)
    leaves = np.flatnonzero(lexicon.below.lengths() == 0)
    if not len(leaves):
        return np.zeros((draws, 0), np.int64)
    numbers = {lexicon.fields[number]: number for number in range(len(lexicon.fields))}
    drawn = np.empty((draws, len(fields)), np.int64)
    for name in sorted(set(fields)):
        pool = leaves[lexicon.field_of[leaves] == numbers.get(name, -1)] if name else leaves
        places = [place for place, each in enumerate(fields) if each == name]
        drawn[:, places] = generator.choice(pool if len(pool) else leaves, (draws, len(places)))
    return drawn


def _by_ancestor(lexicon: Lexicon, nodes: Iterable[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    known: dict[int, list[int]] = {}
    for place, node in enumerate(map(int, nodes)):
        if node not in known:
            known[node] = list(lexicon.ancestors(node))
        for ancestor in known[node]:
            found.setdefault(ancestor, []).append(place)
    return found


def _lin(
    lexicon: Lexicon,
    targets: npt.NDArray[Any],
    sources: npt.NDArray[Any],
    above_sources: dict[int, list[int]],
) -> npt.NDArray[Any]:
    """Give (T, S) similarities: the more specific of two common ancestors overwrites the other."""
    shared = np.zeros((len(targets), len(sources)))
    above_targets = _by_ancestor(lexicon, targets)
    both = above_targets.keys() & above_sources.keys()
    for ancestor in sorted(both, key=lambda each: (lexicon.ic(each), each)):
        shared[np.ix_(above_targets[ancestor], above_sources[ancestor])] = lexicon.ic(ancestor)
    own = lexicon.information
    total = own[targets][:, None] + own[sources][None, :]
    lin = np.divide(2 * shared, total, out=np.zeros_like(shared), where=total > 0)
    lin[targets[:, None] == sources[None, :]] = 1.0
    clipped: npt.NDArray[Any] = lin.clip(0.0, 1.0)
    return clipped
