"""The lexicon: words, ways and measures on graphs that can be checked by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.graph import Graph, GraphInfo
from zoo_explanation.lexicon import best_lin, lexicon_of, random_leaves
from zoo_explanation.lexicon.caching import decode, encode

PREFIXES = """
@prefix : <http://a.example/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix wn: <https://globalwordnet.github.io/schemas/wn#> .
@prefix zoo: <urn:zoo:terms:> .
"""
ANIMALS = """
:entity skos:prefLabel "entity"@en .
:animal skos:prefLabel "animal"@en, "Tier"@de ; wn:hypernym :entity ; wn:lexfile "noun.animal" .
:pet skos:prefLabel "pet"@en ; wn:hypernym :animal ; wn:lexfile "animal" .
:canine skos:prefLabel "canine"@en ; wn:hypernym :animal ; wn:lexfile "animal" .
:dog skos:prefLabel "dog"@en ; skos:altLabel "Canis_familiaris"@en ; wn:lexfile "animal" ;
     wn:hypernym :canine, :pet ; wn:mero_part :tail ; wn:wnid30 "n02084071" ;
     skos:definition "barks"@en .
:wolf skos:prefLabel "wolf"@en ; wn:hypernym :canine ; wn:lexfile "animal" .
:cat skos:prefLabel "cat"@en ; wn:hypernym :pet ; wn:lexfile "animal" .
:tail skos:prefLabel "tail"@en ; wn:hypernym :entity ; wn:lexfile "body" .
"""


def graph_of(*turtles):
    from pyoxigraph import RdfFormat, parse, serialize

    triples = (parse(PREFIXES + each, format=RdfFormat.TURTLE) for each in turtles)
    contents = [serialize(each, format=RdfFormat.N_TRIPLES) for each in triples]
    return Graph.in_memory(**{f"g{place}": each for place, each in enumerate(contents)})


def lexicon(*turtles):
    return lexicon_of(graph_of(*turtles))


def node(found, name):
    return found.node(f"http://a.example/{name}")


def names(found, nodes):
    return [found.name(each) for each in nodes]


def test_a_node_tells_what_the_graph_says_of_it():
    found = lexicon(ANIMALS)
    dog = node(found, "dog")
    assert len(found) == 8
    assert found.iri(dog) == "http://a.example/dog"
    assert found.name(dog) == "dog"
    assert found.lemmas(dog) == ["dog", "Canis familiaris"]
    assert found.gloss(dog) == "barks"
    assert found.gloss(node(found, "cat")) == ""
    assert found.field(dog) == "animal"
    assert found.field(node(found, "entity")) == ""
    assert names(found, found.parents(dog)) == ["canine", "pet"]
    assert names(found, found.children(node(found, "canine"))) == ["dog", "wolf"]
    assert names(found, found.parts(dog)) == ["tail"]
    assert found.by_wnid("n02084071") == dog
    assert found.by_wnid("n1") is None
    assert found.node("http://a.example/nothing") is None
    assert found.ancestors(dog) == {
        dog: 0,
        node(found, "canine"): 1,
        node(found, "pet"): 1,
        node(found, "animal"): 2,
        node(found, "entity"): 3,
    }
    assert list(found.notes) == []


@pytest.mark.parametrize("word", ["Canis familiaris", "canis_familiaris", " CANIS  Familiaris"])
def test_words_are_found_in_any_case_with_underscores_or_spaces(word):
    found = lexicon(ANIMALS)
    assert names(found, found.senses(word)) == ["dog"]
    assert found.senses("Tier") == []
    assert found.senses("") == []


def test_the_very_spelling_comes_first_and_then_the_order_of_the_dictionary():
    found = lexicon(
        ANIMALS,
        """:wolf skos:altLabel "Wolf"@en . :cat skos:altLabel "wolf"@en ; zoo:sense "1 wolf" .
        :wolf zoo:sense "2 wolf" . :pet skos:altLabel "wolf"@en . :tail skos:prefLabel "WOLF" .
        :tail zoo:sense "no rank", "5" .""",
    )
    assert names(found, found.senses("wolf")) == ["pet", "cat", "wolf", "WOLF"]
    assert names(found, found.senses("Wolf"))[0] == "wolf"
    assert names(found, found.senses("WOLF"))[0] == "WOLF"


def test_a_way_goes_over_the_most_specific_kind_of_both():
    found = lexicon(ANIMALS)
    way = found.path(node(found, "wolf"), node(found, "cat"))
    assert names(found, way.nodes) == ["wolf", "canine", "animal", "pet", "cat"]
    assert (names(found, way.up), found.name(way.top)) == (["wolf", "canine"], "animal")
    assert names(found, found.path(node(found, "dog"), node(found, "animal")).nodes) == [
        "dog", "canine", "animal",
    ]  # fmt: skip
    alone = found.path(node(found, "dog"), node(found, "dog"))
    assert (alone.up, alone.down) == ((), ())


def test_information_content_and_lin_are_those_of_the_formulas():
    found = lexicon(ANIMALS)
    canine, dog, wolf = (node(found, name) for name in ("canine", "dog", "wolf"))
    assert found.descendants(node(found, "entity")) == 7
    assert found.descendants(node(found, "animal")) == 5
    assert found.ic(node(found, "entity")) == pytest.approx(0)
    assert found.ic(dog) == 1
    assert found.ic(canine) == pytest.approx(1 - math.log(3) / math.log(8))
    assert found.lin(dog, wolf) == pytest.approx(found.ic(canine))
    assert found.lin(dog, canine) == pytest.approx(2 * found.ic(canine) / (1 + found.ic(canine)))
    assert found.lin(dog, node(found, "tail")) == 0


def test_a_person_s_own_classes_join_in():
    found = lexicon(
        ANIMALS,
        """:Prairie_Dog_42 rdfs:subClassOf :dog . :mine skos:broader :wolf ; rdfs:label "Rex" ;
        rdfs:comment "ours" .  <http://a.example/x#Y> skos:broader :cat .
        :lonely rdfs:label "has no kind" .""",
    )
    rex = found.senses("rex")[0]
    assert found.gloss(rex) == "ours"
    assert names(found, found.path(rex, found.senses("prairie dog 42")[0]).nodes) == [
        "Rex", "wolf", "canine", "dog", "Prairie Dog 42",
    ]  # fmt: skip
    assert found.senses("Y")
    assert found.senses("has no kind") == []
    assert list(found.notes) == ["2 nodes have no name and are called by the end of their IRI."]


def test_circles_are_broken_the_same_way_each_time_and_noted():
    turtle = """:a skos:broader :b, :a ; rdfs:label "a" . :b skos:broader :c ; rdfs:label "b" .
    :c skos:broader :a, :d ; rdfs:label "c" . :d rdfs:label "d" ."""
    first, second = lexicon(turtle), lexicon(turtle)
    assert encode(first) == encode(second)
    assert list(first.notes) == ["Links that close a circle are left out: a under a; c under a."]
    assert first.descendants(node(first, "d")) == 3
    assert names(first, first.path(node(first, "a"), node(first, "d")).nodes) == list("abcd")


def test_links_to_texts_and_to_nameless_nodes_do_no_harm():
    found = lexicon(
        """:a skos:broader "a text" ; rdfs:subClassOf [ a :Restriction ], :gone ; rdfs:label "a" .
        [] skos:broader :a ."""
    )
    assert len(found) == 2
    assert names(found, found.parents(node(found, "a"))) == ["gone"]
    assert any("to a text" in note for note in found.notes)


def test_trees_of_their_own_have_no_common_node():
    found = lexicon(ANIMALS, ":x skos:broader :y . :z skos:broader :y .")
    x, z, dog = (node(found, name) for name in ("x", "z", "dog"))
    assert found.path(x, dog) is None
    assert found.lin(x, dog) == 0
    assert found.lin(x, z) == 0  # the top of a tree of three says nothing either
    assert found.ic(node(found, "y")) == pytest.approx(0)


def test_a_chain_of_twenty_thousand_does_not_hang():
    from zoo_explanation.lexicon.structure import descendant_counts, without_circles

    size = 20_000
    above = [[place + 1] for place in range(size - 1)] + [[0]]
    below = [[place - 1] for place in range(size)]
    below[0] = []
    assert without_circles(above) == [(size - 1, 0)]
    assert descendant_counts(above, below) == list(range(size))


@pytest.mark.parametrize("turtle", ["", ':a rdfs:label "a" .'])
def test_a_graph_without_kinds_gives_an_empty_lexicon(turtle):
    found = lexicon(turtle)
    assert len(found) == 0
    assert found.senses("a") == []
    assert best_lin(found, [], []).values.shape == (0,)
    assert random_leaves(found, ["animal"], 3, 0).shape == (3, 0)


def test_the_best_of_many_is_what_one_by_one_finds():
    found = lexicon(ANIMALS, ":x skos:broader :y .")
    every = list(range(len(found)))
    sources = [node(found, name) for name in ("cat", "wolf", "tail", "animal", "wolf")]
    best = best_lin(found, every, sources)
    expected = [[found.lin(target, source) for source in sources] for target in every]
    assert np.allclose(best.values, np.max(expected, axis=1))
    x = node(found, "x")
    assert (best.values[x], best.sources[x]) == (0, -1)
    for target in every:
        if best.values[target] > 0:
            assert best.sources[target] == int(np.argmax(expected[target]))
    assert best_lin(found, every, []).sources.tolist() == [-1] * len(every)


def test_random_leaves_are_of_the_same_fields_and_of_the_seed():
    found = lexicon(ANIMALS)
    drawn = random_leaves(found, ["animal", "body", "", "unheard of"], 50, 7)
    assert drawn.shape == (50, 4)
    assert {found.name(each) for each in drawn[:, 0]} == {"dog", "wolf", "cat"}
    assert {found.name(each) for each in drawn[:, 1]} == {"tail"}
    assert {found.name(each) for each in drawn[:, 3]} == {"dog", "wolf", "cat", "tail"}
    assert (drawn == random_leaves(found, ["animal", "body", "", "unheard of"], 50, 7)).all()
    assert (drawn != random_leaves(found, ["animal", "body", "", "unheard of"], 50, 8)).any()


def test_it_is_kept_beside_the_graph_until_that_changes(tmp_path):
    plain = graph_of(ANIMALS)
    info = GraphInfo(name="g0", triples=len(plain.store))

    def opened(store, **infos):
        return Graph(store=store, folder=tmp_path, infos=infos)

    built = lexicon_of(opened(plain.store, g0=info))
    empty = graph_of("").store
    kept = lexicon_of(opened(empty, g0=info))
    assert encode(kept) == encode(built)
    assert len(lexicon_of(opened(empty, other=info))) == 0


def test_an_import_into_an_open_graph_is_seen():
    graph, more = graph_of(ANIMALS), graph_of(ANIMALS, ":pug skos:broader :dog .")
    before = lexicon_of(graph)
    assert lexicon_of(graph) is before
    graph.store.extend(more.store)
    graph.infos["more"] = more.infos["g1"]
    assert len(lexicon_of(graph)) == len(before) + 1


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"half"])
def test_what_was_kept_and_is_damaged_is_built_again(tmp_path, damage):
    plain = graph_of(ANIMALS)
    lexicon_of(Graph(store=plain.store, folder=tmp_path, infos={}))
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:3000] if damage == b"half" else damage)
    assert len(lexicon_of(Graph(store=plain.store, folder=tmp_path, infos={}))) == 8
    assert len(decode(path.read_bytes())) == 8


NODES = 12
links = st.sets(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), min_size=1)


def lexicon_of_links(pairs):
    return lexicon("".join(f":n{a} skos:broader :n{b} . " for a, b in sorted(pairs)))


@settings(max_examples=40)
@given(links)
def test_ways_and_measures_keep_their_laws_on_any_links(pairs):
    found = lexicon_of_links(pairs)
    every = range(len(found))
    for a in every:
        above = found.ancestors(a)
        assert found.lin(a, a) == 1
        assert a not in {parent for each in above for parent in found.parents(each)}
        assert found.descendants(a) == sum(a in found.ancestors(b) for b in every) - 1
        for parent in found.parents(a):
            assert found.ic(parent) < found.ic(a)
        for b in every:
            check_way(found, a, b, above)


def check_way(found, a, b, above):
    way, back = found.path(a, b), found.path(b, a)
    assert 0 <= found.lin(a, b) <= 1
    assert found.lin(a, b) == found.lin(b, a)
    if way is None:
        assert back is None
        assert not above.keys() & found.ancestors(b).keys()
        return
    assert way.nodes == back.nodes[::-1]
    assert {*way.up, way.top} <= above.keys()
    assert {*way.down, way.top} <= found.ancestors(b).keys()
    assert len(way.up) == above[way.top]
    for lower, upper in pairwise((*way.up, way.top)):
        assert upper in found.parents(lower)


@settings(max_examples=30)
@given(links, st.lists(st.integers(0, NODES - 1), min_size=1, max_size=5))
def test_the_best_source_is_the_best_on_any_links(pairs, chosen):
    found = lexicon_of_links(pairs)
    sources = [each % len(found) for each in chosen]
    best = best_lin(found, range(len(found)), sources)
    for target in range(len(found)):
        one_by_one = [found.lin(target, source) for source in sources]
        assert best.values[target] == pytest.approx(max(one_by_one))
