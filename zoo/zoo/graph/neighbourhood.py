"""What stands around a node: what it is a kind of, its kinds, its parts, its other links."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.graph.terms import BROADER, GLOSSES, NAMES, PARTS, PREFIXES, RDF, expanded, prefixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zoo.graph.store import Graph

#: How far up a chain is followed.
_HIGHEST = 40
_LONGEST = 400
#: What links a statement about a link to its parts: such a statement may be no more than expected.
_STATEMENT = (f"{RDF}subject", f"{RDF}predicate", f"{RDF}object")


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node by its IRI, with the name to show; a literal has its text as name and no IRI."""

    name: str
    iri: str = ""
    gloss: str = ""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A node and those below it; ``more`` says how many of those are left out."""

    node: Node
    below: tuple[Branch, ...] = ()
    more: int = 0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """All links of one kind; ``inverse``: they lead to the node, not away from it."""

    predicate: str
    nodes: tuple[Node, ...]
    inverse: bool = False
    more: int = 0


class Neighbourhood(msgspec.Struct, frozen=True, kw_only=True):
    """One node and what is around it.

    Attributes:
        names: other names of it.
        broader: chains from the most general kind down to it, one for each way up.
        narrower: its kinds, to the depth that was asked for.
        more: how many kinds are left out.
        graphs: named graphs that say something of it.
    """

    node: Node
    names: tuple[str, ...] = ()
    broader: tuple[tuple[Node, ...], ...] = ()
    narrower: tuple[Branch, ...] = ()
    more: int = 0
    parts: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    graphs: tuple[str, ...] = ()
    schema_version: int = 1


def find_nodes(graph: Graph, term: str) -> list[Node]:
    """Find what a person means: an IRI, a prefixed name, or a name in any case; by IRI in order."""
    iri = expanded(term.strip().removeprefix("<").removesuffix(">"))
    if ":" in iri and _occurs(graph, iri):
        return [node_of(graph, iri)]
    found = _named(graph, term) or _named_in_any_case(graph, term)
    return [node_of(graph, each) for each in sorted(found)]


def neighbourhood(graph: Graph, iri: str, *, depth: int = 1, most: int = 12) -> Neighbourhood:
    """Collect what is around a node.

    Args:
        graph: an open one.
        iri: of the node.
        depth: how many levels of narrower kinds.
        most: of each list; the rest is counted.
    """
    narrower, more = _below(graph, iri, depth, most, {iri})
    names = {term.value for each in NAMES for term in _objects(graph, iri, each)}
    node = node_of(graph, iri)
    return Neighbourhood(
        node=node,
        names=tuple(sorted(visible(each) for each in names) if names else ())
        if names != {node.name}
        else (),
        broader=tuple(_chains(graph, iri, most)),
        narrower=narrower,
        more=more,
        parts=tuple(_nodes(graph, (each for one in PARTS for each in _objects(graph, iri, one)))),
        links=tuple(_links(graph, iri, most)),
        graphs=tuple(_graphs(graph, iri)),
    )


def node_of(graph: Graph, iri: str) -> Node:
    """Name a node and say what it means."""
    glosses = (term.value for each in GLOSSES for term in _objects(graph, iri, each))
    return Node(name=visible(graph.name_of(iri)), iri=iri, gloss=visible(next(glosses, "")))


def visible(text: str) -> str:
    """Make a stranger's text harmless on a terminal: no control characters, no endless line."""
    kept = "".join(" " if unicodedata.category(each) in _UNSEEN else each for each in text)
    plain = " ".join(kept.split())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 3]}..."


#: Control and format characters (these can turn the reading direction), surrogates, separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _occurs(graph: Graph, iri: str) -> bool:
    from pyoxigraph import NamedNode

    try:
        node = NamedNode(iri)
    except ValueError:
        return False
    patterns = ((node, None, None, None), (None, None, node, None))
    return any(next(graph.store.quads_for_pattern(*each), None) for each in patterns)


def _named(graph: Graph, term: str) -> set[str]:
    """Look up the usual spellings in the index; a scan of every name takes seconds."""
    from pyoxigraph import Literal, NamedNode

    plain = " ".join(term.replace("_", " ").split())
    spellings = {term, plain, plain.lower(), plain.capitalize(), plain.title(), plain.upper()}
    literals = [Literal(each) for each in spellings]
    literals += [Literal(each, language="en") for each in spellings]
    return {
        quad.subject.value
        for predicate in NAMES
        for literal in literals
        for quad in graph.store.quads_for_pattern(None, NamedNode(predicate), literal, None)
        if isinstance(quad.subject, NamedNode)
    }


