"""Distances between labels, over the pairs of distinct ones: there are far fewer than samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.labels import as_matrix
from zoo_transferability.pairs import unit_rows, weighted_ranks

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]

#: Decimals that tell two distances apart; what is beyond is rounding, and must not be ranked.
DECIMALS = 10


@dataclass(frozen=True, eq=False)
class LabelDistances:
    """Of N samples with U distinct labels.

    Attributes:
        ids: distinct label of each sample, (N,).
        table: distance of every two distinct labels, (U, U).
        directed: which labels have a distance to others at all, (U,).
        defined: the same by sample, (N,).
        distinct: the labels themselves, (U, T) or (U,).
    """

    ids: npt.NDArray[np.int64]
    table: Array
    directed: npt.NDArray[np.bool_]
    defined: npt.NDArray[np.bool_]
    distinct: Array

    @cached_property
    def counts(self) -> Array:
        """How many samples that count have each label, (U,)."""
        counts = np.bincount(self.ids[self.defined], minlength=len(self.table))
        return counts.astype(np.float64)

    @cached_property
    def ranks(self) -> Array:
        """Average ranks of the distances over all pairs that count, less their mean, (U, U)."""
        first, second = np.triu_indices(len(self.table))
        weights = self.counts[first] * self.counts[second]
        own = first == second
        weights[own] = self.counts * (self.counts - 1) / 2
        _, group = np.unique(self.table[first, second], return_inverse=True)
        ranks = np.zeros_like(self.table)
        ranks[first, second] = ranks[second, first] = weighted_ranks(group, weights)
        return ranks

    def has(self, distinct: Array, counts: npt.NDArray[np.int64]) -> bool:
        """Tell whether others are the same labels in another order."""
        own = np.bincount(self.ids)
        return np.array_equal(distinct, self.distinct) and np.array_equal(counts, own)

    def shuffled(self, ids: npt.NDArray[np.int64]) -> LabelDistances:
        """Give the samples the same labels in another order; the ranks stay."""
        moved = replace(self, ids=ids.ravel(), defined=self.directed[ids.ravel()])
        moved.__dict__["ranks"] = self.ranks
        return moved

    def only(self, kept: npt.NDArray[np.bool_]) -> LabelDistances:
        """Keep some samples."""
        return replace(self, ids=self.ids[kept], defined=self.defined[kept])


def label_distances(
    features: Features, labels: npt.NDArray[Any], known: LabelDistances | None = None
) -> LabelDistances:
    """Measure the labels of one task.

    Classes: 0 or 1. Texts: 1 - Pearson of their embeddings, averaged over the encoders. Labels
    and targets: 1 - Pearson of the rows, targets standardised first; with fewer than three
    columns, where a correlation says little, the Euclidean distance.

    Args:
        features: for the task and the embeddings.
        labels: (N,) or (N, T).
        known: of the same labels in another order; its ranks are used again where they hold.

    Raises:
        NotApplicable: texts without embeddings.
    """
    if features.task == "classification":
        classes, ids = np.unique(labels, return_inverse=True)
        return _made(ids, 1.0 - np.eye(len(classes)))
    if features.task == "text":
        distinct: Array = np.unique(labels).astype(np.float64)
        ids = labels
    else:
        distinct, ids = np.unique(as_matrix(labels), axis=0, return_inverse=True)
    counts = np.bincount(ids.ravel())
    if known is not None and known.has(distinct, counts):
        return known.shuffled(ids)
    if features.task == "text":
        table = features.remember("text distances", lambda: _of_texts(features))
    else:
        table = _of_rows(distinct, counts, scaled=features.task == "regression")
    return _made(ids, *table, distinct=distinct)


def _of_texts(features: Features) -> tuple[Array, npt.NDArray[np.bool_]]:
    embeddings = features.extras.get("class_embeddings")
    if embeddings is None:
        raise NotApplicable("needs label embeddings: --label-encoder NAME.")
    tables = [_correlation(embeddings[:, :, k].astype(float)) for k in range(embeddings.shape[2])]
    known: npt.NDArray[np.bool_] = np.all([directed for _, directed in tables], axis=0)
    return np.mean([table for table, _ in tables], axis=0), known


def _of_rows(
    distinct: Array, counts: npt.NDArray[np.int64], *, scaled: bool
) -> tuple[Array, npt.NDArray[np.bool_]]:
    few = distinct.shape[1] < 3
    if scaled or few:
        distinct = distinct - np.average(distinct, axis=0, weights=counts)
        spread = np.sqrt(np.average(np.square(distinct), axis=0, weights=counts))
        distinct = distinct / np.where(spread > 0, spread, 1.0)
    if not few:
        return _correlation(distinct)
    gaps = np.square(distinct[:, None] - distinct[None]).sum(axis=2)
    return np.sqrt(gaps), np.ones(len(distinct), dtype=bool)


def _correlation(distinct: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    rows, directed = unit_rows(distinct)
    return 1.0 - rows @ rows.T, directed


def _made(
    ids: npt.NDArray[Any],
    table: Array,
    directed: npt.NDArray[np.bool_] | None = None,
    distinct: Array | None = None,
) -> LabelDistances:
    """Round the table, and tell the samples whose label has a distance."""
    ids = ids.ravel().astype(np.int64)
    directed = np.ones(len(table), dtype=bool) if directed is None else directed
    rounded = np.round(table, DECIMALS)
    np.fill_diagonal(rounded, 0.0)
    return LabelDistances(
        ids, rounded, directed, directed[ids], np.empty(0) if distinct is None else distinct
    )
