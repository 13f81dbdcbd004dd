"""Five ways in which two classes may be linked outside the hierarchy (Geng et al., 2021, 4.2)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from zoo.graph.terms import OWL, RDFS, SKOS
from zoo_explanation.zero_shot.links import is_link, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.graph import Graph
    from zoo.types.explaining import Triple
    from zoo_explanation.lexicon import Lexicon

Pattern = Literal["seen to unseen", "unseen to seen", "common object", "common value", "two steps"]
_SAME = (f"{SKOS}closeMatch", f"{SKOS}exactMatch", f"{OWL}sameAs")
_MOST_LINKS = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """Triples that link two classes.

    Attributes:
        triples: one, or two.
        named: whether an entity was found by its name alone.
    """

    pattern: Pattern
    triples: tuple[Triple, ...]
    named: bool = False


def entities(graph: Graph, lexicon: Lexicon, node: int) -> dict[str, bool]:
    """Find what stands for a class: its node, what the graph calls the same, what has its name.

    Returns:
        IRI -> whether only the name says so.
    """
    iri = lexicon.iri(node)
    found = {iri: False}
    for predicate in _SAME:
        found |= {plain(each[2]): False for each in graph.triples(iri, predicate)}
        found |= {plain(each[0]): False for each in graph.triples(None, predicate, iri)}
    quoted = [each.replace("\\", "\\\\").replace('"', '\\"') for each in lexicon.lemmas(node)]
    names = " ".join(f'"{each}" "{each}"@en' for each in quoted)
    answer = graph.query(
        f"SELECT DISTINCT ?e WHERE {{ VALUES ?n {{ {names} }} "
        f"VALUES ?p {{ <{RDFS}label> <{SKOS}prefLabel> }} ?e ?p ?n . FILTER(isIRI(?e)) }}"
    )
    for each in sorted(row["e"].value for row in answer):
        if lexicon.node(each) is None:
            found.setdefault(each, True)
    return {each: named for each, named in found.items() if ":" in each}


def patterns(
    graph: Graph, unseen: dict[str, bool], seen: dict[str, bool], *, most: int = 6
) -> list[Found]:
    """Find links between the entities of two classes, the most direct first.

    Args:
        graph: with the stop list of :func:`is_link`.
        unseen: entities of the unseen class.
        seen: entities of the seen one.
        most: how many of each pattern.
    """
    found: dict[Pattern, list[Found]] = defaultdict(list)
    for u, u_named in sorted(unseen.items()):
        ours = _links(graph, u)
        for s, s_named in sorted(seen.items()):
            for pattern, triples in _between(graph, (u, ours), (s, _links(graph, s))):
                if len(found[pattern]) < most:
                    found[pattern].append(Found(pattern, triples, u_named or s_named))
    return [each for group in found.values() for each in dict.fromkeys(group)]


def _links(graph: Graph, iri: str) -> list[Triple]:
    return sorted(islice(filter(is_link, graph.triples(iri)), _MOST_LINKS))


def _between(
    graph: Graph, unseen: tuple[str, Sequence[Triple]], seen: tuple[str, Sequence[Triple]]
) -> Iterator[tuple[Pattern, tuple[Triple, ...]]]:
    (u, ours), (s, theirs) = unseen, seen
    yield from (("seen to unseen", (each,)) for each in theirs if plain(each[2]) == u)
    yield from (("unseen to seen", (each,)) for each in ours if plain(each[2]) == s)
    by_object: dict[str, list[Triple]] = defaultdict(list)
    for each in theirs:
        by_object[each[2]].append(each)
    for one in ours:
        for other in by_object.get(one[2], ()):
            if one[2].startswith("<"):
                yield "common object", (one, other)
            elif one[1] == other[1]:
                yield "common value", (one, other)
    yield from (("two steps", each) for each in _two_steps(graph, ours, s))
    yield from (("two steps", each) for each in _two_steps(graph, theirs, u))


def _two_steps(graph: Graph, first: Sequence[Triple], end: str) -> Iterator[tuple[Triple, Triple]]:
    for one in first:
        middle = plain(one[2])
        if not one[2].startswith("<") or middle == end:
            continue
        for predicate in sorted({each[1] for each in graph.triples(middle, None, end)}):
            other = (one[2], predicate, f"<{end}>")
            if is_link(other):
                yield one, other
