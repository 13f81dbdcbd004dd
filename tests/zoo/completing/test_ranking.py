"""Filtered ranks: by hand, of scorers that know nothing, and by identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.completing.ranking import Known, filtered_ranks, queries_of, ranks_of, summarise
from zoo.errors import PluginError


class Table:
    """Scores that were written down."""

    def __init__(self, rows):
        self.rows = rows

    def score(self, heads, relations):
        asked = zip(heads, relations, strict=True)
        return np.array([self.rows[head, relation] for head, relation in asked])


class Constant:
    def __init__(self, nodes):
        self.nodes = nodes

    def score(self, heads, relations):
        return np.zeros((len(heads), self.nodes), np.float32)


class Drawn(Constant):
    def score(self, heads, relations):
        return np.random.default_rng(len(heads)).normal(size=(len(heads), self.nodes))


def _scattered(nodes, count, seed=0):
    generator = np.random.default_rng(seed)
    links = np.stack([generator.permutation(nodes)[:count] for _ in range(2)], axis=1)
    links = links[links[:, 0] != links[:, 1]]
    return np.insert(links, 1, 0, axis=1)


def test_ranks_agree_with_those_counted_by_hand():
    links = np.array([[0, 0, 1], [0, 0, 2], [3, 0, 1]])
    scores = {
        (0, 0): [
            9.0,
            5.0,
            7.0,
            6.0,
            5.0,
        ],  # 0 -> 1: 9 is the query, 7 is true anyway; 6 above, 5 tied
        (1, 1): [2.0, 8.0, 3.0, 4.0, 1.0],  # ? -> 1 is 0: 8 is the query, 4 is true anyway; 3 above
    }
    ranks = filtered_ranks(Table(scores), links[:1], Known(links, 1), 1)
    np.testing.assert_array_equal(ranks, [[2.5, 2.0]])


def test_raw_logits_below_zero_rank_as_probabilities_do():
    links = np.array([[0, 0, 1], [0, 0, 2]])
    logits = {(0, 0): [-1.0, -9.0, -2.0, -12.0], (1, 1): [-3.0, -1.0, -4.0, -5.0]}
    sigmoid = {key: [1 / (1 + math.exp(-each)) for each in row] for key, row in logits.items()}
    for rows in (logits, sigmoid):
        ranks = filtered_ranks(Table(rows), links[:1], Known(links, 1), 1)
        np.testing.assert_array_equal(ranks, [[1.0, 1.0]])


@pytest.mark.parametrize("nodes", [50, 2736])
def test_a_constant_scorer_reaches_two_over_the_candidates_and_one(nodes):
    links = _scattered(nodes, 40)
    ranks = filtered_ranks(Constant(nodes), links, Known(links, 1), 1)
    left_out = 1  # the node that is asked about; each has one answer
    metrics = summarise(ranks, nodes)
    assert metrics.mrr.value == pytest.approx(2 / (nodes - left_out + 1), rel=1e-9)
    assert metrics.hits10.value == 0


def test_a_scorer_that_draws_reaches_the_logarithm_over_the_candidates():
    links = _scattered(2736, 1500)
    metrics = summarise(filtered_ranks(Drawn(2736), links, Known(links, 1), 1), 2736)
    assert metrics.mrr.value < 0.01
    assert metrics.mrr.value == pytest.approx(math.log(2736) / 2736, rel=0.6)


@given(st.integers(0, 10_000), st.integers(3, 12), st.integers(1, 3), st.integers(2, 5))
def test_a_filtered_rank_is_never_above_the_raw_one(seed, nodes, relations, levels):
    generator = np.random.default_rng(seed)
    drawn = generator.integers((nodes, relations, nodes), size=(2 * nodes, 3))
    links = np.unique(drawn[drawn[:, 0] != drawn[:, 2]], axis=0)
    if not len(links):
        return
    table = generator.integers(levels, size=(nodes, 2 * relations, nodes)).astype(float)
    queries = queries_of(links, relations)
    raw = ranks_of(table[queries[:, 0], queries[:, 1]], queries[:, 2]).reshape(2, -1).T
    filtered = filtered_ranks(Table(table), links, Known(links, relations), relations)
    assert (filtered <= raw).all()
    assert (filtered >= 1).all()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=9), st.randoms())
def test_the_order_of_nodes_says_nothing_and_ties_share_their_places(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    scores = np.array([values], float)
    ranks = [ranks_of(scores, np.array([node]))[0] for node in range(len(values))]
    again = [ranks_of(scores[:, order], np.array([place]))[0] for place in range(len(values))]
    assert again == [ranks[node] for node in order]
    assert sum(ranks) == pytest.approx(len(values) * (len(values) + 1) / 2)


def test_the_interval_holds_the_value_and_one_seed_gives_one():
    ranks = np.random.default_rng(0).integers(1, 30, size=(80, 2)).astype(float)
    first, again = summarise(ranks, 30, seed=4), summarise(ranks, 30, seed=4)
    assert first == again
    assert first.mrr.low < first.mrr.value < first.mrr.high
    assert first.hits1.value <= first.hits3.value <= first.hits10.value


def test_scores_that_are_no_numbers_are_refused():
    links = np.array([[0, 0, 1]])
    rows = {(0, 0): [math.nan, 1.0], (1, 1): [0.0, 1.0]}
    with pytest.raises(PluginError, match="no row of numbers"):
        filtered_ranks(Table(rows), links, Known(links, 1), 1)
