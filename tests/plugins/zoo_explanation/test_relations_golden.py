"""The published numbers of alignment and overlap, on the whole of Open English WordNet."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from zoo.files import write_atomically
from zoo.graph import Graph
from zoo.types.reporting import LabelSpace
from zoo_explanation.alignment import Alignment, align
from zoo_explanation.alignment.automatic import guess
from zoo_explanation.lexicon import building, lexicon_of
from zoo_explanation.lexicon.caching import decode, encode
from zoo_explanation.lexicon.harvest import Harvest
from zoo_explanation.relations import overlap

SHARED = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
OEWN = "https://en-word.net/id/oewn-"

#: Section 3.4 of the specification: target, source, relation counts.
PUBLISHED = [
    ("oxford_pets", "imagenet", {"same": 24, "close": 1, "absent": 12}),
    ("oxford_pets", "cifar100", {"close": 4, "loose": 21, "absent": 12}),
    ("oxford_pets", "cifar10", {"broader": 25, "absent": 12}),
    ("oxford_pets", "fashion_mnist", {"general": 25, "absent": 12}),
    ("cifar10", "imagenet", {"narrower": 9, "loose": 1}),
    ("fashion_mnist", "imagenet", {"same": 2, "narrower": 6, "close": 1, "loose": 1}),
    ("eurosat", "imagenet", {"loose": 3, "general": 6, "absent": 1}),
    (
        "eurosat",
        "cifar100",
        {"same": 1, "narrower": 1, "broader": 1, "close": 2, "general": 4, "absent": 1},
    ),
]


def table(name):
    path = SHARED / "knowledge_graph" / name
    if not path.exists():
        pytest.skip(f"no {path}; set ZOO_SHARED_DATA to run this test")
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def nouns():
    """Read the nouns past the store, which takes longer than all these tests."""
    import pyarrow.parquet as pq

    folder = SHARED / "knowledge_graph"
    rows = pq.read_table(folder / "oewn_nouns.parquet").to_pydict()
    senses = pq.read_table(folder / "lemma_senses.parquet").to_pydict()
    order = sorted(range(len(rows["id"])), key=rows["id"].__getitem__)
    number = {rows["id"][row]: place for place, row in enumerate(order)}

    def links(column):
        return {
            (number[rows["id"][row]], number[each])
            for row in order
            for each in rows[column][row] or ()
            if each in number
        }

    def column(name):
        return {place: rows[name][row] for place, row in enumerate(order) if rows[name][row]}

    return Harvest(
        iris=[f"{OEWN}{rows['id'][row]}" for row in order],
        broader=links("hypernyms"),
        parts=links("has_part"),
        names=[list(rows["lemmas"][row]) for row in order],
        ranks={
            (number[each], lemma): rank
            for lemma, ids in zip(senses["lemma"], senses["senses"], strict=True)
            for rank, each in enumerate(ids)
            if each in number
        },
        glosses=column("gloss"),
        fields=column("field"),
        wnids=column("wnid30"),
        notes=[],
    )


@pytest.fixture(scope="module")
def gold():
    spaces = defaultdict(list)
    for row in table("dataset_labels.tsv"):
        spaces[row["dataset"]].append((row["label"], row["oewn"]))
    return spaces


@pytest.fixture(scope="module")
def words(gold, request):
    """Build the lexicon, or read what an earlier run of the same code and data built."""
    paths = [*Path(building.__file__).parent.glob("*.py"), SHARED / "knowledge_graph/manifest.json"]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:16]
    kept = request.config.cache.mkdir("nouns") / f"{key}.npz"
    if kept.exists():
        return decode(kept.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "harvest", lambda _: nouns())
        found = lexicon_of(Graph.in_memory())
    write_atomically(kept, encode(found))
    return found


def node(words, number):
    return words.node(f"{OEWN}{number}") if number else None


@pytest.fixture(scope="module")
def spaces(gold, words):
    known = {
        name: [Alignment(label=label, node=node(words, number)) for label, number in rows]
        for name, rows in gold.items()
    }
    known["imagenet"] = [
        Alignment(label=row["lemma"], node=node(words, row["oewn"]))
        for row in table("imagenet1k.tsv")
    ]
    return known


@pytest.mark.parametrize(("target", "source", "counts"), PUBLISHED)
def test_golden_relations_are_those_of_the_specification(spaces, words, target, source, counts):
    assert overlap(spaces[target], spaces[source], words, draws=2).counts == counts


def test_golden_random_nouns_are_nearer_to_more_classes(spaces, words):
    chance = [
        overlap(spaces["oxford_pets"], spaces[each], words).chance[0]
        for each in ("imagenet", "cifar100", "cifar10", "fashion_mnist")
    ]
    assert chance == sorted(chance, reverse=True)


def test_golden_tables_of_the_project_agree_with_the_hand_checked_senses(gold, words):
    for name, rows in gold.items():
        aligned = align(LabelSpace(name=name, labels=tuple(label for label, _ in rows)), words)
        assert [each.node for each in aligned] == [node(words, number) for _, number in rows]
        assert {each.how for each in aligned} <= {"curated", "absent"}


def test_golden_guesses_are_right_as_often_as_was_measured(gold, words):
    right = known = 0
    for rows in gold.values():
        guessed = guess({place: label for place, (label, _) in enumerate(rows)}, {}, words)
        for place, (_, number) in enumerate(rows):
            if number and guessed[place].node is not None:
                known += 1
                right += guessed[place].node == node(words, number)
                assert not guessed[place].confirmed
    assert known >= 153
    assert right / known >= 0.84


def test_golden_lemma_lists_of_imagenet_are_certain_or_say_that_they_are_not(spaces, words):
    for path in sorted(SHARED.glob("zoo/mobilenet_*/config.json")):
        names = json.loads(path.read_text()).get("id2label") or {}
        labels = tuple(names[each] for each in sorted(names, key=int))
        if len(labels) != len(spaces["imagenet"]) + 1 or labels[0] != "background":
            continue
        found = align(LabelSpace(name=path.parent.name, labels=labels), words)[1:]
        expected = [each.node for each in spaces["imagenet"]]
        right = [a.node == b for a, b in zip(found, expected, strict=True)]
        assert all(ok for ok, each in zip(right, found, strict=True) if each.confirmed)
        assert sum(right) >= 980
        return
    pytest.skip("no checkpoint with the labels of ImageNet")


def test_golden_path_of_the_beagle(spaces, words):
    beagle = next(each.node for each in spaces["imagenet"] if each.label == "beagle")
    canine = next(each for each in words.ancestors(beagle) if words.name(each) == "canine")
    path = [words.name(each) for each in words.path(beagle, canine).nodes]
    assert path == ["beagle", "hound", "hunting dog", "dog", "canine"]
