"""ImageNet, ConceptNet, ATOMIC and Wikidata by file."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.graph import Graph
from zoo_explanation.lexicon import lexicon_of
from zoo_explanation.sources import ntriples as nt
from zoo_explanation.sources.atomic import Atomic
from zoo_explanation.sources.conceptnet import ConceptNet
from zoo_explanation.sources.imagenet import ImageNet
from zoo_explanation.sources.wikidata import Wikidata

SOURCES = {
    "imagenet": ImageNet,
    "conceptnet": ConceptNet,
    "atomic": Atomic,
    "wikidata": Wikidata,
}


def written(source, place, content=None):
    if content is not None:
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    out = io.BytesIO()
    return source().write(place, out, offline=True), out.getvalue()


def graph(source, place, content=None):
    return Graph.in_memory(it=written(source, place, content)[1])


def rows(found, query):
    return sorted(tuple(term.value for term in row) for row in found.query(query))


@given(st.text(), st.text(min_size=1))
def test_any_text_survives_as_a_literal_and_within_an_iri(text, name):
    out = io.BytesIO()
    writer = nt.TripleWriter(out)
    writer.add(nt.iri(f"http://a.example/{name}"), "<urn:p:q>", nt.literal(text, "en"))
    writer.add(f"<urn:zoo:text:{nt.part_of_iri(name)}>", "<urn:p:q>", nt.literal(name))
    writer.flush()
    store = Graph.in_memory(it=out.getvalue()).store
    found = {quad.object.value for quad in store}
    assert found == {
        text.encode("utf-8", "replace").decode(),
        name.encode("utf-8", "replace").decode(),
    }


@pytest.mark.parametrize("content", [
    "n01440764\nn02084071\n",
    "n01440764 tench, Tinca tinca\n\nn02084071 dog\n",
    "index\twnid30\toewn\tlemma\n0\tn01440764\tx\ttench\n1\tn02084071\ty\tdog\n",
])  # fmt: skip
def test_imagenet_s_classes_have_their_places(tmp_path, content):
    found = graph(ImageNet, tmp_path / "classes.tsv", content)
    query = "SELECT ?w ?i {?c a skos:Collection; skos:member [wn:wnid30 ?w; zoo:index ?i]}"
    assert rows(found, query) == [("n01440764", "0"), ("n02084071", "1")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("n01440764\ntench\n", "line 2: there is no WordNet id"),
        ("n01440764\nn01440764\n", "line 2: n01440764 stands in line 1 already"),
        ("index\twnid30\n0\n", "line 2: there is no WordNet id"),
        ("", "has no WordNet ids"),
    ],
)
def test_what_is_no_list_of_classes_is_refused(tmp_path, content, complaint):
    with pytest.raises(InputError, match=complaint):
        written(ImageNet, tmp_path / "classes.txt", content)


def test_imagenet_without_a_file_comes_from_timm(tmp_path, monkeypatch):
    from importlib.machinery import ModuleSpec

    timm = ModuleType("timm")
    timm.__spec__ = ModuleSpec("timm", None)
    monkeypatch.setitem(sys.modules, "timm", timm)
    with pytest.raises(InputError, match="read from timm") as caught:
        written(ImageNet, None)
    assert "--from FILE" in caught.value.hint
    timm.__spec__.submodule_search_locations = [str(tmp_path)]
    with pytest.raises(InputError, match=r"has no imagenet_synsets.txt"):
        written(ImageNet, None)
    (tmp_path / "data/_info").mkdir(parents=True)
    (tmp_path / "data/_info/imagenet_synsets.txt").write_text("n01440764\n")
    assert written(ImageNet, None)[0].version == "1 classes"


def assertion(relation, start, end, weight=1.0):
    name = f"/a/[{relation}/,{start}/,{end}/]"
    return "\t".join((name, relation, start, end, json.dumps({"weight": weight})))


CONCEPTS = "\n".join(
    (
        assertion("/r/IsA", "/c/en/hot_dog/n", "/c/en/food", 2.5),
        assertion("/r/AtLocation", "/c/en/dog", "/c/en/100%"),
        assertion("/r/Synonym", "/c/fr/chien", "/c/en/dog"),
    )
)


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode(), mtime=0)])
def test_conceptnet_keeps_english_and_weights_and_makes_no_taxonomy(tmp_path, pack):
    found = graph(ConceptNet, tmp_path / "assertions.csv", pack(CONCEPTS))
    assert rows(
        found, "SELECT ?l {?s <http://conceptnet.io/r/AtLocation> ?o. ?o rdfs:label ?l}"
    ) == [("100%",)]
    assert rows(found, "SELECT ?s ?w {?a rdf:subject ?s; zoo:weight ?w}") == [
        ("http://conceptnet.io/c/en/hot_dog/n", "2.5")
    ]
    assert not found.query('ASK {?s rdfs:label "chien"@en}')
    assert len(lexicon_of(found)) == 0


@pytest.mark.parametrize(
    ("source", "content", "complaint"),
    [
        (ConceptNet, CONCEPTS + "\na\tb", "line 4: an assertion has 5 cells, this has 2"),
        (ConceptNet, "a\tb\tc\td\t{}", "line 1: that is no relation between two concepts"),
        (ConceptNet, CONCEPTS.replace("2.5", "NaN"), "line 1: the fifth cell is no JSON"),
        (ConceptNet, "/a/\t/r/IsA\t/c/en/a\t/c/en/b\t[]", "line 1: the fifth cell is no JSON"),
        (Atomic, "a\tb\tc\nd\te\n", "line 2: a triple has 3 cells, this has 2"),
        (Atomic, "a\tb\tc\n\te\tf\n", "line 2: a cell is empty"),
        (Atomic, "", "has no triples"),
        (Wikidata, '[\n{"id": "Q1"},\n{"id": 3}\n]', "line 3: that is no item of Wikidata"),
        (Wikidata, '[\n{"id": "Q1"', "line 2: that is no item of Wikidata"),
        (Wikidata, "[\n]\n", "has no items"),
        (Wikidata, b"\xff\xfe", "line 1: the line is not UTF-8"),
        (Wikidata, gzip.compress(b"[\n" * 999, mtime=0)[:-9], "cannot be read"),
    ],
)  # fmt: skip
def test_a_broken_dump_is_named_with_its_line(tmp_path, source, content, complaint):
    path = tmp_path / "dump"
    with pytest.raises(InputError, match=complaint) as caught:
        written(source, path, content)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("name", ["conceptnet", "atomic", "wikidata"])
def test_a_dump_has_to_be_named_and_to_be_a_file(tmp_path, name):
    for place, complaint in (
        (None, "none was named"),
        (tmp_path / "gone", "there is no .*gone"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(InputError, match=complaint) as caught:
            written(SOURCES[name], place)
        assert f"zoo graph fetch {name} --from FILE" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        (
            "head\trelation\ttail\nPersonX eats\txWant\tto drink\n"
            "PersonX sleeps\txWant\tnone\nPersonX reads\txWant\tto  drink\n"
        ),
        "xWant\tPersonX eats\tto drink\t1\nxWant\tPersonX reads\tto drink\t0.5\n",
    ],
)
def test_atomic_finds_the_relation_where_it_stands(tmp_path, content):
    found = graph(Atomic, tmp_path / "train.txt", content)
    query = "SELECT ?h ?t {?s <urn:zoo:relation:xWant> ?o. ?s rdfs:label ?h. ?o rdfs:label ?t}"
    assert rows(found, query) == [("PersonX eats", "to drink"), ("PersonX reads", "to drink")]


def claim(*values, rank="normal"):
    return [
        {"mainsnak": {"snaktype": "value", "datavalue": {"value": value}}, "rank": rank}
        for value in values
    ]


def item(number, label, **claims):
    return {
        "id": number,
        "type": "item",
        "labels": {"en": {"language": "en", "value": label}, "de": {"value": "anders"}},
        "descriptions": [],
        "aliases": {"en": [{"value": f"{label} too"}]},
        "claims": claims or [],
    }


ITEMS = [
    item("Q144", "dog", P279=claim({"id": "Q39201"}), P8814=claim("02086723-n"),
         P361=claim({"id": "Q1"})),
    item("Q39201", "pet", P279=claim({"id": "Q9"}, rank="deprecated"),
         P527=claim({"id": "Q2"}), P31=[{"mainsnak": {"snaktype": "novalue"}}]),
    item("P31", "instance of"),
]  # fmt: skip


@pytest.mark.parametrize("pack", [str.encode, lambda text: bz2.compress(text.encode())])
def test_wikidata_gives_kinds_parts_and_names(tmp_path, pack):
    content = pack("[\n" + ",\n".join(json.dumps(each) for each in ITEMS) + "\n]\n")
    facts, triples = written(Wikidata, tmp_path / "dump.json", content)
    found = Graph.in_memory(wikidata=triples)
    lexicon = lexicon_of(found)
    dog, pet = lexicon.senses("dog too")[0], lexicon.senses("pet")[0]
    assert facts.version == "2 items"
    assert lexicon.parents(dog) == [pet]
    assert [lexicon.iri(node)[-2:] for node in lexicon.parts(pet)] == ["Q2"]
    whole = lexicon.node("http://www.wikidata.org/entity/Q1")
    assert lexicon.parts(whole) == [dog]
    assert found.query('ASK {?s <http://www.wikidata.org/prop/direct/P8814> "02086723-n"}')
    assert "anders" not in triples.decode()
    assert "Q9>" not in triples.decode()
