"""The links of a graph by number: which relations, around which nodes, how many."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.errors import InputError, unknown_name
from zoo.graph.terms import BROADER, GLOSSES, NAMES, PARTS, PREFIXES
from zoo.types.reporting import LinkTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from zoo.graph import Graph

    Array = npt.NDArray[Any]

#: As many nodes as one core learns in minutes.
LIMIT = 3000


class Missing(msgspec.Struct, frozen=True):
    """Something that the graph has no node for."""

    label: str
    gloss: str = ""

    @property
    def text(self) -> str:
        """What encoders read."""
        return f"{self.label}: {self.gloss}" if self.gloss else self.label


def table_of(
    graph: Graph,
    *,
    relations: Sequence[str] = (),
    around: Sequence[str] = (),
    missing: Sequence[tuple[str, str]] = (),
    limit: int = LIMIT,
) -> LinkTable:
    """Number the links around some nodes.

    Args:
        graph: an open graph.
        relations: IRIs; those to the broader and to parts where none is given.
        around: nodes to start from; all of the graph where none is given.
        missing: (IRI, text) of nodes without a link, which come last.
        limit: most nodes; the nearest by links are taken.

    Raises:
        InputError: no such links, or more nodes than ``limit`` and nothing to start from.
    """
    links = links_of(graph, relations)
    if not links:
        raise InputError("the graph has no links of that kind to learn from.", "zoo graph list")
    nodes = (
        _around(links, around, limit)
        if around
        else sorted({i for s, _, o in links for i in (s, o)})
    )
    if len(nodes) > limit:
        raise InputError(
            f"the graph links {len(nodes):,} nodes; one core learns {limit:,} in minutes.",
            f"--around NAME takes the neighbourhood of a term; --limit {len(nodes)} takes all.",
        )
    return _numbered(graph, nodes, links, missing)


def links_of(graph: Graph, relations: Sequence[str] = ()) -> list[tuple[str, str, str]]:
    """Read the links between nodes, each once, in the order of their IRIs."""
    from pyoxigraph import NamedNode

    found = set()
    for relation in relations or (*BROADER, *PARTS):
        for quad in graph.store.quads_for_pattern(None, NamedNode(relation), None):
            if isinstance(quad.object, NamedNode) and isinstance(quad.subject, NamedNode):
                found.add((quad.subject.value, relation, quad.object.value))
    return sorted(link for link in found if link[0] != link[2])


def relations_named(graph: Graph, names: Sequence[str]) -> list[str]:
    """Find relations by IRI, by prefixed name, or by the end of the IRI.

    Raises:
        UnknownNameError: no link of the graph has it.
    """
    if not names:
        return []
    query = "SELECT DISTINCT ?p WHERE { ?s ?p ?o FILTER(isIRI(?o)) }"
    known = sorted(row["p"].value for row in graph.query(query))
    return [_relation(name, known) for name in names]


def relation_name(iri: str) -> str:
    """Give the end of a relation's IRI in words, such as ``mero part``."""
    end = re.split(r"[#/:]", iri.rstrip("#/:"))[-1]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", end).replace("_", " ")


def text_of(graph: Graph, iri: str) -> str:
    """Give the names of a node and its gloss, as encoders read it."""
    names = list(dict.fromkeys(_values(graph, iri, NAMES)))
    glosses = _values(graph, iri, GLOSSES)
    words = ", ".join(names) or graph.name_of(iri)
    return f"{words}: {glosses[0]}" if glosses else words


def _values(graph: Graph, iri: str, predicates: Iterable[str]) -> list[str]:
    from pyoxigraph import NamedNode

    found = []
    for predicate in predicates:
        quads = graph.store.quads_for_pattern(NamedNode(iri), NamedNode(predicate), None)
        found += sorted(str(quad.object.value) for quad in quads)
    return found


def _relation(name: str, known: Sequence[str]) -> str:
    prefix, _, end = name.partition(":")
    spelt = PREFIXES.get(prefix, f"{prefix}:") + end
    for each in known:
        if each in (name, spelt) or relation_name(each) == name.replace("_", " "):
            return each
    raise unknown_name("relation", name, {relation_name(each) for each in known})


def _around(links: Sequence[tuple[str, str, str]], start: Sequence[str], limit: int) -> list[str]:
    """Walk the links in both directions, ring by ring."""
    neighbours: dict[str, set[str]] = {}
    for subject, _, object_ in links:
        neighbours.setdefault(subject, set()).add(object_)
        neighbours.setdefault(object_, set()).add(subject)
    ring = [each for each in dict.fromkeys(start) if each in neighbours]
    if not ring:
        raise InputError("nothing of that kind is linked to the terms.", "zoo graph show TERM")
    found = dict.fromkeys(ring)
    while ring and len(found) < limit:
        reached = {near for each in ring for near in neighbours[each]}
        ring = [each for each in sorted(reached) if each not in found][: limit - len(found)]
        found.update(dict.fromkeys(ring))
    return sorted(found)


def _numbered(
    graph: Graph,
    nodes: Sequence[str],
    links: Sequence[tuple[str, str, str]],
    missing: Sequence[tuple[str, str]],
) -> LinkTable:
    index = {iri: number for number, iri in enumerate(nodes)}
    kept = [link for link in links if link[0] in index and link[2] in index]
    relations = sorted({relation for _, relation, _ in kept})
    number = {iri: each for each, iri in enumerate(relations)}
    numbered = [(index[head], number[relation], index[tail]) for head, relation, tail in kept]
    return LinkTable(
        nodes=(*nodes, *(iri for iri, _ in missing)),
        texts=(*(text_of(graph, iri) for iri in nodes), *(text for _, text in missing)),
        relations=tuple(relations),
        links=np.array(numbered, dtype=np.int64).reshape(-1, 3),
    )
