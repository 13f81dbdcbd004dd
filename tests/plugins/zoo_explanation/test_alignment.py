"""Alignment: what labels mean, by what, and how sure that is."""

from __future__ import annotations

import pytest

from zoo.errors import InputError, UnknownNameError
from zoo.graph import Graph
from zoo.types.reporting import LabelSpace
from zoo_explanation.alignment import align, ambiguous, check_senses, says_nothing
from zoo_explanation.alignment.curated import tables
from zoo_explanation.alignment.labels import meaningless, names_of, spaced
from zoo_explanation.lexicon import lexicon_of

KINDS = {
    "entity": ("entity", "", "what is", ""),
    "thing": ("physical entity", "entity", "what can be touched", ""),
    "animal": ("animal", "thing", "lives", "animal"),
    "bird": ("bird", "animal", "has feathers", "animal"),
    "crane1": ("crane", "bird", "a large wading bird", "animal"),
    "heron": ("heron;grey heron", "bird", "a wading bird", "animal"),
    "artifact": ("artifact", "thing", "made by hand", "artifact"),
    "machine": ("machine", "artifact", "works", "artifact"),
    "crane2": ("crane", "machine", "lifts heavy objects", "artifact"),
    "drill": ("drill", "machine", "makes holes", "artifact"),
    "plant": ("plant;flora", "thing", "grows", "plant"),
    "tree": ("tree", "plant", "has a trunk", "plant"),
    "maple": ("maple", "tree", "has keys", "plant"),
    "wood": ("maple", "artifact", "wood of any of various maples", "substance"),
    "daisy": ("daisy", "plant", "has rays", "plant"),
    "rose": ("rose", "plant", "has thorns", "plant"),
    "tulip": ("tulip", "plant", "has a bulb", "plant"),
    "sunflower": ("sunflower", "plant", "turns", "plant"),
    "dandelion": ("dandelion", "plant", "blows", "plant"),
    "feeling": ("feeling", "entity", "is felt", "feeling"),
    "blue": ("blue", "feeling", "a colour felt", "feeling"),
}


def lexicon(kinds=None):
    lines = []
    for number, (name, (words, above, gloss, field)) in enumerate((kinds or KINDS).items()):
        node = f"<urn:x:{name}>"
        first, *others = words.split(";")
        lines.append(f'{node} <http://www.w3.org/2004/02/skos/core#prefLabel> "{first}"@en .')
        lines += [
            f'{node} <http://www.w3.org/2004/02/skos/core#altLabel> "{w}"@en .' for w in others
        ]
        lines.append(f'{node} <http://www.w3.org/2004/02/skos/core#definition> "{gloss}"@en .')
        wn = "https://globalwordnet.github.io/schemas/wn#"
        lines.append(f'{node} <{wn}lexfile> "{field}" .')
        lines.append(f'{node} <{wn}wnid30> "n{number:08d}" .')
        if above:
            lines.append(f"{node} <{wn}hypernym> <urn:x:{above}> .")
    return lexicon_of(Graph.in_memory(words="\n".join(lines).encode()))


@pytest.fixture(scope="module")
def words():
    return lexicon()


def found(words, *labels, name="", **options):
    return align(LabelSpace(name=name, labels=labels), words, **options)


def iri(words, each):
    return None if each.node is None else words.iri(each.node).rpartition(":")[2]


def test_the_other_labels_decide_between_two_senses(words):
    birds = found(words, "crane", "heron")
    assert iri(words, birds[0]) == "crane1"
    assert (birds[0].how, birds[0].confirmed) == ("word", False)
    assert iri(words, found(words, "crane", "drill")[0]) == "crane2"


def test_nothing_decides_between_two_senses_alone(words):
    (crane,) = ambiguous(found(words, "crane"))
    assert [words.iri(each) for each in crane.alternatives] == ["urn:x:crane2"]


@pytest.mark.parametrize(
    "choice", ["urn:x:crane2", "<urn:x:crane2>", "n00000008", "crane#2", "lifts", "heavy objects"]
)
def test_the_persons_choice_is_taken_however_it_is_written(words, choice):
    crane, _ = found(words, "Crane", "heron", senses={"crane": choice})
    assert (iri(words, crane), crane.how, crane.confirmed) == ("crane2", "chosen", True)


@pytest.mark.parametrize(
    "choice", ["crane#3", "crane#0", "nonsense", "urn:x:nothing", "", "n99999999"]
)
def test_a_choice_that_is_no_sense_names_the_senses_there_are(words, choice):
    with pytest.raises(InputError, match="crane") as caught:
        found(words, "crane", senses={"crane": choice})
    assert "urn:x:crane1" in caught.value.hint
    assert "lifts heavy objects" in caught.value.hint


