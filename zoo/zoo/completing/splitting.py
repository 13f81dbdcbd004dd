"""Parting links: some to learn from, some to stop by, some to judge by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.reporting import LinkTable

    Array = npt.NDArray[Any]


class Split(msgspec.Struct, frozen=True):
    """Three parts of one table's links, each (L, 3)."""

    training: Any
    validation: Any
    test: Any


def split_links(table: LinkTable, *, validation: int, test: int, seed: int = 0) -> Split:
    """Draw held-out links; no two nodes are linked both in training and in a held-out part.

    A pair that two relations join would otherwise give its answer away.

    Args:
        table: what is known.
        validation: how many links to stop by.
        test: how many to judge by.
        seed: of the draw.
    """
    pairs = np.sort(table.links[:, [0, 2]], axis=1)
    _, pair = np.unique(pairs, axis=0, return_inverse=True)
    pair = pair.ravel()
    order = np.random.default_rng(seed).permutation(pair.max() + 1 if len(pair) else 0)
    place = order[pair]
    rows = table.links[np.argsort(place, kind="stable")]
    places = np.sort(place, kind="stable")
    first = (
        int(np.searchsorted(places, places[test], side="left")) if test < len(rows) else len(rows)
    )
    last = first + validation
    last = (
        int(np.searchsorted(places, places[last], side="left")) if last < len(rows) else len(rows)
    )
    return Split(training=rows[last:], validation=rows[first:last], test=rows[:first])
