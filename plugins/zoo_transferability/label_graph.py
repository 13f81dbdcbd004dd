"""The label graph: how alike the labels of two samples are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.checks import CLASS_TASKS
from zoo.labels import as_matrix
from zoo_transferability.attribution_graph import Edges, directions

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features
    from zoo.types.probe import Task

    Array = npt.NDArray[np.float64]
    Index = npt.NDArray[np.int64]

#: Shuffled numeric labels are ranked so finely: within 1e-3 of the exact correlation.
_BINS = 4096


@dataclass(frozen=True, eq=False)
class LabelGraph:
    """What makes two labels alike.

    Label embeddings, where there are any, are compared by cosine, averaged over the encoders;
    else classes are the same or not, sets of labels are compared by cosine, and targets by their
    distance in standard deviations.

    Attributes:
        task: what the labels are.
        table: (C, C) likeness of classes or distinct texts; None where ids say nothing more.
        samples: (N, E, K) embeddings of every sample's own label; None where labels are ids.
    """

    task: Task
    table: Array | None = None
    samples: npt.NDArray[Any] | None = None

    @classmethod
    def of(cls, features: Features) -> LabelGraph:
        """Read the labels of features, and the embeddings in their extras."""
        by_sample = features.extras.get("Z")
        if not (features.labels.size and features.task in CLASS_TASKS):
            return cls(features.task, samples=by_sample)
        embeddings = features.extras.get("class_embeddings")
        if embeddings is None and by_sample is not None:
            _, firsts = np.unique(features.labels, return_index=True)
            embeddings = by_sample[firsts]
        return cls(features.task, None if embeddings is None else _mean_cosine(embeddings))

    @property
    def embedded(self) -> bool:
        """Whether it compares embeddings of the labels."""
        return self.table is not None or self.samples is not None

    def edges(self, labels: npt.NDArray[Any], probes: Index) -> Edges:
        """Order the pairs of P samples by how alike their labels are.

        Args:
            labels: (N,) or (N, T); nothing in them is read where each sample has an embedding.
            probes: (P,) rows.
        """
        if self.samples is not None:
            return Edges.of(_mean_cosine(self.samples[probes]))
        if self.task in CLASS_TASKS:
            ids = np.unique(labels, return_inverse=True)[1]
            table = np.eye(int(ids.max()) + 1) if self.table is None else self.table
            return Edges.among(table, ids[probes])
        everyone = np.indices((len(probes), len(probes))).reshape(2, -1)
        likeness = self._likeness(labels, probes, (everyone[0], everyone[1]))
        return Edges.of(likeness.reshape(len(probes), len(probes)))

    def places(self, labels: npt.NDArray[Any], probes: Index, pairs: tuple[Index, Index]) -> Index:
        """Order some pairs of probes, (n,); numeric labels within a part in 4096 of their range."""
        if self.samples is not None or self.task in CLASS_TASKS:
            return self.edges(labels, probes).places[pairs]
        likeness = self._likeness(labels, probes, pairs)
        low, high = float(likeness.min()), float(likeness.max())
        return ((likeness - low) * (_BINS / ((high - low) or 1.0))).astype(np.int64)

    def _likeness(
        self, labels: npt.NDArray[Any], probes: Index, pairs: tuple[Index, Index]
    ) -> Array:
        """How alike numeric labels are: cosine of sets, minus the squared distance of targets."""
        columns = as_matrix(labels)
        first, second = pairs
        if self.task == "multi-label":
            units, some = directions(columns[probes])
            # Two empty sets are the same.
            both = ~some[first] & ~some[second]
            alike: Array = np.einsum("nt,nt->n", units[first], units[second]) + both
            return alike
        targets = columns[probes] / columns.std(axis=0)
        near: Array = -np.square(targets[first] - targets[second]).sum(axis=1)
        return near


def _mean_cosine(embeddings: npt.NDArray[Any]) -> Array:
    """Cosines of (U, E) or (U, E, K) embeddings, averaged over the K encoders: (U, U)."""
    stacked = embeddings.reshape(*embeddings.shape[:2], -1)
    units = [directions(stacked[:, :, each])[0] for each in range(stacked.shape[2])]
    mean: Array = np.mean([unit @ unit.T for unit in units], axis=0)
    return mean
