"""Domains as ontologies: closures, importance, effectiveness, roots, facts from outside."""

from __future__ import annotations

import pytest

from zoo.errors import InputError
from zoo.graph import Graph
from zoo.graph.terms import OWL, RDF, RDFS, WN
from zoo_explanation.contexts.domains import (
    SAMPLE,
    description,
    domain_of,
    domain_of_labels,
    effectiveness,
    enrich,
    importance,
    root_individuals,
)
from zoo_explanation.contexts.entailment import TYPE, closures

SUB, PROPERTY = f"<{RDFS}subClassOf>", f"<{RDFS}subPropertyOf>"


def iri(name):
    return f"<urn:flights:{name}>"


def triple(subject, predicate, object_):
    names = {"a": TYPE, "sample": SAMPLE, "subClassOf": SUB, "subPropertyOf": PROPERTY}
    names |= {each: f"<{RDFS}{each}>" for each in ("domain", "range")}
    names |= {each: f"<{OWL}{each}>" for each in ("inverseOf", "equivalentClass")}
    names |= {"hypernym": f"<{WN}hypernym>", "part": f"<{WN}mero_part>"}
    return tuple(names.get(each, iri(each)) for each in (subject, predicate, object_))


def triples(text):
    return [triple(*line.split()) for line in text.strip().splitlines()]


@pytest.mark.parametrize(
    ("schema", "stated", "follows"),
    [
        ("Jet subClassOf Plane\nPlane subClassOf Vehicle", "x a Jet", "x a Plane\nx a Vehicle"),
        ("beagle hypernym hound\nhound hypernym dog", "x a beagle", "x a hound\nx a dog"),
        ("A equivalentClass B\nB subClassOf C", "x a A", "x a B\nx a C"),
        ("from subPropertyOf touches", "x from y", "x touches y"),
        ("from domain Flight\nfrom range Airport", "x from y", "x a Flight\ny a Airport"),
        ("from inverseOf departs", "x from y", "y departs x"),
        ("departs inverseOf from", "x from y", "y departs x"),
        ("dog hypernym animal\nanimal part leg", "x a dog", "x a animal\nx part leg"),
        (
            "from subPropertyOf touches\ntouches range Place\nPlace subClassOf Thing",
            "x from y",
            "x touches y\ny a Place\ny a Thing",
        ),
    ],
)
def test_what_follows_from_a_snapshot_is_what_a_person_derives(schema, stated, follows):
    (found,) = closures([triples(stated)], triples(schema))
    assert found == set(triples(f"{stated}\n{follows}"))


def test_transitive_and_symmetric_properties_are_followed_to_the_end():
    schema = [
        (iri("in"), TYPE, f"<{OWL}TransitiveProperty>"),
        (iri("near"), TYPE, f"<{OWL}SymmetricProperty>"),
    ]
    (found,) = closures([triples("k in l\nl in m\nm in n\nk near o")], schema)
    assert found == set(
        triples("k in l\nl in m\nm in n\nk in m\nk in n\nl in n\nk near o\no near k")
    )


def test_a_range_says_nothing_of_a_literal():
    text = (iri("x"), iri("from"), '"Boston"')
    (found,) = closures([[text]], triples("from range Airport"))
    assert found == {text}


def test_snapshots_do_not_see_each_other():
    one, other = closures(
        [triples("x in y"), triples("y in z")],
        [(iri("in"), TYPE, f"<{OWL}TransitiveProperty>")],
    )
    assert (len(one), len(other)) == (1, 1)


def test_what_is_no_triple_and_what_belongs_to_the_schema_is_refused():
    with pytest.raises(InputError, match="snapshot 0 holds what is no triple"):
        closures([[("<x", "<y>", "<z>")]])
    with pytest.raises(InputError, match=r"snapshot 1 says .* about classes"):
        closures([[], triples("Jet subClassOf Plane")])
    with pytest.raises(InputError, match="no sample"):
        domain_of("empty", [])


DELAYED = triple("sample", "is", "delayed")
SCHEMA = triples("Hub subClassOf Airport\nfrom subPropertyOf touches")


