"""What classes have in common in the graph: attributes, and association rules over them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, islice, pairwise
from typing import TYPE_CHECKING

from zoo.graph.terms import BROADER
from zoo_explanation.facts import links
from zoo_explanation.zero_shot.links import is_link, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.graph import Graph
    from zoo.types.explaining import Triple
    from zoo_explanation.lexicon import Lexicon

SUPPORT, CONFIDENCE = 0.1, 0.3
#: Kinds of less information say nothing, and neither does what they have.
LEAST_INFORMATION = 0.3
_LONGEST = 2

#: A predicate and an object, as N-Triples terms.
Attribute = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Of the attributes of some seen classes, how many the unseen one has.

    Attributes:
        seen: classes that have them all.
        support: share of all attributes that the seen classes and the unseen one have.
        confidence: share of those that the seen classes have.
        attributes: that support it.
    """

    seen: tuple[int, ...]
    support: float
    confidence: float
    attributes: tuple[Attribute, ...]


def attributes_of(graph: Graph, lexicon: Lexicon, node: int) -> dict[Attribute, tuple[Triple, ...]]:
    """Collect what the graph says of a node and of the kinds it belongs to.

    Returns:
        Attribute -> the triples it rests on: the links up to the kind that has it, then its own.
    """
    found: dict[Attribute, tuple[Triple, ...]] = {}
    for kind in lexicon.ancestors(node):
        if lexicon.ic(kind) < LEAST_INFORMATION:
            continue
        way: tuple[Triple, ...] | None = None
        for triple in sorted(graph.triples(lexicon.iri(kind))):
            attribute = triple[1:]
            if is_link(triple) and attribute not in found:
                way = chain(graph, lexicon, node, kind) if way is None else way
                found[attribute] = (*way, triple)
    return found


def chain(graph: Graph, lexicon: Lexicon, node: int, kind: int) -> tuple[Triple, ...]:
    """Find the triples of the way from a node up to a kind of it."""
    path = lexicon.path(node, kind)
    nodes = path.nodes if path is not None else (node,)
    return tuple(
        link
        for lower, upper in pairwise(nodes)
        for link in islice(links(graph, lexicon.iri(lower), lexicon.iri(upper)), 1)
    )


def rules(
    classes: Mapping[int, Iterable[Attribute]],
    unseen: int,
    *,
    support: float = SUPPORT,
    confidence: float = CONFIDENCE,
) -> list[Rule]:
    """Find the rules {seen, ...} => {unseen} over attributes; one attribute is one transaction.

    Agrawal and Srikant, VLDB 1994; of up to two seen classes, of which the larger sets come last.

    Args:
        classes: class -> its attributes; the unseen one is among them.
        unseen: which.
        support: the least.
        confidence: the least.
    """
    sets = {each: frozenset(attributes) for each, attributes in classes.items()}
    total = len(frozenset().union(*sets.values())) if sets else 0
    others = sorted(each for each in sets if each != unseen and sets[each] & sets[unseen])
    found: list[Rule] = []
    for length in range(1, _LONGEST + 1):
        for seen in combinations(others, length):
            theirs = frozenset.intersection(*(sets[each] for each in seen))
            both = theirs & sets[unseen]
            if not both or len(both) / total < support or len(both) / len(theirs) < confidence:
                continue
            shares = (len(both) / total, len(both) / len(theirs))
            found.append(Rule(seen, *shares, tuple(sorted(both))))
    return sorted(found, key=lambda each: (len(each.seen), -each.confidence, -each.support))


def merged(found: Sequence[Rule]) -> list[Rule]:
    """Join rules that say the same of several seen classes; drop those that add nothing."""
    joined: dict[tuple[float, float, tuple[Attribute, ...]], list[int]] = {}
    for rule in found:
        if len(rule.seen) == 1:
            key = (rule.support, rule.confidence, rule.attributes)
            joined.setdefault(key, []).extend(rule.seen)
    return [Rule(tuple(seen), *key) for key, seen in joined.items()]


def by_predicate(attributes: Sequence[Attribute]) -> dict[str, list[str]]:
    """Group attributes: predicate -> objects."""
    found: dict[str, list[str]] = {}
    for predicate, object_ in attributes:
        found.setdefault(predicate, []).append(object_)
    return found


def check_query(unseen: str, seen: str, predicate: str) -> str:
    """Write the query that finds what two classes share by one predicate."""
    up = f"({'|'.join(f'<{each}>' for each in BROADER)})*"
    return (
        f"SELECT DISTINCT ?shared WHERE {{ <{unseen}> {up} ?a . <{seen}> {up} ?b . "
        f"?a <{plain(predicate)}> ?shared . ?b <{plain(predicate)}> ?shared }}"
    )
