"""DEPARA: a layer's attribution graph beside that of a reference model, or beside the labels.

With a reference, s = s_node + lambda * s_edge: the mean cosine of the attribution maps of each
probe, and the rank correlation of the edges, cosines of the features of two probes. Without one,
the edges are compared with the graph of the labels, which needs no attribution.

Song et al., "DEPARA: Deep Attribution Graph for Deep Knowledge Transferability", CVPR 2020,
arXiv 2003.07496. The published loop adds the gradients of one layer to those of the next, and its
rank correlation gives ties an order; neither is done here.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.types.score import Score
from zoo_transferability.attribution_graph import (
    Edges,
    RankedEdges,
    edge_similarity,
    node_similarities,
)
from zoo_transferability.attribution_pairs import Attribution, Reduction, read_pairs
from zoo_transferability.label_graph import LabelGraph

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

_NOTHING_TO_COMPARE = (
    "needs a reference model (--reference) or labels: a graph is compared with another."
)


class DEPARA:
    """Similarity of attribution graphs.

    Args:
        edge_weight: lambda, what the edges count beside the nodes. The paper tuned 0.25, 0.03 and
            0.27 on its three sets of probes.
        centred: take the mean of all probes off the features before the cosines.
        probes: compare at most so many samples, evenly spaced over all; at least 3.
        reduction: of the channels of raw attribution maps in a file: mean of the absolute values,
            mean, or none.
        attribution: of raw gradients in a file.
    """

    def __init__(
        self,
        *,
        edge_weight: float = 0.25,
        centred: bool = False,
        probes: int = 500,
        reduction: Reduction = "absmean",
        attribution: Attribution = "gradient_x_input",
    ) -> None:
        if not np.isfinite(edge_weight) or edge_weight < 0:
            raise InputError(f"depara.edge_weight must be 0 or more, not {edge_weight}.")
        if probes < 3:
            raise InputError(f"depara.probes must be 3 or more, not {probes}.")
        _one_of("reduction", reduction, Reduction)
        _one_of("attribution", attribution, Attribution)
        self.edge_weight = edge_weight
        self.centred = centred
        self.probes = probes
        self.reduction = reduction
        self.attribution = attribution

    def score(self, features: Features) -> Score:
        """Score one layer, or the pairs of layers of a file that holds two models.

        Raises:
            NotApplicable: no reference and no labels, fewer than 3 probes, edges without an order.
            InputError: a file of two models whose arrays do not fit together.
        """
        if not features.values.shape[1]:
            return self._score_pairs(features)
        if features.reference is not None:
            return self._beside_reference(features)
        self._require_labels(features)
        graph = LabelGraph.of(features)
        other = graph.edges(features.labels, self._rows(features))
        value = edge_similarity(self._edges(features), other)
        what = "the label embeddings" if graph.embedded else "the labels"
        return Score(
            value,
            details={"edge": value, **self._counted(features)},
            note=f"edges against {what}",
            bounds=(-1.0, 1.0),
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets, numeric ones within 1e-3; without a label graph, all alike."""
        graph_of_labels = features.values.shape[1] and features.labels.size
        if features.reference is not None or not graph_of_labels:
            return np.full(len(labels), self.score(features).value)
        edges, rows, graph = self._edges(features), self._rows(features), LabelGraph.of(features)
        ranked = RankedEdges.of(edges, edges.alive)
        return np.array([ranked.beside(graph.places(each, rows, ranked.pairs)) for each in labels])

    def score_folds(self, features: Features, folds: Sequence[Mask]) -> npt.NDArray[Any]:
        """Score without each group of samples: the edges among the others, and their nodes."""
        if not features.values.shape[1]:
            return np.array([])
        rows, edges = self._rows(features), self._edges(features)
        if features.reference is None:
            other, nodes = LabelGraph.of(features).edges(features.labels, rows), None
        else:
            other, nodes = self._edges(features.reference), _nodes(features)
        found = []
        for group in folds:
            edge = edge_similarity(edges, other, ~group[rows])
            kept = np.array([]) if nodes is None else nodes[~group]
            found.append(self._join(_mean(kept), edge))
        return np.array(found)

    def _beside_reference(self, features: Features) -> Score:
        assert features.reference is not None
        edges, other = self._edges(features), self._edges(features.reference)
        edge = edge_similarity(edges, other)
        nodes = _nodes(features)
        node = _mean(np.array([]) if nodes is None else nodes)
        details = {"edge": edge, **self._counted(features)}
        dropped = int((~(edges.alive & other.alive)).sum())
        notes = [f"{dropped} probes without any activation left out"] if dropped else []
        if nodes is None or node is None:
            note = "; ".join(["edges only: no attribution maps on one grid", *notes])
            return Score(edge, details=details, note=note, bounds=(-1.0, 1.0))
        details |= {"node": node, "attributed": float(np.isfinite(nodes).sum())}
        largest = 1.0 + self.edge_weight
        return Score(
            self._join(node, edge),
            details=details,
            note="; ".join(notes),
            bounds=(-largest, largest),
        )

    def _score_pairs(self, features: Features) -> Score:
        """Compare every layer of one model with every layer of the other, as a file has them."""
        first, second = read_pairs(
            features.extras, reduction=self.reduction, attribution=self.attribution
        )
        graphs = {layer: self._edges(layer.features) for layer in (*first, *second)}
        details: dict[str, float] = {}
        value = np.nan
        for one, other in product(first, second):
            pair = f"{one.name}|{other.name}"
            try:
                edge = edge_similarity(graphs[one], graphs[other])
            except NotApplicable:
                if (one, other) == (first[-1], second[-1]):
                    raise
                continue
            node = None
            if one.maps is not None and other.maps is not None:
                node = _mean(node_similarities(one.maps, other.maps))
            value = self._join(node, edge)
            details |= {f"edge {pair}": edge, f"score {pair}": value}
            details |= {} if node is None else {f"node {pair}": node}
        note = f"{first[-1].name} beside {second[-1].name}; the details have every pair of layers"
        return Score(value, details=details, note=note)

    def _join(self, node: float | None, edge: float) -> float:
        return edge if node is None else node + self.edge_weight * edge

    def _edges(self, features: Features) -> Edges:
        key = f"attribution graph {self.probes} {self.centred}"
        return features.remember(
            key,
            lambda: Edges.between(
                np.asarray(features.values[self._rows(features)], dtype=np.float64),
                centred=self.centred,
            ),
        )

    def _rows(self, features: Features) -> npt.NDArray[np.int64]:
        """Spread the probes evenly: samples may come class by class."""
        samples = len(features.values)
        if samples <= self.probes:
            return np.arange(samples)
        return np.linspace(0, samples - 1, self.probes).round().astype(np.int64)

    def _counted(self, features: Features) -> dict[str, float]:
        return {"probes": float(min(self.probes, len(features.values)))}

    def _require_labels(self, features: Features) -> None:
        if not features.labels.size and "Z" not in features.extras:
            raise NotApplicable(_NOTHING_TO_COMPARE)


def _nodes(features: Features) -> Array | None:
    """Cosines of the maps of the probes that both models have them for; None without any."""
    assert features.reference is not None
    first = features.extras.get("attributions")
    second = features.reference.extras.get("attributions")
    if first is None or second is None or first.shape[1:] != second.shape[1:]:
        return None
    return node_similarities(first, second)


def _mean(nodes: Array) -> float | None:
    known = nodes[np.isfinite(nodes)]
    return float(known.mean()) if known.size else None


def _one_of(option: str, value: str, known: Any) -> None:
    if value not in get_args(known):
        listed = ", ".join(get_args(known))
        raise InputError(f"depara.{option} must be one of {listed}, not {value!r}.")
