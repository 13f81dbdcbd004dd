"""Facts of the graph as evidence: the way between two classes, and where facts were read."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from zoo.completing.predictions import PREDICTED
from zoo.graph.terms import BROADER, GLOSSES, GRAPH, NAMES, is_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.graph import Graph
    from zoo.types.explaining import Evidence, Triple
    from zoo.types.reporting import Case
    from zoo_explanation.lexicon import Lexicon, Path

_UP, _DOWN = " \u2192 ", " \u2190 "
_IS_A = "is a kind of"
_KIND = "|".join(f"<{each}>" for each in BROADER)


def way(
    case: Case, lexicon: Lexicon, path: Path, start: str = "", end: str = "", **found: Any
) -> Evidence | None:
    """Record the way from one node to another over what both are.

    Args:
        case: where to record it.
        lexicon: of the path.
        path: the way.
        start: a class that is only known to be of the first kind.
        end: a class that is only known to be of the last kind.
        **found: what else to hold: other names of the ends.
    """
    first, last = path.nodes[0], path.nodes[-1]
    steps = [
        *pairwise((*path.up, path.top)),
        *((b, a) for a, b in pairwise((path.top, *path.down))),
    ]
    triples = [
        triple
        for low, high in steps
        for triple in links(case.graph, lexicon.iri(low), lexicon.iri(high))
    ]
    iris = [lexicon.iri(node) for node in path.nodes]
    names = [triple for iri in iris for triple in _first(case.graph, iri, NAMES)]
    a, b = iris[0], iris[-1]
    return case.ledger.observe(
        "fact",
        lexicon.name(first),
        "hypernym path",
        source=source_of(case.graph, a),
        triples=(*triples, *names),
        check=f"SELECT ?kind WHERE {{ <{a}> ({_KIND})* ?kind . <{b}> ({_KIND})* ?kind }}",
        to=lexicon.name(last),
        path=in_words(lexicon, path, start, end),
        nodes=nodes_of(lexicon, path, start, end),
        top=lexicon.name(path.top),
        information=lexicon.ic(path.top),
        lin=lexicon.lin(first, last),
        **found,
    )


def in_words(lexicon: Lexicon, path: Path, start: str = "", end: str = "") -> str:
    """Write ``tabby → domestic cat → cat → feline ← big cat ← tiger``."""
    nodes = nodes_of(lexicon, path, start, end)
    top = bool(start) + len(path.up)
    return _DOWN.join((_UP.join(nodes[: top + 1]), *nodes[top + 1 :]))


def nodes_of(lexicon: Lexicon, path: Path, start: str = "", end: str = "") -> list[str]:
    """Name everything on the way."""
    return [*filter(None, (start, *map(lexicon.name, path.nodes), end))]


def drawn(
    lexicon: Lexicon, path: Path, caption: str, start: str = "", end: str = ""
) -> dict[str, Any]:
    """Give a way as figures of paths have it; every node is a kind of the one above it."""
    nodes = nodes_of(lexicon, path, start, end)
    top = bool(start) + len(path.up)
    return {"caption": caption, "nodes": nodes, "links": [_IS_A] * (len(nodes) - 1), "top": top}


def fact_graphs(graph: Graph | None) -> list[str]:
    """Name the graphs of facts; what a person accepted is one, on their word."""
    names = sorted(graph.infos) if graph is not None else []
    return [name for name in names if not is_run(name) and name != PREDICTED]


def graphs_of(graph: Graph | None, iri: str) -> list[str]:
    """Name the graphs that say something of a node."""
    if graph is None:
        return []
    from pyoxigraph import NamedNode

    quads = graph.store.quads_for_pattern(NamedNode(iri), None, None, None)
    names = {str(getattr(each.graph_name, "value", "")).removeprefix(GRAPH) for each in quads}
    return sorted(names & {*fact_graphs(graph)}) or sorted(names)


def source_of(graph: Graph | None, iri: str = "") -> str:
    """Say where facts were read: of one node, or of any; runs come and go without a change."""
    names = graphs_of(graph, iri) if iri else fact_graphs(graph)
    return f"graph {', '.join(names)}" if names else "graph"


def about(graph: Graph | None, iri: str) -> list[Triple]:
    """Give the triples of a node's name and gloss."""
    return [*_first(graph, iri, NAMES), *_first(graph, iri, GLOSSES)]


def _first(graph: Graph | None, iri: str, predicates: Sequence[str]) -> list[Triple]:
    """Give the triples of the first predicate that there are any of, the first in order."""
    for predicate in predicates if graph is not None else ():
        assert graph is not None
        found = sorted(graph.triples(iri, predicate))
        if found:
            return found[:1]
    return []


def links(graph: Graph | None, low: str, high: str) -> Iterator[Triple]:
    """Give the triples by which one node is a kind of another."""
    for predicate in BROADER if graph is not None else ():
        assert graph is not None
        yield from graph.triples(low, predicate, high)
