"""Relations of label spaces, on trees that can be checked by hand and on random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.graph import Graph
from zoo_explanation.alignment import Alignment
from zoo_explanation.lexicon import best_lin, lexicon_of
from zoo_explanation.relations import Trained, overlap, shared_parts

WN = "https://globalwordnet.github.io/schemas/wn#"


def lexicon(links, parts=()):
    lines = [f"<urn:{a}> <{WN}hypernym> <urn:{b}> ." for a, b in links]
    lines += [f"<urn:{a}> <{WN}mero_part> <urn:{b}> ." for a, b in parts]
    nodes = sorted({each for link in links for each in link})
    name = "http://www.w3.org/2004/02/skos/core#prefLabel"
    lines += [f'<urn:{each}> <{name}> "{each}"@en .' for each in nodes]
    return lexicon_of(Graph.in_memory(kinds="\n".join(lines).encode()))


def classes(words, *names, how="curated"):
    return [Alignment(label=each, node=words.node(f"urn:{each}"), how=how) for each in names]


@pytest.fixture(scope="module")
def animals():
    links = [("animal", "all"), ("plant", "all"), ("mammal", "animal"), ("fish", "animal")]
    links += [("dog", "mammal"), ("cat", "mammal"), ("beagle", "dog"), ("boxer", "dog")]
    links += [("tabby", "cat"), ("trout", "fish"), ("rose", "plant"), ("tail", "all")]
    links += [(f"weed{place}", "plant") for place in range(300)]
    return lexicon(links, [("animal", "tail"), ("dog", "tail")])


def test_every_kind_of_relation_is_told_apart(animals):
    targets = classes(animals, "dog", "tabby", "cat", "rose", "nowhere")
    sources = classes(animals, "dog", "cat", "trout")
    kinds = [each.kind for each in overlap(targets, sources, animals).relations]
    assert kinds == ["same", "broader", "same", "general", "absent"]
    (narrower,) = overlap(classes(animals, "cat"), classes(animals, "tabby"), animals).relations
    assert (narrower.kind, narrower.source) == ("narrower", 0)
    (close,) = overlap(classes(animals, "beagle"), classes(animals, "boxer"), animals).relations
    assert close.kind == "close"
    assert [animals.name(each) for each in close.path.nodes] == ["beagle", "dog", "boxer"]


def test_a_class_known_only_by_its_kind_is_never_the_same(animals):
    of_dogs, dogs = classes(animals, "dog", how="head"), classes(animals, "dog")
    assert overlap(of_dogs, dogs, animals).relations[0].kind == "broader"
    assert overlap(dogs, of_dogs, animals).relations[0].kind == "narrower"
    assert overlap(of_dogs, of_dogs, animals).relations[0].kind == "close"


def test_nothing_found_gives_nothing(animals):
    none = overlap(classes(animals, "nowhere"), classes(animals, "dog"), animals)
    assert (none.counts, none.lin, none.z) == ({"absent": 1}, None, None)
    untrained = overlap(classes(animals, "dog"), [], animals)
    assert untrained.relations[0].kind == "general"


def test_the_null_depends_on_the_seed_alone(animals):
    targets, sources = classes(animals, "dog", "rose"), classes(animals, "beagle", "trout")
    assert overlap(targets, sources, animals, seed=3) == overlap(targets, sources, animals, seed=3)
    assert (
        overlap(targets, sources, animals, seed=3).chance
        != overlap(targets, sources, animals, seed=4).chance
    )


def test_new_obsolete_and_invariant_kinds_are_shares_of_what_stands_above(animals):
    found = overlap(classes(animals, "dog"), classes(animals, "trout"), animals)
    # dog mammal animal all; trout fish animal all
    assert (found.new, found.obsolete) == (0.5, 0.5)
    assert found.invariant == pytest.approx(2 / 6)


def test_parts_come_from_the_most_specific_kind_of_both(animals):
    beagle, boxer, tabby = (animals.node(f"urn:{each}") for each in ("beagle", "boxer", "tabby"))
    whole, parts = shared_parts(beagle, boxer, animals)
    assert (animals.name(whole), [animals.name(each) for each in parts]) == ("dog", ["tail"])
    whole, _ = shared_parts(beagle, tabby, animals)
    assert animals.name(whole) == "animal"
    assert shared_parts(beagle, animals.node("urn:rose"), animals) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.randoms(use_true_random=False))
def test_the_nearest_class_is_the_most_similar_of_all(size, random):
    links = [(f"k{child:02d}", f"k{random.randrange(child):02d}") for child in range(1, size)]
    words = lexicon(links)
    nodes = [random.randrange(len(words)) for _ in range(random.randrange(1, 6))]
    sources = [Alignment(label=str(each), node=each, how="curated") for each in nodes]
    trained = Trained(sources, words)
    leaves = np.flatnonzero(words.counts == 0).tolist()
    expected = best_lin(words, leaves, nodes).values
    assert [trained.best(leaf) for leaf in leaves] == pytest.approx(expected.tolist())
    for leaf, best in zip(leaves, expected, strict=True):
        relation = trained.nearest(Alignment(label="x", node=leaf, how="curated"))
        assert 0 <= relation.lin <= best + 1e-9
        if relation.kind in ("same", "close", "loose", "general") and relation.source >= 0:
            assert relation.lin == pytest.approx(best)
