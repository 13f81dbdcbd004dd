"""Writing into named graphs of the store: all of a change or none of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zoo.graph.store import GraphInfo
from zoo.graph.terms import PREFIXES, iri_of_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.graph import Graph


def update_graphs(graph: Graph, lines: Mapping[str, Sequence[str]], *, before: str = "") -> None:
    """Add triples to named graphs in one transaction, and note what they hold now.

    Args:
        graph: an open graph.
        lines: name of a graph -> triples in Turtle; the known prefixes may be used.
        before: an update that makes room for them, in the same transaction.
    """
    parts = [f"GRAPH <{iri_of_graph(name)}> {{ {' '.join(each)} }}" for name, each in lines.items()]
    added = f"INSERT DATA {{ {' '.join(parts)} }}"
    graph.store.update(f"{before} ; {added}" if before else added, prefixes=PREFIXES)
    for name in lines:
        graph.infos[name] = _info(graph, name)
    if graph.folder is not None:
        graph.store.flush()
        graph.keep()


def _info(graph: Graph, name: str) -> GraphInfo:
    from pyoxigraph import NamedNode

    count = sum(
        1 for _ in graph.store.quads_for_pattern(None, None, None, NamedNode(iri_of_graph(name)))
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return GraphInfo(name=name, triples=count, loaded=now)