def _named_in_any_case(graph: Graph, term: str) -> set[str]:
    from pyoxigraph import NamedNode

    wanted = " ".join(term.replace("_", " ").split()).casefold()
    return {
        quad.subject.value
        for predicate in NAMES
        for quad in graph.store.quads_for_pattern(None, NamedNode(predicate), None, None)
        if isinstance(quad.subject, NamedNode) and quad.object.value.casefold() == wanted
    }


def _objects(graph: Graph, iri: str, predicate: str) -> list[Any]:
    from pyoxigraph import NamedNode

    quads = graph.store.quads_for_pattern(NamedNode(iri), NamedNode(predicate), None, None)
    return list(dict.fromkeys(quad.object for quad in quads))


def _subjects(graph: Graph, iri: str, predicate: str) -> list[Any]:
    from pyoxigraph import NamedNode

    quads = graph.store.quads_for_pattern(None, NamedNode(predicate), NamedNode(iri), None)
    return list(dict.fromkeys(quad.subject for quad in quads))


def _nodes(graph: Graph, found: Iterable[Any]) -> list[Node]:
    """Name terms, in the order of their names."""
    from pyoxigraph import NamedNode

    nodes = [
        node_of(graph, term.value)
        if isinstance(term, NamedNode)
        else Node(name=visible(getattr(term, "value", str(term))))
        for term in dict.fromkeys(found)
    ]
    return sorted(nodes, key=lambda each: (each.name.casefold(), each.iri))


def _broader(graph: Graph, iri: str) -> list[Node]:
    found = (each for one in BROADER for each in _objects(graph, iri, one))
    return [node for node in _nodes(graph, found) if node.iri]


def _chains(graph: Graph, iri: str, most: int) -> list[tuple[Node, ...]]:
    """Follow every way up; what leads back to itself ends there."""
    open_: list[tuple[Node, ...]] = [(node,) for node in _broader(graph, iri)]
    done: list[tuple[Node, ...]] = []
    while open_ and len(done) < most:
        chain = open_.pop(0)
        seen = {iri, *(node.iri for node in chain)}
        above = [node for node in _broader(graph, chain[0].iri) if node.iri not in seen]
        if above and len(chain) < _HIGHEST:
            open_ = [(node, *chain) for node in above] + open_
        else:
            done.append(chain)
    return done


def _below(
    graph: Graph, iri: str, depth: int, most: int, seen: set[str]
) -> tuple[tuple[Branch, ...], int]:
    found = (each for one in BROADER for each in _subjects(graph, iri, one))
    nodes = [node for node in _nodes(graph, found) if node.iri and node.iri not in seen]
    if depth < 1:
        return (), len(nodes)
    branches = []
    for node in nodes[:most]:
        below, more = _below(graph, node.iri, depth - 1, most, seen | {node.iri})
        branches.append(Branch(node=node, below=below, more=more))
    return tuple(branches), max(0, len(nodes) - most)


def _links(graph: Graph, iri: str, most: int) -> list[Link]:
    """Give every other link, by its kind, away from the node first."""
    from pyoxigraph import NamedNode

    shown = {*BROADER, *PARTS, *NAMES, *GLOSSES}
    found: dict[tuple[bool, str], dict[Any, None]] = {}
    node = NamedNode(iri)
    for quad in graph.store.quads_for_pattern(node, None, None, None):
        if quad.predicate.value not in shown:
            found.setdefault((False, quad.predicate.value), {})[quad.object] = None
    for quad in graph.store.quads_for_pattern(None, None, node, None):
        if quad.predicate.value not in {*BROADER, *_STATEMENT}:
            found.setdefault((True, quad.predicate.value), {})[quad.subject] = None
    return [
        Link(
            predicate=visible(prefixed(predicate)),
            nodes=tuple(_nodes(graph, list(terms)[: 20 * most])[:most]),
            inverse=inverse,
            more=max(0, len(terms) - most),
        )
        for (inverse, predicate), terms in sorted(found.items(), key=lambda each: each[0])
    ]


def _graphs(graph: Graph, iri: str) -> Sequence[str]:
    from pyoxigraph import NamedNode

    start = PREFIXES["graph"]
    quads = graph.store.quads_for_pattern(NamedNode(iri), None, None, None)
    found = {getattr(quad.graph_name, "value", "").removeprefix(start) for quad in quads}
    return sorted(found & set(graph.infos))
