"""A learning domain: a data set with one prediction task, its samples described by triples.

Chen et al., KR 2018, section 3. A triple is three N-Triples terms. The sample itself is called
:data:`SAMPLE` in every snapshot; everything else keeps its own name in all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.graph.terms import RDF, TERMS, iri_of_graph
from zoo_explanation.contexts.entailment import TYPE, closures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.graph import Graph
    from zoo.types.explaining import Triple

SAMPLE = f"<{TERMS}sample>"


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The samples of a data set and what follows from the description of each.

    Attributes:
        entailments: one set a sample.
        target: the assertion that is predicted, such as "the flight is delayed".
    """

    name: str
    entailments: tuple[frozenset[Triple], ...]
    target: Triple | None = None


def domain_of(
    name: str,
    snapshots: Sequence[Iterable[Triple]],
    *,
    schema: Iterable[Triple] = (),
    target: Triple | None = None,
) -> Domain:
    """Describe a domain by the closures of its snapshots.

    Raises:
        InputError: no snapshot, or one that cannot be read.
    """
    if not snapshots:
        raise InputError(f"the domain {name!r} has no sample.")
    return Domain(name=name, entailments=closures(snapshots, schema), target=target)


def domain_of_labels(name: str, synsets: Sequence[str], schema: Iterable[Triple]) -> Domain:
    """Describe a label space: each class is a sample that is of the kind of its synset.

    Args:
        name: of the data.
        synsets: an IRI a class.
        schema: hypernyms and parts, see :func:`closures`.
    """
    return domain_of(name, [[(SAMPLE, TYPE, f"<{each}>")] for each in synsets], schema=schema)


def importance(domain: Domain) -> dict[Triple, float]:
    """Give the share of samples from which each entailment follows."""
    counts = Counter(each for sample in domain.entailments for each in sample)
    return {each: count / len(domain.entailments) for each, count in counts.items()}


def effectiveness(domain: Domain) -> dict[Triple, float]:
    """Give the share of samples where an entailment and the target are both there or both not.

    Raises:
        InputError: the domain has no target assertion.
    """
    if domain.target is None:
        raise InputError(f"the domain {domain.name!r} names no assertion to predict.")
    counts: Counter[Triple] = Counter()
    together: Counter[Triple] = Counter()
    for sample in domain.entailments:
        counts.update(sample)
        if domain.target in sample:
            together.update(sample)
    samples, targets = len(domain.entailments), counts[domain.target]
    return {
        each: (together[each] + samples - counts[each] - targets + together[each]) / samples
        for each in counts
    }


def root_individuals(
    domain: Domain, *, important: float = 0.99, effective: float = 0.8
) -> frozenset[str]:
    """Give the individuals of entailments that are important or effective: what to enrich.

    The target assertion is left out, being fully effective for itself, and so is the sample.
    """
    chosen = {each for each, share in importance(domain).items() if share >= important}
    if domain.target is not None:
        chosen |= {each for each, share in effectiveness(domain).items() if share >= effective}
        chosen.discard(domain.target)
    return frozenset(individual for each in chosen for individual in _individuals(each))


def enrich(
    individuals: Iterable[str],
    graph: Graph,
    *,
    predicates: Sequence[str] = (),
    entities: Mapping[str, str] | None = None,
    sources: Sequence[str] = (),
) -> dict[str, frozenset[Triple]]:
    """Fetch what a knowledge graph says of each individual, each by an entity of its own.

    Args:
        individuals: N-Triples terms.
        graph: what is asked.
        predicates: IRIs that are wanted; all of them where none is named.
        entities: IRI of an individual -> IRI of the same thing in the graph; others are looked up
            by their own IRI.
        sources: named graphs to read; all of them where none is named.

    Returns:
        individual -> its facts, about the individual; nothing for what the graph does not know.

    Raises:
        InputError: two individuals are said to be one entity: it would give its facts to both.
    """
    found: dict[str, frozenset[Triple]] = {}
    named = {term: term[1:-1] for term in sorted(individuals) if term.startswith("<")}
    aligned = {term: (entities or {}).get(iri, iri) for term, iri in named.items()}
    _check_apart(aligned)
    for term, entity in aligned.items():
        if facts := _facts(graph, term, entity, predicates, sources):
            found[term] = facts
    return found


def description(
    domain: Domain, external: Mapping[str, Iterable[Triple]] | None = None
) -> frozenset[Triple]:
    """Give all entailments of a domain, with what was fetched of its individuals."""
    empty: frozenset[Triple] = frozenset()
    return empty.union(*domain.entailments, *(external or {}).values())


def _individuals(triple: Triple) -> list[str]:
    subject, predicate, object_ = triple
    things = [subject] if predicate == f"<{RDF}type>" else [subject, object_]
    return [each for each in things if each != SAMPLE and not each.startswith('"')]


def _check_apart(aligned: Mapping[str, str]) -> None:
    owner: dict[str, str] = {}
    for term, entity in aligned.items():
        if entity in owner:
            raise InputError(
                f"{owner[entity]} and {term} are both said to be {entity}, which would give "
                "the facts of one thing to two.",
                "Name an entity of its own for each, or leave one out.",
            )
        owner[entity] = term


def _facts(
    graph: Graph, term: str, entity: str, predicates: Sequence[str], sources: Sequence[str]
) -> frozenset[Triple]:
    from pyoxigraph import NamedNode

    places = [NamedNode(iri_of_graph(each)) for each in sources] if sources else [None]
    links = [NamedNode(each) for each in predicates] if predicates else [None]
    return frozenset(
        (term, str(quad.predicate), str(quad.object))
        for place in places
        for link in links
        for quad in graph.store.quads_for_pattern(NamedNode(entity), link, None, place)
    )
