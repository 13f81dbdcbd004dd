"""WordNet from dict files, parquet and N-Triples: what is written, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from zoo.errors import InputError
from zoo.graph import Graph
from zoo_explanation.lexicon import lexicon_of
from zoo_explanation.sources.wordnet import WordNet

SHARED = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve() / "knowledge_graph"
DEBIAN = Path("/usr/share/wordnet")
DATA = """\
  1 This software and database is being provided to you
  2 WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.
00000001 03 n 01 animal 0 002 ~ 00000002 n 0000 + 00000007 v 0101 | a living being
00000002 05 n 02 crane 0 gruiform_"bird" 1 002 @ 00000001 n 0000 %p 00000004 n 0000 | wades; "a \
crane stood there"
00000003 06 n 01 crane 4 000 | lifts things
00000004 05 n 01 wing 0 001 %s 00000005 n 0000 | to fly with
00000005 27 n 01 bone 0 000 | hard
00000006 18 n 01 Crane 0 001 @i 00000001 n 0000 | United States writer
"""
INDEX = """\
  1 This software and database is being provided to you
animal n 1 2 ~ + 1 1 00000001
bone n 1 0 1 0 00000005
crane n 3 2 @ %p 3 1 00000003 00000006 00000002
gruiform_"bird" n 1 1 @ 1 0 00000002
wing n 1 1 %s 1 0 00000004
"""


def written(place):
    out = io.BytesIO()
    return WordNet().write(place, out, offline=True), out.getvalue()


@pytest.fixture
def dict_folder(tmp_path):
    (tmp_path / "data.noun").write_text(DATA)
    (tmp_path / "index.noun").write_text(INDEX)
    return tmp_path


def test_dict_files_give_kinds_parts_words_and_the_order_of_senses(dict_folder):
    facts, content = written(dict_folder)
    found = lexicon_of(Graph.in_memory(wordnet=content))
    assert (facts.version, facts.license) == ("3.0", "WordNet")
    assert [found.gloss(node) for node in found.senses("crane")] == [
        "wades", "United States writer",
    ]  # fmt: skip
    assert found.gloss(found.senses("Crane")[0]) == "United States writer"
    bird = found.by_wnid("n00000002")
    assert found.iri(bird) == "http://wordnet-rdf.princeton.edu/wn30/00000002-n"
    assert found.lemmas(bird) == ["crane", 'gruiform "bird"']
    assert found.field(bird) == "animal"
    assert [found.name(part) for part in found.parts(bird)] == ["wing"]
    assert b"mero_substance> <http://wordnet-rdf.princeton.edu/wn30/00000005-n>" in content
    assert [found.name(node) for node in found.parents(found.by_wnid("n00000006"))] == ["animal"]


def test_another_release_keeps_numbers_of_its_own(dict_folder):
    (dict_folder / "data.noun").write_text(DATA.replace("WordNet 3.0", "WordNet 3.1"))
    facts, content = written(dict_folder)
    assert facts.version == "3.1"
    assert b"/wn31/00000002-n" in content
    assert b"wnid30" not in content


def test_the_folder_of_princeton_s_archive_is_found(dict_folder):
    outer = dict_folder.with_name("WordNet-3.0")
    outer.mkdir()
    dict_folder.rename(outer / "dict")
    assert written(outer)[0].version == "3.0"
    assert written(outer / "dict/data.noun")[0].version == "3.0"


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("data.noun", ("03 n 01 animal", "03 n zz animal"), "data.noun, line 3: that is no noun"),
        ("data.noun", ("03 n 01 animal", "99 n 01 animal"), "data.noun, line 3: that is no noun"),
        ("data.noun", ("002 ~ 00000002 n 0000", "009 ~ 00000002 n 0000"), "line 3: that is no"),
        ("data.noun", (" | lifts things", ""), "data.noun, line 5: that is no noun"),
        ("data.noun", ("@ 00000001", "@ 00000009"), "line 4: it points to 00000009"),
        ("data.noun", ("WordNet 3.0 ", ""), "does not begin with the licence"),
        ("index.noun", ("crane n 3", "crane n 4"), "index.noun, line 4: that is no lemma"),
        ("index.noun", ("00000006", "00000066"), "line 4: it points to 00000066"),
        ("index.noun", ("bone", "\udcff"), "line 3: the line is not UTF-8"),
    ],
)
def test_a_broken_dict_file_is_named_with_its_line(dict_folder, file, change, complaint):
    path = dict_folder / file
    path.write_text(path.read_text().replace(*change), errors="surrogateescape")
    with pytest.raises(InputError, match=complaint) as caught:
        written(dict_folder)
    assert str(path) in caught.value.message


def test_a_folder_without_the_index_says_what_is_missing(dict_folder):
    (dict_folder / "index.noun").unlink()
    with pytest.raises(InputError, match=r"has no index.noun"):
        written(dict_folder)


@pytest.mark.parametrize("name", ["nothing", "empty", "notes.txt"])
def test_what_is_no_wordnet_is_refused_with_what_would_be(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("dog")
    with pytest.raises(InputError, match=name) as caught:
        written(tmp_path / name)
    assert "data.noun" in caught.value.hint


def parquet_folder(folder, **columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {
        "id": ["00000001-n", "00000002-n"],
        "ili": ["i1", None],
        "wnid30": ["n00000001", None],
        "wikidata": [["Q729"], None],
        "field": ["Tops", "animal"],
        "lemmas": [["animal"], ["crane", "gruiform \\ bird"]],
        "gloss": ["a living being", 'a "tall"\nbird'],
        "hypernyms": [[], ["00000001-n"]],
        "has_part": [[], None],
        "has_substance": [[], None],
    }
    table = pa.table({name: rows[name] for name in rows if name not in columns})
    pq.write_table(table, folder / "oewn_nouns.parquet")
    senses = {"lemma": ["animal", "crane"], "senses": [["00000001-n"], ["00000002-n"]]}
    pq.write_table(pa.table(senses), folder / "lemma_senses.parquet")
    return folder


def test_parquet_gives_every_character_back(tmp_path):
    facts, content = written(parquet_folder(tmp_path))
    found = lexicon_of(Graph.in_memory(wordnet=content))
    bird = found.senses("crane")[0]
    assert found.gloss(bird) == 'a "tall"\nbird'
    assert found.lemmas(bird)[1] == "gruiform \\ bird"
    assert found.iri(bird) == "https://en-word.net/id/oewn-00000002-n"
    assert b"<http://www.wikidata.org/entity/Q729>" in content
    assert facts.license == "CC-BY-4.0"


def test_broken_parquet_is_refused(tmp_path):
    path = parquet_folder(tmp_path, gloss=None) / "oewn_nouns.parquet"
    with pytest.raises(InputError, match=r"oewn_nouns.parquet has no column 'gloss'"):
        written(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"oewn_nouns.parquet cannot be read"):
        written(tmp_path)


def test_n_triples_are_copied_once_they_are_read(tmp_path):
    path = tmp_path / "core.nt.gz"
    triple = b'<http://a.example/b> <http://a.example/c> "d\\u0022\\ne"@en .\n'
    path.write_bytes(gzip.compress(triple))
    assert Graph.in_memory(core=written(path)[1]).query("ASK {?s ?p 'd\"\\ne'@en}")
    path.write_bytes(gzip.compress(triple + b"<http://a.example/b> nonsense\n"))
    with pytest.raises(InputError, match=r"core.nt.gz, line 2: that is no N-Triples"):
        written(path)


@pytest.mark.exhaustive
def test_debian_s_wordnet_is_read_whole():
    if not (DEBIAN / "data.noun").exists():
        pytest.skip(f"no WordNet in {DEBIAN}: apt-get install wordnet-base")
    facts, content = written(DEBIAN)
    found = lexicon_of(Graph.in_memory(wordnet=content))
    assert facts.version == "3.0"
    assert len(found) == 82115
    assert not len(found.notes)
    names = [found.name(node) for node in found.path(*beagle_and_canine(found)).nodes]
    assert names == ["beagle", "hound", "hunting dog", "dog", "canine"]
    assert found.gloss(found.senses("dog")[0]).startswith("a member of the genus Canis")


def beagle_and_canine(found):
    return found.by_wnid("n02088364"), found.by_wnid("n02083346")
