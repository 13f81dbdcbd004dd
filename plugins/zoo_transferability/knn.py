"""k nearest neighbours, every sample predicted by the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.errors import InputError
from zoo.labels import as_matrix, embedding_table, varies
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]
    Index = npt.NDArray[np.int64]

#: Distances are computed for this many pairs at a time.
BLOCK = 1 << 22


class KNN:
    """Leave-one-out accuracy in percent for classes; mean R2 for labels, targets and embeddings.

    One neighbour for classes is the cross-validated 1-NN of Bolya et al., NeurIPS 2021 (PARC): it
    needs no rule for ties, and it is the variant with a published record as a ranking score. The
    mean of one neighbour is too noisy for numbers, which get five.

    Args:
        k: neighbours; None means 1 for classes, 5 for everything else.
        metric: how distance is measured.
        ties: the class of the ``nearest`` of the tied neighbours wins; or as in PARC's code, the
            ``lowest`` class id, and the share of right votes where all neighbours differ.
    """

    def __init__(
        self,
        *,
        k: int | None = None,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        ties: Literal["nearest", "lowest"] = "nearest",
    ) -> None:
        if k is not None and k < 1:
            raise InputError(f"knn.k must be at least 1, not {k}.")
        if metric not in {"euclidean", "cosine"}:
            raise InputError(f"knn.metric must be euclidean or cosine, not {metric!r}.")
        if ties not in {"nearest", "lowest"}:
            raise InputError(f"knn.ties must be nearest or lowest, not {ties!r}.")
        self.k = k
        self.metric = metric
        self.ties = ties

    def score(self, features: Features) -> Score:
        """Score one layer. The only sample of a class counts as wrong, as in the published code."""
        neighbours = self._nearest(features)
        value = self._judge(features, features.labels, neighbours)
        bounds = (0.0, 100.0) if features.task == "classification" else None
        return Score(value, details={"k": float(neighbours.shape[1])}, bounds=bounds)

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on the same neighbours."""
        neighbours = self._nearest(features)
        return np.array([self._judge(features, each, neighbours) for each in labels])

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples; equal to scoring the others from scratch."""
        k = self._count(features)
        near = self._candidates(features)
        result = np.empty(len(folds))
        for index, group in enumerate(folds):
            gone = group[near[~group]]
            fewest = min(k, int((~group).sum()) - 1)
            if (~gone).sum(axis=1).min() < fewest:
                near = self._neighbours(features, spare=len(group))
                gone = group[near[~group]]
            nearest = np.argsort(gone, axis=1, kind="stable")[:, :fewest]
            chosen = np.take_along_axis(near[~group], nearest, axis=1)
            result[index] = self._judge(features, features.labels, chosen, ~group)
        return result

    def _count(self, features: Features) -> int:
        k = self.k or (1 if features.task == "classification" else 5)
        return min(k, len(features.values) - 1)

    def _nearest(self, features: Features) -> Index:
        return self._candidates(features)[:, : self._count(features)]

    def _candidates(self, features: Features) -> Index:
        """Give enough neighbours that a fold can be left out."""
        spare = 3 * self._count(features) + 16
        key = f"knn neighbours {self.metric} {self.k} {features.task}"
        return features.remember(key, lambda: self._neighbours(features, spare))

    def _neighbours(self, features: Features, spare: int) -> Index:
        """Find the nearest samples of every sample, nearest first: (N, k + spare)."""
        values = features.values.astype(np.float64)
        if self.metric == "cosine":
            values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-300)
        else:
            values -= features.factorisation.mean  # keeps the cancellation below small
        samples = len(values)
        count = min(self._count(features) + spare, samples - 1)
        norms = np.einsum("nd,nd->n", values, values)
        result = np.empty((samples, count), dtype=np.int64)
        for start in range(0, samples, max(1, BLOCK // samples)):
            rows = slice(start, min(start + max(1, BLOCK // samples), samples))
            distances = norms - 2 * values[rows] @ values.T
            distances[np.arange(rows.stop - start), np.arange(start, rows.stop)] = np.inf
            near = np.argpartition(distances, count - 1, axis=1)[:, :count]
            order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
            result[rows] = np.take_along_axis(near, order, axis=1)
        return result

    def _judge(
        self,
        features: Features,
        labels: npt.NDArray[Any],
        neighbours: Index,
        rows: npt.NDArray[np.bool_] | slice = slice(None),
    ) -> float:
        if features.task == "classification":
            return 100.0 * float(self._right(labels[rows], labels[neighbours]).mean())
        table = embedding_table(features)
        columns = as_matrix(labels) if table is None else table[labels]
        own = columns[rows]
        varying = varies(own)
        total = np.square(own - own.mean(axis=0)).sum(axis=0)[varying]
        guess = sum(columns[each] for each in neighbours.T) / neighbours.shape[1]
        errors = np.square(own - guess).sum(axis=0)[varying]
        return float((1.0 - errors / total).mean())

    def _right(self, own: npt.NDArray[Any], votes: npt.NDArray[Any]) -> Array:
        """Credit of every prediction, (N,): votes (N, k) are class ids, nearest first."""
        support = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
        top = support == support.max(axis=1, keepdims=True)
        if self.ties == "nearest":
            winner = np.take_along_axis(votes, top.argmax(axis=1)[:, None], axis=1)[:, 0]
            right: Array = np.equal(winner, own).astype(np.float64)
            return right
        winner = np.where(top, votes, np.iinfo(votes.dtype).max).min(axis=1)
        shares = np.equal(votes, own[:, None]).mean(axis=1)
        credit: Array = np.where(support.max(axis=1) == 1, shares, np.equal(winner, own))
        return credit
