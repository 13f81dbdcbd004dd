"""Rules over attributes against counting them all, and links between classes."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.graph import Graph
from zoo_explanation.zero_shot.attributes import CONFIDENCE, SUPPORT, rules
from zoo_explanation.zero_shot.links import is_link
from zoo_explanation.zero_shot.patterns import patterns

SETS = st.lists(st.frozensets(st.integers(0, 9), max_size=7), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(SETS)
def test_rules_are_those_that_counting_finds(sets):
    classes = {place: {("p", str(each)) for each in one} for place, one in enumerate(sets)}
    transactions = set().union(*classes.values())
    wanted = {}
    for length in (1, 2):
        for seen in combinations(range(1, len(sets)), length):
            having = {t for t in transactions if all(t in classes[each] for each in seen)}
            both = {t for t in having if t in classes[0]}
            if not both:
                continue
            support, confidence = len(both) / len(transactions), len(both) / len(having)
            if support >= SUPPORT and confidence >= CONFIDENCE:
                wanted[seen] = (support, confidence, both)
    found = rules(classes, 0)
    assert {r.seen: (r.support, r.confidence, set(r.attributes)) for r in found} == wanted


@pytest.mark.parametrize(
    "predicate",
    [
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
        "http://dbpedia.org/ontology/wikiPageWikiLink",
        "http://dbpedia.org/ontology/thumbnail",
        "http://dbpedia.org/property/viafId",
        "https://globalwordnet.github.io/schemas/wn#hypernym",
        "http://www.w3.org/2004/02/skos/core#prefLabel",
    ],
)
def test_links_of_the_stop_list_say_nothing(predicate):
    assert not is_link(("<urn:a>", f"<{predicate}>", "<urn:b>"))


@pytest.mark.parametrize(
    ("lines", "pattern"),
    [
        (["<urn:s> <urn:r> <urn:u> ."], "seen to unseen"),
        (["<urn:u> <urn:r> <urn:s> ."], "unseen to seen"),
        (["<urn:u> <urn:r> <urn:t> .", "<urn:s> <urn:q> <urn:t> ."], "common object"),
        (['<urn:u> <urn:r> "striped" .', '<urn:s> <urn:r> "striped" .'], "common value"),
        (["<urn:u> <urn:r> <urn:t> .", "<urn:t> <urn:q> <urn:s> ."], "two steps"),
        (["<urn:s> <urn:r> <urn:t> .", "<urn:t> <urn:q> <urn:u> ."], "two steps"),
    ],
)
def test_each_pattern_is_found_with_its_triples(lines, pattern):
    graph = Graph.in_memory(t="\n".join(lines).encode())
    (found,) = patterns(graph, {"urn:u": False}, {"urn:s": True})
    assert (found.pattern, len(found.triples), found.named) == (pattern, len(lines), True)
    assert {f"{' '.join(each)} ." for each in found.triples} == set(lines)


def test_a_value_of_another_property_is_not_in_common():
    graph = Graph.in_memory(t=b'<urn:u> <urn:r> "two" .\n<urn:s> <urn:q> "two" .\n')
    assert patterns(graph, {"urn:u": False}, {"urn:s": False}) == []