def flights():
    """Four flights, all from BOS; those to JFK are late, and one of those to ORD is."""
    return domain_of(
        "flights",
        [
            [*triples("sample from BOS\nsample to JFK\nJFK a Hub"), DELAYED],
            [*triples("sample from BOS\nsample to JFK\nJFK a Hub"), DELAYED],
            triples("sample from BOS\nsample to ORD"),
            [*triples("sample from BOS\nsample to ORD"), DELAYED],
        ],
        schema=SCHEMA,
        target=DELAYED,
    )


def test_importance_is_the_share_of_samples():
    shares = importance(flights())
    assert shares[triple("sample", "touches", "BOS")] == 1.0
    assert shares[triple("JFK", "a", "Airport")] == 0.5
    assert shares[DELAYED] == 0.75


def test_effectiveness_counts_both_there_and_both_absent():
    shares = effectiveness(flights())
    assert shares[triple("sample", "from", "BOS")] == 0.75
    assert shares[triple("sample", "to", "JFK")] == 0.75  # two late, one absent and not late
    assert shares[triple("sample", "to", "ORD")] == 0.25
    assert shares[DELAYED] == 1.0
    with pytest.raises(InputError, match="names no assertion"):
        effectiveness(domain_of("flights", [[DELAYED]]))


def test_roots_are_the_individuals_of_what_is_important_or_effective():
    assert root_individuals(flights()) == {iri("BOS")}
    assert root_individuals(flights(), effective=0.75) == {iri("BOS"), iri("JFK")}


def airports():
    lines = [
        "<urn:kg:Logan> <urn:kg:city> <urn:kg:Boston> .",
        '<urn:kg:Logan> <urn:kg:label> "Logan" .',
        "<urn:kg:Kennedy> <urn:kg:city> <urn:kg:NewYork> .",
        '<urn:kg:Kennedy> <urn:kg:label> "John F. Kennedy" .',
    ]  # fmt: skip
    return Graph.in_memory(airports="\n".join(lines).encode())


ENTITIES = {"urn:flights:BOS": "urn:kg:Logan", "urn:flights:JFK": "urn:kg:Kennedy"}


def test_two_airports_get_the_facts_of_their_own():
    found = enrich([iri("BOS"), iri("JFK")], airports(), entities=ENTITIES)
    assert found[iri("BOS")] == {
        (iri("BOS"), "<urn:kg:city>", "<urn:kg:Boston>"),
        (iri("BOS"), "<urn:kg:label>", '"Logan"'),
    }
    assert (iri("JFK"), "<urn:kg:city>", "<urn:kg:NewYork>") in found[iri("JFK")]
    facts = description(flights(), found)
    assert not any("Kennedy" in each[2] for each in facts if each[0] == iri("BOS"))
    assert importance(flights()).keys() < facts


def test_one_entity_for_two_airports_is_refused():
    same = dict.fromkeys(ENTITIES, "urn:kg:Kennedy")
    with pytest.raises(InputError, match="both said to be urn:kg:Kennedy"):
        enrich([iri("BOS"), iri("JFK")], airports(), entities=same)


def test_facts_are_limited_to_what_was_asked_and_unknown_individuals_have_none():
    found = enrich(
        [iri("BOS"), iri("ORD"), '"text"'],
        airports(),
        entities=ENTITIES,
        predicates=["urn:kg:city"],
        sources=["airports"],
    )
    assert found == {iri("BOS"): {(iri("BOS"), "<urn:kg:city>", "<urn:kg:Boston>")}}
    assert enrich([iri("BOS")], airports(), entities=ENTITIES, sources=["other"]) == {}


def test_a_label_space_is_described_by_the_kinds_of_its_classes():
    schema = triples("beagle hypernym dog\ntabby hypernym cat\ndog hypernym animal\ndog part paw")
    domain = domain_of_labels("pets", ["urn:flights:beagle", "urn:flights:tabby"], schema)
    shares = importance(domain)
    assert shares[triple("sample", "a", "animal")] == 0.5
    assert triple("sample", "part", "paw") in domain.entailments[0]
    assert f"<{RDF}type>" == TYPE
