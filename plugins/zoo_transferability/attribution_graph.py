"""Attribution graphs: probes are nodes with attribution maps, pairs of probes are edges.

Two graphs over the same probes are compared node by node (cosine of the maps) and by the order of
their edges (Spearman's rank correlation, ties at their average rank).
Song et al., CVPR 2020, arXiv 2003.07496.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Index = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

#: Equal edges may differ by rounding, which ranks must not turn into an order.
_DECIMALS = 12


@dataclass(frozen=True, eq=False)
class Edges:
    """All pairs of P probes, in order of likeness.

    Attributes:
        places: (P, P) symmetric; equal numbers are equal edges, larger ones are more alike.
        alive: (P,) whether a probe has a direction at all; the edges of others mean nothing.
    """

    places: Index
    alive: Mask

    @classmethod
    def of(cls, likeness: Array, alive: Mask | None = None) -> Edges:
        """Order a symmetric matrix (P, P) of likeness."""
        above = np.triu_indices(len(likeness), 1)
        _, order = np.unique(np.round(likeness[above], _DECIMALS), return_inverse=True)
        places = np.zeros(likeness.shape, dtype=np.int64)
        places[above] = order
        everyone = np.ones(len(likeness), dtype=bool)
        return cls(places + places.T, everyone if alive is None else alive)

    @classmethod
    def between(cls, vectors: Array, *, centred: bool = False) -> Edges:
        """Cosines of (P, D) vectors; of their deviations from the mean where ``centred``."""
        return cls.of(*cosines(vectors - vectors.mean(axis=0) if centred else vectors))

    @classmethod
    def among(cls, table: Array, ids: Index) -> Edges:
        """Likeness of P ids that a symmetric (U, U) table gives, equal ids included."""
        _, order = np.unique(np.round(table, _DECIMALS), return_inverse=True)
        places = order.reshape(table.shape)[np.ix_(ids, ids)]
        return cls(places, np.ones(len(ids), dtype=bool))


def cosines(vectors: Array) -> tuple[Array, Mask]:
    """Cosine of all pairs, (P, P), and which vectors are not zero, (P,)."""
    units, alive = directions(vectors)
    return units @ units.T, alive


def directions(vectors: Array) -> tuple[Array, Mask]:
    """Vectors of length one, (P, D), and which were neither zero nor missing, (P,).

    A vector is zero when it is nothing but rounding beside the largest one.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    # fmax passes over NaN, which is how a sample without a map looks.
    alive: Mask = lengths > 1e-13 * np.fmax.reduce(lengths, initial=0.0)
    return vectors / np.where(alive, lengths, 1.0)[:, None], alive


@dataclass(frozen=True, eq=False)
class RankedEdges:
    """The edges of one graph over i < j, ranked once to be compared with many.

    Attributes:
        pairs: i and j, (n,) each.
        ranks: (n,), less their mean; equal edges share the average of their ranks.
    """

    pairs: tuple[Index, Index]
    ranks: Array

    @classmethod
    def of(cls, edges: Edges, kept: Mask) -> RankedEdges:
        """Rank the edges among the probes that are kept, (P,).

        Raises:
            NotApplicable: fewer than 3 are.
        """
        chosen = np.flatnonzero(kept)
        if len(chosen) < 3:
            raise NotApplicable(
                f"needs at least 3 probes that are not zero, and has {len(chosen)}."
            )
        first, second = np.triu_indices(len(chosen), 1)
        pairs = chosen[first], chosen[second]
        return cls(pairs, _midranks(edges.places[pairs]))

    def beside(self, places: Index) -> float:
        """Spearman correlation with another graph's edges: (n,), equal numbers are equal edges.

        Raises:
            NotApplicable: one graph's edges are all equal.
        """
        others = _midranks(places)
        lengths = float(self.ranks @ self.ranks) * float(others @ others)
        if not lengths:
            raise NotApplicable("every pair of probes is equally alike.")
        return float(self.ranks @ others) / float(np.sqrt(lengths))


def edge_similarity(first: Edges, second: Edges, kept: Mask | None = None) -> float:
    """Spearman correlation of two graphs' edges over i < j.

    Args:
        first: of P probes.
        second: of the same probes.
        kept: (P,) which probes count; only those that both graphs know do anyway.

    Raises:
        NotApplicable: fewer than 3 probes, or one graph's edges are all equal.
    """
    shared = first.alive & second.alive
    ranked = RankedEdges.of(first, shared if kept is None else shared & kept)
    return ranked.beside(second.places[ranked.pairs])


def _midranks(places: Index) -> Array:
    """Ranks less their mean; equal places share the average of their ranks."""
    counts = np.bincount(places)
    middles = np.cumsum(counts) - (counts - 1) / 2
    ranks: Array = middles[places]
    return ranks - (len(places) + 1) / 2


def node_similarities(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Array:
    """Cosine of two models' attribution maps (P, G), probe by probe; NaN where one is zero."""
    one, alive = directions(first)
    other, awake = directions(second)
    found: Array = np.where(alive & awake, np.einsum("pg,pg->p", one, other), np.nan)
    return found


def reduce_channels(maps: npt.NDArray[Any], reduction: str) -> Array:
    """Give maps (P, C, ...) as rows (P, G): mean of the channels, with or without their sign."""
    maps = np.asarray(maps, dtype=np.float64)
    if maps.ndim > 2 and reduction == "absmean":
        maps = np.abs(maps).mean(axis=1)
    elif maps.ndim > 2 and reduction == "mean":
        maps = maps.mean(axis=1)
    return maps.reshape(len(maps), -1)
