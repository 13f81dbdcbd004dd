"""The completers: their promises, what they ask about, and what texts are worth."""

from __future__ import annotations

import dataclasses
import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.completing.ranking import Known, filtered_ranks
from zoo.completing.splitting import split_links
from zoo.completing.tables import table_of
from zoo.completing.texts import text_vectors
from zoo.errors import InputError
from zoo.graph import Graph
from zoo.testing.completers import check_completer, small_table
from zoo_explanation import zoo_completers
from zoo_explanation.completion.densification import similar_pairs
from zoo_explanation.completion.encoders import columns_shown
from zoo_explanation.completion.methods import ConvTransE, DistMult
from zoo_explanation.completion.questions import Questions
from zoo_explanation.completion.training import smoothed_loss

CORE = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")) / "knowledge_graph/kg_core.nt.gz"
SPECS = {spec.name: spec for spec in zoo_completers()}


def test_the_trial_catches_what_breaks_a_promise():
    generator = np.random.default_rng(0)

    class Restless:
        def fit(self, table, validation, *, seed=0):
            nodes = len(table.nodes)

            class Scorer:
                def score(self, heads, relations):
                    return generator.random((len(heads), nodes))

            return Scorer()

    assert any(
        "depend on what is asked" in each for each in check_completer(SPECS["transe"], Restless())
    )


def _questions(table, threshold=0.2):
    return Questions(
        nodes=np.arange(len(table.nodes)),
        links=table.links,
        relations=len(table.relations),
        similar=similar_pairs(table.vectors, threshold),
    )


def test_likeness_carries_messages_and_is_never_asked_about():
    table = small_table()
    alike, plain = _questions(table), _questions(table, threshold=2.0)
    assert len(alike.similar)
    assert alike.keys.tolist() == plain.keys.tolist()
    assert alike.keys[:, 1].max() < 2 * len(table.relations)
    assert [each.tolist() for each in alike.answers] == [each.tolist() for each in plain.answers]
    likeness = alike.edges().kinds == 2 * len(table.relations)
    assert int(likeness.sum()) == 2 * len(alike.similar)


def test_pairs_are_alike_above_the_threshold_and_not_the_same():
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [1, 0], [0, 0]], np.float32)
    assert similar_pairs(vectors, 0.7).tolist() == [[0, 1], [1, 3]]
    assert similar_pairs(vectors, 0.6 - 1e-6).tolist() == [[0, 1], [1, 2], [1, 3]]


def test_a_link_that_is_asked_about_carries_no_message():
    questions = _questions(small_table(), threshold=2.0)
    node, relation = questions.keys[5]
    answers = questions.answers[5]
    ends, kinds = (each.numpy() for each in dataclasses.astuple(questions.edges(np.array([5]))))
    kept = {(a, kind, b) for a, b, kind in zip(*ends, kinds, strict=True)}
    count = len(questions.links)
    for answer in answers:
        assert (node, relation, answer) not in kept
        assert (answer, (relation + 2) % 4, node) not in kept
    assert len(kept) == 2 * count - 2 * len(answers)


def test_a_part_of_the_graph_keeps_the_likeness_inside_it():
    questions = _questions(small_table())
    part = questions.part(9, np.random.default_rng(0))
    assert len(part.links) == 9
    whole = {tuple(each) for each in questions.links.tolist()}
    for head, relation, tail in part.links:
        assert (part.nodes[head], relation, part.nodes[tail]) in whole
    pairs = {tuple(each) for each in questions.similar.tolist()}
    assert {tuple(part.nodes[each]) for each in part.similar} <= pairs


def test_the_loss_is_that_of_smoothed_targets():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, generator=generator)
    truth = torch.zeros(3, 7)
    truth[[0, 0, 2], [1, 4, 6]] = 1.0
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits, 0.9 * truth + 0.1 / 7)
    found = smoothed_loss(logits, (torch.tensor([0, 0, 2]), torch.tensor([1, 4, 6])), 0.1)
    torch.testing.assert_close(found, wanted)


def test_more_and_more_columns_of_the_texts_are_seen():
    generator = torch.Generator().manual_seed(0)
    assert [int(columns_shown(8, share, generator).sum()) for share in (0, 0.5, 0.9)] == [0, 4, 7]
    assert columns_shown(8, 1.0, generator) is None


def test_without_torch_geometric_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "zoo_explanation.completion.neighbours", None)
    with pytest.raises(InputError, match="needs torch_geometric") as refusal:
        ConvTransE(epochs=1).fit(small_table(), np.empty((0, 3), np.int64))
    assert "encoder=none" in refusal.value.hint
    ConvTransE(epochs=1, encoder="none").fit(small_table(), np.empty((0, 3), np.int64))


def _planted():
    """Members of a kind have the kind's text, and one link each, so that only texts can tell."""
    generator = np.random.default_rng(0)
    kinds, members = 6, 16
    links = [(kinds + k * members + m, 0, k) for k in range(kinds) for m in range(members)]
    centres = generator.normal(size=(kinds, 16))
    vectors = np.concatenate([centres, np.repeat(centres, members, axis=0)])
    vectors += 0.2 * generator.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    count = len(vectors)
    return dataclasses.replace(
        small_table(),
        nodes=tuple(map(str, range(count))),
        texts=("",) * count,
        relations=("urn:kind",),
        links=np.array(links),
        vectors=vectors.astype(np.float32),
    )


def _mrr(table, method, seed, *, test):
    split = split_links(table, validation=test // 2, test=test, seed=seed)
    learnt = dataclasses.replace(table, links=split.training)
    scorer = method.fit(learnt, split.validation, seed=seed)
    relations = len(table.relations)
    ranks = filtered_ranks(scorer, split.test, Known(table.links, relations), relations)
    return float((1 / ranks).mean())


def test_texts_tell_what_free_vectors_cannot():
    table = _planted()
    small = {"width": 16, "channels": 4, "epochs": 30, "batch": 16}
    read = _mrr(table, ConvTransE(encoder="none", **small), 0, test=20)
    free = _mrr(table, DistMult(width=16, epochs=30, batch=16), 0, test=20)
    assert read > 2 * free


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(3))
def test_on_the_core_graph_texts_are_worth_three_times_free_vectors(seed):
    if not CORE.exists():
        pytest.skip(f"no core graph at {CORE}")
    table = table_of(Graph.in_memory(core=gzip.decompress(CORE.read_bytes())))
    table = dataclasses.replace(table, vectors=text_vectors(table.texts))
    read = _mrr(table, ConvTransE(encoder="none", epochs=20), seed, test=400)
    free = _mrr(table, ConvTransE(encoder="none", texts=False, epochs=20), seed, test=400)
    assert read >= 3 * free
