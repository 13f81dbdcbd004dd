"""What follows from statements: RDFS and the rules of OWL 2 RL that matter, as SPARQL updates.

The schema lies in the default graph of a store in memory, every snapshot in a named graph of its
own, so that one run of the rules closes all of them: the store does the joins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.graph.terms import BROADER, OWL, PARTS, PREFIXES, RDF, RDFS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from zoo.types.explaining import Triple

TYPE = f"<{RDF}type>"
#: What speaks of classes and properties, and so belongs to the schema.
SCHEMA = frozenset(
    f"<{iri}>"
    for iri in (
        *BROADER,
        *(f"{RDFS}{name}" for name in ("subClassOf", "subPropertyOf", "domain", "range")),
        *(f"{OWL}{name}" for name in ("inverseOf", "equivalentClass", "equivalentProperty")),
    )
)
_SCHEMA_RULES = (
    *(
        f"INSERT {{ ?a rdfs:subClassOf ?b }} WHERE {{ ?a <{link}> ?b }}"
        for link in BROADER
        if link != f"{RDFS}subClassOf"
    ),
    "INSERT { ?a rdfs:subClassOf ?b . ?b rdfs:subClassOf ?a } WHERE { ?a owl:equivalentClass ?b }",
    (
        "INSERT { ?a rdfs:subPropertyOf ?b . ?b rdfs:subPropertyOf ?a } "
        "WHERE { ?a owl:equivalentProperty ?b }"
    ),
    "INSERT { ?b owl:inverseOf ?a } WHERE { ?a owl:inverseOf ?b }",
    "INSERT { ?a rdfs:subClassOf ?c } WHERE { ?a rdfs:subClassOf ?b . ?b rdfs:subClassOf ?c }",
    (
        "INSERT { ?a rdfs:subPropertyOf ?c } "
        "WHERE { ?a rdfs:subPropertyOf ?b . ?b rdfs:subPropertyOf ?c }"
    ),
)
#: (what follows in a snapshot, what it has to hold, what the schema has to hold)
_RULES = (
    ("?x a ?d", "?x a ?c", "?c rdfs:subClassOf ?d"),
    ("?x ?q ?y", "?x ?p ?y", "?p rdfs:subPropertyOf ?q"),
    ("?x a ?c", "?x ?p ?y", "?p rdfs:domain ?c"),
    ("?y a ?c", "?x ?p ?y . FILTER(!isLiteral(?y))", "?p rdfs:range ?c"),
    ("?x ?p ?z", "?x ?p ?y . ?y ?p ?z", "?p a owl:TransitiveProperty"),
    ("?y ?p ?x", "?x ?p ?y . FILTER(!isLiteral(?y))", "?p a owl:SymmetricProperty"),
    ("?y ?q ?x", "?x ?p ?y . FILTER(!isLiteral(?y))", "?p owl:inverseOf ?q"),
    *((f"?x <{part}> ?y", "?x a ?c", f"?c <{part}> ?y") for part in PARTS),
)


def closures(
    snapshots: Sequence[Iterable[Triple]], schema: Iterable[Triple] = ()
) -> tuple[frozenset[Triple], ...]:
    """Give everything that follows from each snapshot, what it states among it.

    Args:
        snapshots: triples of one sample each, as N-Triples terms.
        schema: triples about classes and properties, shared by all snapshots: subClassOf,
            subPropertyOf, domain, range, inverseOf, equivalence, types of properties; hypernym and
            broader count as subClassOf, parts of a class as parts of its members.

    Raises:
        InputError: a term that is none, or a statement about classes within a snapshot.
    """
    from pyoxigraph import DefaultGraph, NamedNode, Store

    store = Store()
    _load(store, schema, DefaultGraph(), "the schema")
    _repeat(store, _SCHEMA_RULES)
    names = [NamedNode(f"urn:zoo:snapshot:{number}") for number in range(len(snapshots))]
    for number, (name, triples) in enumerate(zip(names, snapshots, strict=True)):
        content = list(triples)
        wrong = next((each for each in content if each[1] in SCHEMA), None)
        if wrong:
            raise InputError(
                f"snapshot {number} says {' '.join(wrong)}, which is about classes or properties.",
                "Such triples belong to the schema, which all snapshots share.",
            )
        _load(store, content, name, f"snapshot {number}")
    _repeat(
        store,
        [
            f"INSERT {{ GRAPH ?g {{ {then} }} }} WHERE {{ GRAPH ?g {{ {held} }} {known} }}"
            for then, held, known in _RULES
        ],
    )
    return tuple(
        frozenset(
            (str(quad.subject), str(quad.predicate), str(quad.object))
            for quad in store.quads_for_pattern(None, None, None, name)
        )
        for name in names
    )


def _load(store: Any, triples: Iterable[Triple], graph: Any, where: str) -> None:
    from pyoxigraph import RdfFormat

    content = "".join(f"{' '.join(triple)} .\n" for triple in triples)
    try:
        store.load(content.encode(), RdfFormat.N_TRIPLES, to_graph=graph)
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f"{where} holds what is no triple: {error}.",
            "Write the parts as N-Triples do: <iri>, _:name or a quoted text.",
        ) from error


def _repeat(store: Any, rules: Sequence[str]) -> None:
    """Apply rules until nothing new follows."""
    before = -1
    while len(store) > before:
        before = len(store)
        for rule in rules:
            store.update(rule, prefixes=PREFIXES)
