"""Links by number, their split, and what scores are worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.completing.calibration import fit_sigmoid
from zoo.completing.splitting import split_links
from zoo.completing.tables import relation_name, relations_named, table_of
from zoo.completing.texts import text_vectors
from zoo.errors import InputError, UnknownNameError
from zoo.graph import Graph
from zoo.graph.terms import SKOS, WN
from zoo.testing.completers import small_table


def _iri(name):
    return f"https://example.org/{name}"


def _graph(pairs, relation="hypernym"):
    lines = [f"<{_iri(low)}> <{WN}{relation}> <{_iri(high)}> ." for low, high in pairs]
    names = {name for pair in pairs for name in pair}
    lines += [f'<{_iri(name)}> <{SKOS}prefLabel> "{name}"@en .' for name in names]
    lines.append(f'<{_iri("cat")}> <{SKOS}definition> "it \\"purrs\\""@en .')
    return Graph.in_memory(core="\n".join(lines).encode())


CHAIN = _graph([("cat", "feline"), ("lion", "feline"), ("feline", "animal"), ("dog", "animal")])


def test_links_are_numbered_by_the_order_of_names():
    table = table_of(CHAIN)
    assert [each.rpartition("/")[2] for each in table.nodes] == [
        "animal",
        "cat",
        "dog",
        "feline",
        "lion",
    ]
    assert table.texts[1] == 'cat: it "purrs"'
    assert table.links.tolist() == [[1, 0, 3], [2, 0, 0], [3, 0, 0], [4, 0, 3]]


def test_the_nearest_nodes_are_taken_and_what_is_missing_comes_last():
    table = table_of(CHAIN, around=[_iri("cat")], missing=[("urn:zoo:name:x", "x")], limit=3)
    assert [each.rpartition("/")[2] for each in table.nodes] == [
        "animal",
        "cat",
        "feline",
        "urn:zoo:name:x",
    ]
    assert table.texts[-1] == "x"
    assert len(table.links) == 2


def test_too_large_a_graph_says_how_to_take_a_part():
    with pytest.raises(InputError, match="links 5 nodes") as refusal:
        table_of(CHAIN, limit=4)
    assert "--around" in refusal.value.hint
    with pytest.raises(InputError, match="no links of that kind"):
        table_of(CHAIN, relations=["urn:nothing"])


def test_relations_are_found_by_their_end_and_by_prefix():
    assert relations_named(CHAIN, ["hypernym", "wn:hypernym"]) == [f"{WN}hypernym"] * 2
    assert relation_name(f"{WN}mero_part") == "mero part"
    with pytest.raises(UnknownNameError, match=r"hypernim.*hypernym"):
        relations_named(CHAIN, ["hypernim"])


@given(st.integers(0, 50), st.integers(0, 20), st.integers(1, 20))
def test_every_link_is_in_one_part_and_no_pair_in_two(seed, validation, test):
    table = small_table()
    split = split_links(table, validation=validation, test=test, seed=seed)
    parts = (split.training, split.validation, split.test)
    assert sorted(np.concatenate(parts).tolist()) == sorted(table.links.tolist())
    pairs = [{tuple(sorted(link[[0, 2]])) for link in part} for part in parts]
    assert len(set.union(*pairs)) == sum(map(len, pairs))


def test_texts_that_share_words_are_near_and_of_unit_length():
    vectors = text_vectors(["a spotted cat", "the spotted cat sleeps", "engine of a car", "car"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_probabilities_rise_with_scores_and_add_up_to_what_is_true():
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(200, 40))
    chance = np.exp(3 * scores)
    answers = np.array([generator.choice(40, p=row / row.sum()) for row in chance])
    fitted = fit_sigmoid(5 * scores - 7, answers)
    likely = fitted.probability(5 * scores - 7)
    assert likely.sum() == pytest.approx(200, rel=0.02)
    assert fitted.temperature > 0
    assert (np.diff(fitted.probability(np.linspace(-40, 40, 9))) >= 0).all()


def test_scores_that_say_nothing_are_worth_the_base_rate():
    fitted = fit_sigmoid(np.zeros((50, 20)), np.arange(50) % 20)
    assert fitted.probability(np.array([0.0]))[0] == pytest.approx(1 / 20, rel=0.1)


def test_a_scorer_that_is_worse_than_chance_is_not_turned_around():
    scores = np.tile(np.arange(20.0), (50, 1))
    fitted = fit_sigmoid(scores, np.zeros(50, int))
    low, high = fitted.probability(np.array([0.0, 19.0]))
    assert low <= high <= low * 1.01
