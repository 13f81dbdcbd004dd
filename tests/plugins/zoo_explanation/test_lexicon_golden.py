"""The lexicon on Open English WordNet: what its checks say of it."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.graph import Graph
from zoo_explanation.lexicon import best_lin, lexicon_of
from zoo_explanation.sources.wordnet import WordNet

SHARED = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve() / "knowledge_graph"


def lexicon_at(place):
    if not place.exists():
        pytest.skip(f"no {place}; set ZOO_SHARED_DATA to run this test")
    out = io.BytesIO()
    WordNet().write(place, out, offline=True)
    return lexicon_of(Graph.in_memory(wordnet=out.getvalue()))


def table(name):
    with (SHARED / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def synset(found, number):
    return found.node(f"https://en-word.net/id/oewn-{number}")


@pytest.fixture(scope="module")
def core():
    return lexicon_at(SHARED / "kg_core.nt.gz")


@pytest.fixture(scope="module")
def whole():
    return lexicon_at(SHARED / "oewn_nouns.parquet")


def test_the_golden_graph_passes_its_own_check():
    script = SHARED / "check_data.py"
    if not script.exists():
        pytest.skip(f"no {script}; set ZOO_SHARED_DATA to run this test")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check_classes(found):
    rows = table("imagenet1k.tsv")
    assert rows
    for row in rows:
        node = synset(found, row["oewn"])
        assert found.by_wnid(row["wnid30"]) == node
        assert node in found.senses(row["lemma"])
    beagle = found.by_wnid(next(row["wnid30"] for row in rows if row["lemma"] == "beagle"))
    above = {found.name(node): node for node in found.ancestors(beagle)}
    assert {"dog", "canine", "carnivore", "mammal", "animal", "entity"} <= above.keys()
    way = found.path(beagle, above["canine"])
    assert [found.name(node) for node in way.nodes] == [
        "beagle", "hound", "hunting dog", "dog", "canine",
    ]  # fmt: skip


def test_the_golden_facts_hold_in_the_core_graph(core):
    check_classes(core)
    tops = [node for node in range(len(core)) if core.children(node) and not core.parents(node)]
    assert [core.name(node) for node in tops] == ["entity"]
    assert list(core.notes) == []


def test_golden_labels_of_data_sets_are_found_by_their_lemmas(core):
    for row in table("dataset_labels.tsv"):
        if row["oewn"]:
            assert synset(core, row["oewn"]) in core.senses(row["lemma"])


@pytest.mark.exhaustive
def test_the_golden_facts_hold_in_the_whole_graph(whole):
    check_classes(whole)
    tops = [node for node in range(len(whole)) if not whole.parents(node)]
    assert [whole.name(node) for node in tops] == ["entity"]
    assert whole.descendants(tops[0]) == len(whole) - 1
    assert list(whole.notes) == []
    for row in table("dataset_labels.tsv"):
        if row["oewn"]:
            assert whole.gloss(synset(whole, row["oewn"])).startswith(row["gloss"][:20])


@pytest.mark.exhaustive
def test_golden_senses_keep_the_order_of_the_dictionary(whole):
    import pyarrow.parquet as pq

    rows = pq.read_table(SHARED / "lemma_senses.parquet").to_pylist()
    unknown = 0
    for row in rows:
        expected = [synset(whole, each) for each in dict.fromkeys(row["senses"])]
        found = whole.senses(row["lemma"])
        unknown += not found  # the two files spell a few lemmas differently
        assert not found or found[: len(expected)] == expected
    assert unknown < len(rows) / 10_000


@pytest.mark.exhaustive
def test_golden_random_leaves_are_as_near_to_imagenet_as_the_specification_measured(whole):
    from zoo_explanation.lexicon import random_leaves

    sources = [whole.by_wnid(row["wnid30"]) for row in table("imagenet1k.tsv")]
    leaves = random_leaves(whole, ["artifact", "animal", "plant", "object"] * 25, 10, 0).ravel()
    values = best_lin(whole, leaves, sources).values
    assert 0.5 < np.quantile(values, 0.95) <= 1
