"""PARC: do samples whose labels are alike have features that are alike?

100 x Spearman correlation of feature and label distances over all pairs. Feature distances are
1 - Pearson of standardised rows. Label distances: same class or not; 1 - Pearson of the rows of
labels, targets and label embeddings. With two classes of pairs the correlation is the area under
the curve, on another scale:

    PARC = 100 (AUC - 1/2) sqrt(12 p (1 - p)) n / sqrt(n^2 - 1)

with n pairs, of which the share p has the same class. Bolya et al., "Scalable Diverse Model
Selection for Accessible Transfer Learning", NeurIPS 2021, arXiv 2111.06977; the published code
ranks the rounding noise of 1 - Pearson of one-hot rows.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.types.score import Score
from zoo_transferability.label_distances import LabelDistances, label_distances
from zoo_transferability.moments import class_ids
from zoo_transferability.pairs import (
    BLOCK,
    Binned,
    apart,
    cosine,
    distances,
    part_of,
    ranks,
    standardised,
    unit_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]
    Index = npt.NDArray[np.int64]


#: Samples whose pairs are all sorted at once.
MOST_SORTED = 2000


class PARC:
    """Correlation of feature and label distances, in percent.

    Args:
        samples: most samples whose pairs are compared; more are cut to a stratified part. None
            means 5000 for classes, 2000 for other labels, whose pairs all have to be kept.
        seed: of that part.
    """

    def __init__(self, *, samples: int | None = None, seed: int = 0) -> None:
        if samples is not None and samples < 3:
            raise InputError(f"parc.samples must be at least 3, not {samples}.")
        self.samples, self.seed = samples, seed

    def score(self, features: Features) -> Score:
        """Score one layer; samples whose features or labels are constant are dropped and counted.

        Raises:
            NotApplicable: too few samples, or texts without embeddings.
        """
        chosen, rows = self._rows(features)
        examined = self._part(features)
        if features.task == "classification":
            value, details, bounds = _of_classes(rows, features.labels[chosen])
            dropped = len(examined) - len(chosen)
        else:
            labels = label_distances(features, features.labels[chosen])
            kept = rows[labels.defined]
            if len(kept) < 3:
                raise NotApplicable("needs at least 3 samples whose labels are not constant.")
            first, second = np.triu_indices(len(kept), 1)
            own = labels.only(labels.defined)
            apart_by_label = own.ranks[own.ids[first], own.ids[second]]
            value = 100.0 * cosine(ranks(distances(kept)), apart_by_label)
            details, bounds = {}, (-100.0, 100.0)
            dropped = len(examined) - len(kept)
        return Score(value, details={**details, "dropped": float(dropped)}, bounds=bounds)

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on the ranks of the same pairs, which are close to 1e-6."""
        chosen, rows = self._rows(features)
        binned = Binned(rows)
        if features.task == "classification":
            return _shuffled_classes(binned, [each[chosen] for each in labels])
        known = label_distances(features, features.labels[chosen])
        measured = (label_distances(features, each[chosen], known) for each in labels)
        return np.array([_spearman(binned, each) for each in measured])

    def _part(self, features: Features) -> Index:
        most = self.samples or (5000 if features.task == "classification" else 2000)
        return part_of(features, most, self.seed)

    def _rows(self, features: Features) -> tuple[Index, Array]:
        """The samples that are compared, and their standardised rows of length 1."""

        def compute() -> tuple[Index, Array]:
            chosen = self._part(features)
            rows, directed = unit_rows(standardised(features.values[chosen]))
            return chosen[directed], rows[directed]

        chosen, rows = features.remember(f"parc rows {self.samples} {self.seed}", compute)
        if len(chosen) < 3:
            raise NotApplicable("needs at least 3 samples that vary over their features.")
        return chosen, rows


def _of_classes(
    rows: Array, labels: npt.NDArray[Any]
) -> tuple[float, dict[str, float], tuple[float, float]]:
    """Value, details and bounds for classes."""
    ids, classes = class_ids(labels)
    sizes = np.bincount(ids).astype(np.float64)
    pairs = len(ids) * (len(ids) - 1) / 2
    alike = float((sizes * (sizes - 1)).sum()) / 2
    if classes < 2 or alike in {0.0, pairs}:
        raise NotApplicable("needs pairs of the same class and pairs of different classes.")
    order = np.argsort(ids, kind="stable")
    measure = _sorted_area if len(ids) <= MOST_SORTED else _area
    auc, spread = measure(rows[order], ids[order])
    share = alike / pairs
    ceiling = 50.0 * float(np.sqrt(12 * share * (1 - share)))
    value = 2 * ceiling * (auc - 0.5) * pairs / np.sqrt(pairs**2 - 1) / spread
    return float(value), {"auc": auc, "ceiling": ceiling}, (-100.0, 100.0)


