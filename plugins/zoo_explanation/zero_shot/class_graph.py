"""The classes that matter and everything above them, as a graph that is learnt on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from zoo_explanation.lexicon import Lexicon


@dataclass(frozen=True, eq=False)
class ClassGraph:
    """Some nodes of a lexicon.

    Attributes:
        nodes: N nodes of the lexicon, ascending.
        edges: (2, E) int64, places of the ends: every link to a broader node in both directions.
    """

    nodes: tuple[int, ...]
    edges: npt.NDArray[Any]

    def places(self, nodes: Sequence[int]) -> npt.NDArray[Any]:
        """Find some nodes: (len(nodes),) int64."""
        return np.searchsorted(np.array(self.nodes, np.int64), np.array(nodes, np.int64))


def class_graph(lexicon: Lexicon, classes: Iterable[int]) -> ClassGraph:
    """Collect classes, everything above them, and the links between a kind and the next."""
    nodes = sorted({above for each in classes for above in lexicon.ancestors(each)})
    place = {node: number for number, node in enumerate(nodes)}
    links = [(place[node], place[above]) for node in nodes for above in lexicon.parents(node)]
    up = np.array(links, np.int64).reshape(-1, 2).T
    return ClassGraph(tuple(nodes), np.concatenate([up, up[::-1]], axis=1))
