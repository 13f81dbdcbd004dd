"""Evidence of label spaces: what each label was taken for, the way to another class, its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from zoo.graph.terms import BROADER, GLOSSES, GRAPH, NAMES, PARTS
from zoo_explanation.alignment import IN_WORDS, Alignment, align, says_nothing
from zoo_explanation.alignment.labels import names_of
from zoo_explanation.shown import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.graph import Graph
    from zoo.types.explaining import Evidence, Triple
    from zoo.types.reporting import Case, LabelSpace
    from zoo_explanation.lexicon import Lexicon, Path
    from zoo_explanation.relations import Overlap

#: From this share of guesses on, everything said of a label space is tentative.
MOSTLY_GUESSED = 0.2
_UP, _DOWN = " → ", " ← "
_KIND = "|".join(f"<{each}>" for each in BROADER)
#: Named graphs that hold no facts of the world; what a person accepted is one on their word.
_OWN = ("run:", "predicted")


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """A label space as the graph knows it.

    Attributes:
        name: to show.
        model: its reference; empty for the person's own classes.
        space: whose labels.
        found: one alignment a label.
        whole: evidence of how many were found, and by what.
        lexicon: of the graph.
        overlap: of the person's classes with these; None for the person's own.
    """

    name: str
    model: str
    space: LabelSpace
    found: Sequence[Alignment]
    whole: Evidence | None
    lexicon: Lexicon
    overlap: Overlap | None = None
    singles: dict[int, Evidence | None] = field(default_factory=dict)

    @property
    def meaningless(self) -> bool:
        """Whether its labels are numbers."""
        return says_nothing(self.found)

    @property
    def guessed(self) -> float:
        """Share of guesses among the labels that were found."""
        return guessed_share(self.found)


def guessed_share(found: Sequence[Alignment]) -> float:
    """Give the share of guesses among the labels that were found."""
    nodes = [each for each in found if each.node is not None]
    return sum(not each.confirmed for each in nodes) / len(nodes) if nodes else 0.0


def known_space(case: Case, space: LabelSpace, lexicon: Lexicon, name: str, model: str) -> Known:
    """Align a label space and record how that went as a whole.

    Raises:
        InputError: a sense of the person's that the label does not have.
    """
    encode = case.encode if case.encoder else None
    found = align(space, lexicon, senses=case.senses, encode=encode)
    nodes = [each for each in found if each.node is not None]
    how = {IN_WORDS[each.how]: 0 for each in found}
    for each in found:
        how[IN_WORDS[each.how]] += 1
    whole = case.ledger.observe(
        "alignment",
        clean(model or space.name or "your classes"),
        "classes in the graph",
        source=space.source or "labels",
        sha256=space.sha256,
        confirmed=guessed_share(found) <= MOSTLY_GUESSED,
        name=name,
        classes=sum(each.how != "ignored" for each in found),
        found=len(nodes),
        guessed=sum(not each.confirmed for each in nodes),
        missing=sum(each.how == "absent" for each in found),
        how=how,
    )
    return Known(name=name, model=model, space=space, found=found, whole=whole, lexicon=lexicon)


def shown(label: str) -> str:
    """Give the first name of a label, and the label of a name in brackets whole."""
    return clean((names_of(label) or [label])[0] if "," in label else label)


def single(case: Case, known: Known, place: int) -> Evidence | None:
    """Record what one label was taken for, once."""
    if place not in known.singles:
        known.singles[place] = _single(case, known, known.found[place])
    return known.singles[place]


def _single(case: Case, known: Known, found: Alignment) -> Evidence | None:
    lexicon, node = known.lexicon, found.node
    if node is None:
        return None
    iri_of = lexicon.iri
    extra: dict[str, Any] = {}
    if found.similarity is not None:
        extra = {"similarity": found.similarity, "encoder": case.encoder}
    if found.alternatives:
        extra["alternatives"] = [
            {"sense": lexicon.name(each), "gloss": clean(lexicon.gloss(each)), "iri": iri_of(each)}
            for each in found.alternatives
        ]
        # Whoever shows this may ask the person which one is meant.
        extra["undecided"] = not found.decided
    iri = lexicon.iri(node)
    return case.ledger.observe(
        "alignment",
        clean(found.label),
        "is taken for a kind of" if found.broader else "is taken for",
        source=known.space.source or "labels",
        sha256=known.space.sha256,
        triples=_about(case.graph, iri),
        check=f"SELECT ?what ?text WHERE {{ <{iri}> ?what ?text }}",
        confirmed=found.confirmed,
        classes_of=known.name,
        label=shown(found.label),
        sense=lexicon.name(node),
        gloss=clean(lexicon.gloss(node)),
        iri=iri,
        how=IN_WORDS[found.how],
        **extra,
    )


def way(
    case: Case, lexicon: Lexicon, path: Path, start: str = "", end: str = ""
) -> Evidence | None:
    """Record the way from one node to another over what both are.

    Args:
        case: where to record it.
        lexicon: of the path.
        path: the way.
        start: a class that is only known to be of the first kind.
        end: a class that is only known to be of the last kind.
    """
    first, last = path.nodes[0], path.nodes[-1]
    steps = [
        *pairwise((*path.up, path.top)),
        *((b, a) for a, b in pairwise((path.top, *path.down))),
    ]
    triples = [
        triple
        for low, high in steps
        for triple in _links(case.graph, lexicon.iri(low), lexicon.iri(high))
    ]
    names = [triple for node in path.nodes for triple in _names(case.graph, lexicon.iri(node))]
    a, b = lexicon.iri(first), lexicon.iri(last)
    return case.ledger.observe(
        "fact",
        lexicon.name(first),
        "hypernym path",
        source=_source(case.graph, a),
        triples=(*triples, *names),
        check=f"SELECT ?kind WHERE {{ <{a}> ({_KIND})* ?kind . <{b}> ({_KIND})* ?kind }}",
        to=lexicon.name(last),
        path=in_words(lexicon, path, start, end),
        nodes=nodes_of(lexicon, path, start, end),
        top=lexicon.name(path.top),
        information=lexicon.ic(path.top),
        lin=lexicon.lin(first, last),
    )


def in_words(lexicon: Lexicon, path: Path, start: str = "", end: str = "") -> str:
    """Write ``tabby → domestic cat → cat → feline ← big cat ← tiger``."""
    nodes = nodes_of(lexicon, path, start, end)
    top = bool(start) + len(path.up)
    return _DOWN.join((_UP.join(nodes[: top + 1]), *nodes[top + 1 :]))


def nodes_of(lexicon: Lexicon, path: Path, start: str = "", end: str = "") -> list[str]:
    """Name everything on the way."""
    return [*filter(None, (start, *map(lexicon.name, path.nodes), end))]


def parts(case: Case, lexicon: Lexicon, whole: int, found: Sequence[int]) -> Evidence | None:
    """Record the parts of a kind."""
    iri = lexicon.iri(whole)
    predicates = " ".join(f"<{each}>" for each in PARTS)
    names = [lexicon.name(node) for node in found]
    of_graph = case.graph.triples if case.graph is not None else None
    triples = [
        triple
        for node in found
        for predicate in PARTS
        for triple in (of_graph(iri, predicate, lexicon.iri(node)) if of_graph else ())
    ]
    return case.ledger.observe(
        "fact",
        lexicon.name(whole),
        "has the parts",
        source=_source(case.graph, iri),
        triples=triples,
        check=f"SELECT ?part WHERE {{ VALUES ?has {{ {predicates} }} <{iri}> ?has ?part }}",
        parts=names,
        graphs=list(graphs_of(case.graph, iri)),
    )


def fact_graphs(graph: Graph | None) -> list[str]:
    """Name the graphs that hold facts of the world."""
    names = sorted(graph.infos) if graph is not None else []
    return [name for name in names if not name.startswith(_OWN)] or names


def graphs_of(graph: Graph | None, iri: str) -> list[str]:
    """Name the graphs that say something of a node."""
    if graph is None:
        return []
    from pyoxigraph import NamedNode

    quads = graph.store.quads_for_pattern(NamedNode(iri), None, None, None)
    names = {str(getattr(each.graph_name, "value", "")).removeprefix(GRAPH) for each in quads}
    return sorted(names & {*fact_graphs(graph)}) or sorted(names)


def _source(graph: Graph | None, iri: str) -> str:
    return f"graph {', '.join(graphs_of(graph, iri))}"


def _about(graph: Graph | None, iri: str) -> list[Triple]:
    return [*_first(graph, iri, NAMES), *_first(graph, iri, GLOSSES)]


def _names(graph: Graph | None, iri: str) -> list[Triple]:
    return _first(graph, iri, NAMES)


def _first(graph: Graph | None, iri: str, predicates: Sequence[str]) -> list[Triple]:
    """Give the triples of the first predicate that there are any of, the first in order."""
    for predicate in predicates if graph is not None else ():
        assert graph is not None
        found = sorted(graph.triples(iri, predicate))
        if found:
            return found[:1]
    return []


def _links(graph: Graph | None, low: str, high: str) -> Iterator[Triple]:
    for predicate in BROADER if graph is not None else ():
        assert graph is not None
        yield from graph.triples(low, predicate, high)