def _sorted_area(rows: Array, ids: Index) -> tuple[float, float]:
    """P(distance of different classes > distance of the same class), ties one half.

    Args:
        rows: (N, D) unit rows, in the order of the classes.
        ids: (N,) ascending.

    Returns:
        The area, and the spread of the ranks beside that of ranks without ties.
    """
    every = distances(rows)
    _, ends = np.unique(ids, return_index=True)
    ends = np.append(ends[1:], len(ids))
    # Of the pairs i < j in order, those of one class come first for each i.
    own = ends[ids] - np.arange(len(ids)) - 1
    others = len(ids) - ends[ids]
    same = np.repeat(np.tile([True, False], len(ids)), np.stack([own, others], axis=1).ravel())
    alike = np.sort(every[same])
    every.sort()
    places = np.searchsorted(every, alike, "left") + np.searchsorted(every, alike, "right")
    pairs, count = float(len(every)), float(len(alike))
    ranks = float(places.sum(dtype=np.float64)) / 2 - count * pairs / 2
    starts = np.flatnonzero(np.concatenate([[True], every[1:] != every[:-1], [True]]))
    ties = np.diff(starts).astype(np.float64)
    spread = 1.0 - float((ties**3 - ties).sum()) / (pairs**3 - pairs)
    # Where all distances are equal, the area is one half whatever divides it.
    return 0.5 - ranks / count / (pairs - count), float(np.sqrt(spread)) or 1.0


def _area(rows: Array, ids: Index) -> tuple[float, float]:
    """Give the same in the memory of the pairs of one class; ties do not count in the spread."""
    edges = np.concatenate([[True], ids[1:] != ids[:-1], [True]])
    starts = np.flatnonzero(edges).tolist()
    spans = list(pairwise(starts))
    same = np.sort(np.concatenate([distances(rows[start:end]) for start, end in spans]))
    beaten, others = 0.0, 0
    for start, end in spans[:-1]:
        step = max(1, BLOCK // (len(rows) - end))
        for first in range(start, end, step):
            between = np.sort(apart(rows[first : min(first + step, end)], rows[end:]), axis=None)
            others += len(between)
            below = np.searchsorted(between, same, "left").sum(dtype=np.float64)
            upto = np.searchsorted(between, same, "right").sum(dtype=np.float64)
            beaten += (below + upto) / 2
    return float(1.0 - beaten / (float(len(same)) * others)), 1.0


def _shuffled_classes(binned: Binned, labels: Sequence[npt.NDArray[Any]]) -> Array:
    """Spearman for label sets: of the label ranks there are two, so same-class sums suffice."""
    samples = len(labels[0])
    table = np.zeros((samples, samples), dtype=np.float32)
    table[binned.pairs] = binned.ranks
    length, pairs = float(np.linalg.norm(binned.ranks)), len(binned.ranks)
    result = []
    for each in labels:
        ids, classes = class_ids(each)
        members = np.split(np.argsort(ids, kind="stable"), np.cumsum(np.bincount(ids))[:-1])
        same = sum(
            float(table[np.ix_(own, own)].sum(dtype=np.float64)) for own in map(np.sort, members)
        )
        alike = sum(len(own) * (len(own) - 1) / 2 for own in members)
        if classes < 2 or alike in {0, pairs} or not length:
            result.append(0.0)
            continue
        # Mean ranks of both kinds differ by pairs / 2.
        spread = pairs / 2 * np.sqrt(alike * (pairs - alike) / pairs)
        result.append(-100.0 * pairs / 2 * same / (length * spread))
    return np.array(result)


def _spearman(binned: Binned, labels: LabelDistances) -> float:
    """Correlate the ranks of feature and label distances over the pairs that have both."""
    first, second = binned.pairs
    by_label = labels.ranks[labels.ids[first], labels.ids[second]]
    if labels.defined.all():
        return 100.0 * cosine(binned.ranks, by_label)
    kept = labels.defined[first] & labels.defined[second]
    return 100.0 * cosine(binned.ranks_of(kept), np.where(kept, by_label, 0.0))
