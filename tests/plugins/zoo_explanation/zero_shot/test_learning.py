"""Rows of unseen classes: learnt from the graph, the same every time, by honest attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.errors import NotApplicable
from zoo_explanation.zero_shot.attention import attention
from zoo_explanation.zero_shot.baselines import conse, ridge
from zoo_explanation.zero_shot.deletion import delete, draws_for, separation
from zoo_explanation.zero_shot.learning import (
    Recipe,
    attend,
    classifier,
    comparable,
    learn,
)
from zoo_explanation.zero_shot.prepared import open_head, prepare

RECIPE = Recipe(hidden=32, columns=16, epochs=40)


@pytest.fixture(scope="module")
def learnt(planted):
    unseen = [planted.name(kind, 0) for kind in planted.KINDS]
    case = planted.case(unseen)
    head = open_head(case)
    nodes = [head.lexicon.senses(each)[0] for each in unseen]
    return prepare(head, nodes, RECIPE), nodes


def test_rows_of_unseen_classes_are_nearest_to_the_true_ones(planted, learnt):
    prepared, nodes = learnt
    _, rows = planted.head(())
    true = comparable(np.stack(list(rows.values())))[:: planted.EACH]
    weights = np.stack([prepared.attention(node) for node in nodes])
    places = prepared.graph.places(nodes)
    found = classifier(prepared.learnt, places, weights, prepared.head.rows)
    assert ((found @ true.T).argmax(axis=1) == np.arange(len(nodes))).all()


def test_unseen_classes_attend_to_their_own_kind(planted, learnt):
    prepared, nodes = learnt
    for kind, node in zip(planted.KINDS, nodes, strict=True):
        weights = prepared.attention(node)
        ours = [kind in prepared.head.name(place) for place in range(len(weights))]
        assert weights[ours].sum() > 0.5


def test_what_is_excluded_gets_exactly_no_attention():
    random = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.manual_seed(0)), dim=1)
    allowed = torch.tensor([True, False, True, True, False, True])
    weights = attention(random[:2], random, allowed, temperature=5.0, least=0.0)
    assert (weights[:, ~allowed] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
    faulty = torch.softmax(5.0 * (random[:2] @ random.T) * allowed, dim=1)
    assert (faulty[:, ~allowed] > 0).all()


def test_a_row_of_attention_is_never_cut_to_nothing():
    same = torch.ones(1, 2) / 2**0.5
    keys = same.repeat(50, 1)
    weights = attention(same, keys, torch.ones(50, dtype=torch.bool), temperature=1.0, least=0.1)
    assert weights.sum() > 0


def test_attention_leaves_nodes_that_are_no_seen_classes_out(learnt):
    prepared, nodes = learnt
    queries = prepared.graph.places(nodes)
    weights = attend(prepared.learnt, queries, prepared.places, prepared.recipe)
    assert weights.shape == (len(nodes), len(prepared.head.seen))


def test_the_same_seed_gives_the_same_bytes_and_leaves_the_generator_alone(learnt):
    prepared, _ = learnt
    arguments = (prepared.texts.values, prepared.graph.edges, prepared.places, prepared.head.rows)
    before = torch.get_rng_state()
    recipe = Recipe(hidden=16, columns=8, epochs=10)
    one, two = (learn(*arguments, recipe, seed=3) for _ in range(2))
    assert one.outputs.tobytes() == two.outputs.tobytes()
    assert learn(*arguments, recipe, seed=4).outputs.tobytes() != one.outputs.tobytes()
    assert torch.equal(before, torch.get_rng_state())


def test_too_few_seen_classes_are_refused():
    with pytest.raises(NotApplicable, match="fewer than 8 classes"):
        learn(np.eye(3), np.zeros((2, 0), int), np.arange(3), np.eye(3))


def test_without_torch_geometric_it_says_what_to_install(learnt, monkeypatch):
    import sys

    prepared, _ = learnt
    monkeypatch.setitem(sys.modules, "zoo_explanation.zero_shot.network", None)
    with pytest.raises(NotApplicable, match=r"zoo-reuse\[graph\]"):
        learn(prepared.texts.values, prepared.graph.edges, prepared.places, prepared.head.rows)


def test_random_attention_passes_the_deletion_as_seldom_as_chance():
    random = np.random.default_rng(0)
    rows, passed = random.normal(size=(40, 8)), 0
    for seed in range(200):
        wanted = random.normal(size=8)
        weights = random.dirichlet(np.full(40, 0.2))
        top = np.argsort(-weights)[:3]
        passed += delete(
            lambda w, to=wanted: float(w @ rows @ to), weights, top, seed=seed, draws=20
        ).passed
    assert passed <= 200 * 2.5 / (draws_for(1) + 1)


def test_attention_that_matters_passes_the_deletion():
    rows = np.eye(10)
    weights = np.array([0.5, 0.3, *([0.025] * 8)])
    found = delete(
        lambda w: float((w @ rows)[:2].sum()), weights, np.array([0, 1]), seed=0, draws=20
    )
    assert found.passed
    assert found.without == pytest.approx(0)
    broken = delete(lambda _: 0.4, weights, np.array([0, 1]), seed=0, draws=20)
    assert not broken.passed


def test_separation_counts_pairs():
    scores, ours = np.array([3.0, 1.0, 2.0, 1.0]), np.array([True, True, False, False])
    pairs = [(a > b) + (a == b) / 2 for a in scores[ours] for b in scores[~ours]]
    assert separation(scores, ours) == pytest.approx(np.mean(pairs))


def test_ridge_recovers_a_linear_map():
    random = np.random.default_rng(0)
    texts, mapping = random.normal(size=(80, 5)), random.normal(size=(5, 7))
    rows = texts @ mapping
    found = ridge(texts[:70], rows[:70], texts[70:])
    wanted = rows[70:] / np.linalg.norm(rows[70:], axis=1, keepdims=True)
    assert ((found * wanted).sum(axis=1) > 0.98).all()


def test_conse_of_a_certain_image_is_the_text_of_its_class():
    texts = np.eye(4)
    scores = conse(np.array([[50.0, 0, 0, 0]]), texts, texts, top=2)
    assert scores.argmax() == 0
    np.testing.assert_allclose(scores.max(), 1, atol=1e-6)