def test_a_choice_for_a_label_that_nothing_has_names_the_nearest():
    space = LabelSpace(name="a", labels=("crane", "heron"))
    check_senses({"Crane": "crane#1"}, [space])
    with pytest.raises(UnknownNameError, match="crane"):
        check_senses({"crnae": "crane#1"}, [space])


def test_wordnet_ids_are_read_as_labels_and_beside_them(words):
    (by_label,) = found(words, "n00000003")
    assert (iri(words, by_label), by_label.how) == ("bird", "id")
    (beside,) = align(LabelSpace(name="", labels=("x",), ids=("n00000004",)), words)
    assert (iri(words, beside), beside.confirmed) == ("crane1", True)


def test_all_names_of_a_synset_are_certain(words):
    heron, plant = found(words, "heron, grey heron", "plant, flora")
    assert [iri(words, each) for each in (heron, plant)] == ["heron", "plant"]
    assert (heron.how, heron.confirmed) == ("names", True)


def test_the_order_of_ids_decides_between_senses_of_one_name():
    kinds = {"a00": ("top", "", "", "")}
    for place in range(1, 31):
        kinds[f"a{place:02d}"] = (f"kind {place};name {place}", "a00", "", "")
    kinds |= {"a05b": ("crane", "a00", "bird", ""), "a20b": ("crane", "a00", "machine", "")}
    words = lexicon(kinds)
    labels = [f"kind {place}, name {place}" for place in range(1, 31)]
    labels.insert(20, "crane")
    labels.insert(5, "crane")
    aligned = align(LabelSpace(name="", labels=("background", *labels)), words)
    assert [words.iri(aligned[place].node) for place in (6, 22)] == ["urn:x:a05b", "urn:x:a20b"]
    assert [aligned[place].how for place in (0, 6)] == ["ignored", "order"]
    assert all(each.confirmed for each in aligned)


def test_a_table_holds_only_for_all_of_its_labels(words):
    flowers = found(words, "daisy", "Rose", "tulip", "sunflower", "dandelion")
    assert {(each.how, each.confirmed) for each in flowers} == {("curated", True)}
    mixed = found(words, "daisy", "rose", "heron")
    assert {each.how for each in mixed} == {"word"}


def test_every_row_of_the_tables_is_well_formed():
    for name, table in tables().items():
        assert table, name
        for label, (lemma, above) in table.items():
            assert label.strip() == label
            assert lemma or not above


def test_words_are_found_without_plural_kind_and_first_words(words):
    cranes, tree, kind, unknown = found(words, "herons", "maple_tree", "big heron", "qwertz")
    assert (iri(words, cranes), cranes.how) == ("heron", "plural")
    assert (iri(words, tree), tree.how) == ("maple", "compound")
    assert (iri(words, kind), kind.how, kind.broader) == ("heron", "head", True)
    assert (unknown.node, unknown.how) == (None, "absent")


def test_the_last_word_of_a_name_is_dropped_where_it_is_unlike_the_others(words):
    *_, breed = found(words, "heron", "crane", "grey heron", "Russian Blue")
    assert breed.node is None


def test_a_phrase_is_not_its_last_word(words):
    (phrase,) = found(words, "what to do about a crane")
    assert phrase.node is None


@pytest.mark.parametrize("label", ["LABEL_0", "17", "class 3", "label-2", "category_9"])
def test_numbers_say_nothing(words, label):
    assert meaningless(label)
    assert says_nothing(found(words, label, label))


def test_digits_are_digits_only_where_the_name_says_so():
    kinds = {
        "number": ("number", "", "", "quantity"),
        "digit": ("digit", "number", "", "quantity"),
        "seven": ("seven;7", "digit", "", "quantity"),
    }
    words = lexicon(kinds)
    assert found(words, "7", name="mnist")[0].how == "curated"
    assert found(words, "7", name="photos")[0].how == "meaningless"


def test_an_encoder_compares_glosses_and_its_similarity_is_kept(words):
    import numpy as np

    def encode(texts):
        rows = np.array([[float("heavy" in each), float("heavy" not in each)] for each in texts])
        return np.ones_like(rows) / np.sqrt(2) if any("one of" in each for each in texts) else rows

    crane, _ = found(words, "crane", "drill", encode=encode)
    assert crane.similarity == pytest.approx(1 / np.sqrt(2))


def test_labels_are_split_into_names():
    assert names_of("Aramus guarauna (Limpkin)") == ["Aramus guarauna", "Limpkin"]
    assert names_of("tench, Tinca tinca") == ["tench", "Tinca tinca"]
    assert names_of("crane (2)") == ["crane"]
    assert spaced("AnnualCrop") == "Annual Crop"


def test_no_labels_and_an_empty_graph_give_nothing(words):
    assert found(words) == []
    empty = lexicon_of(Graph.in_memory())
    assert [each.how for each in found(empty, "rose", "LABEL_3")] == ["absent", "meaningless"]
