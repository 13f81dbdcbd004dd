"""WordNet from LMF: as a stream, and through the library that keeps such files in a database."""

from __future__ import annotations

import gzip
import io

import pytest

from zoo.errors import InputError, OfflineError
from zoo.graph import Graph
from zoo_explanation.lexicon import lexicon_of
from zoo_explanation.sources.wordnet import WordNet

LMF = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.1.dtd">
<LexicalResource xmlns:dc="https://globalwordnet.github.io/schemas/dc/">
  <Lexicon id="{id}" label="A small wordnet" language="en" email="nobody@example.org"
           license="https://creativecommons.org/licenses/by/4.0" version="2024" url="">
    <LexicalEntry id="{id}-animal-n"><Lemma writtenForm="animal" partOfSpeech="n"/>
      <Sense id="{id}-animal-1" synset="{id}-00000001-n"/></LexicalEntry>
    <LexicalEntry id="{id}-crane-n"><Lemma writtenForm="crane" partOfSpeech="n"/>
      <Sense id="{id}-crane-1" synset="{id}-00000003-n"/>
      <Sense id="{id}-crane-2" synset="{id}-00000002-n"/></LexicalEntry>
    <LexicalEntry id="{id}-Grus-n"><Lemma writtenForm="gruiform &amp; tall" partOfSpeech="n"/>
      <Sense id="{id}-Grus-1" synset="{id}-00000002-n"/></LexicalEntry>
    <LexicalEntry id="{id}-machine-n"><Lemma writtenForm="machine" partOfSpeech="n"/>
      <Sense id="{id}-machine-1" synset="{id}-00000004-n"/></LexicalEntry>
    <LexicalEntry id="{id}-wing-n"><Lemma writtenForm="wing" partOfSpeech="n"/>
      <Sense id="{id}-wing-1" synset="{id}-00000005-n"/></LexicalEntry>
    <LexicalEntry id="{id}-crane-v"><Lemma writtenForm="crane" partOfSpeech="v"/>
      <Sense id="{id}-crane-v-1" synset="{id}-00000009-v"/></LexicalEntry>
    <Synset id="{id}-00000001-n" ili="i1" partOfSpeech="n" members="{id}-animal-n"
            lexfile="noun.animal"><Definition>a living "thing"</Definition></Synset>
    <Synset id="{id}-00000002-n" ili="i2" partOfSpeech="n"
            members="{id}-Grus-n {id}-crane-n" lexfile="noun.animal">
      <Definition>a tall
         bird</Definition><Definition>another text</Definition>
      <SynsetRelation relType="hypernym" target="{id}-00000001-n"/>
      <SynsetRelation relType="mero_part" target="{id}-00000005-n"/></Synset>
    <Synset id="{id}-00000003-n" ili="in" partOfSpeech="n" lexfile="noun.artifact"
            members="{id}-crane-n">
      <Definition>lifts things</Definition><ILIDefinition>it lifts heavy things</ILIDefinition>
      <SynsetRelation relType="hypernym" target="{id}-00000004-n"/></Synset>
    <Synset id="{id}-00000004-n" ili="i4" partOfSpeech="n" members="{id}-machine-n"
            lexfile="noun.artifact"><Definition>a device</Definition></Synset>
    <Synset id="{id}-00000005-n" ili="i5" partOfSpeech="n" members="{id}-wing-n"
            lexfile="noun.animal"><Definition>to fly with</Definition>
      <SynsetRelation relType="hypernym" target="{id}-00000001-n"/></Synset>
    <Synset id="{id}-00000009-v" ili="i9" partOfSpeech="v" members="{id}-crane-v">
      <Definition>stretch</Definition></Synset>
  </Lexicon>
</LexicalResource>
"""


def written(place, **options):
    out = io.BytesIO()
    return WordNet().write(place, out, offline=True, **options), out.getvalue()


def lexicon(content):
    return lexicon_of(Graph.in_memory(wordnet=content))


def file_of(folder, name="wordnet.xml", lexicon_id="oewn", content=LMF):
    path = folder / name
    text = content.replace("{id}", lexicon_id).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def shown(found):
    return {found.iri(node): (found.lemmas(node), found.gloss(node)) for node in range(len(found))}


def check_meanings(found):
    bird, machine = found.senses("crane")[::-1]
    assert (found.field(bird), found.field(machine)) == ("animal", "artifact")
    assert found.lemmas(bird)[0] == "gruiform & tall"
    assert found.gloss(bird) == "a tall bird"
    assert [found.name(part) for part in found.parts(bird)] == ["wing"]
    assert [found.name(node) for node in found.path(bird, found.senses("wing")[0]).nodes] == [
        "gruiform & tall", "animal", "wing",
    ]  # fmt: skip
    assert found.path(bird, machine) is None


@pytest.mark.parametrize("name", ["wordnet.xml", "wordnet.xml.gz"])
def test_nouns_come_with_their_senses_in_order(tmp_path, name):
    facts, content = written(file_of(tmp_path, name))
    assert (facts.version, facts.license) == ("2024, without WordNet 3.0 ids", "CC-BY-4.0")
    assert "Open English WordNet" in facts.credit
    assert len(facts.sha256) == 64
    assert b"stretch" not in content
    assert b"another text" not in content
    check_meanings(lexicon(content))


def test_a_map_beside_the_file_gives_wordnet_3_ids(tmp_path):
    path = file_of(tmp_path)
    (tmp_path / "ili-map-pwn30.tab").write_text("i1\t00015388-n\ni2\t02012849-n\ni9\t00000001-v\n")
    facts, content = written(path)
    found = lexicon(content)
    assert facts.version == "2024"
    assert found.name(found.by_wnid("n02012849")) == "gruiform & tall"
    assert found.by_wnid("n00000001") is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("<Synset ", "<Synsets "), "line 20: that is no XML: mismatched tag"),
        (("LexicalResource xmlns", "rss xmlns"), "line 3: <rss> does not begin an LMF file"),
        (('writtenForm="animal" ', ""), "line 6: <Lemma> has no writtenForm"),
        (('1.1.dtd">', '1.1.dtd" [<!ENTITY a "aa">]>'), "line 2: it defines an entity, a"),
        (('partOfSpeech="n"', 'partOfSpeech="v"'), "has no nouns"),
        (("</LexicalResource>", ""), "no XML: no element found"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, change, complaint):
    path = file_of(tmp_path, content=LMF.replace(*change))
    with pytest.raises(InputError, match=complaint) as caught:
        written(path)
    assert str(path) in caught.value.message


def test_half_a_packed_file_is_refused(tmp_path):
    path = file_of(tmp_path, "half.xml.gz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"half.xml.gz cannot be read"):
        written(path)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Give ``wn`` a folder of its own, and close what it opens there."""
    wn = pytest.importorskip("wn")
    from wn import _db

    monkeypatch.setattr(wn.config, "_data_directory", wn.config._data_directory)
    monkeypatch.setattr(wn.config, "_dbpath", wn.config._dbpath)
    wn.config.data_directory = tmp_path / "wn"
    yield wn
    if connection := _db.pool.pop(wn.config.database_path, None):
        connection.close()


def test_the_library_s_own_data_gives_the_same_graph(tmp_path, library):
    path = file_of(tmp_path)
    library.add(path, progress_handler=None)
    facts, content = written(None)
    assert facts.version == "2024, without WordNet 3.0 ids"
    assert shown(lexicon(content)) == shown(lexicon(written(path)[1]))
    check_meanings(lexicon(content))


def test_wordnet_3_in_the_library_lends_its_ids(tmp_path, library):
    library.add(file_of(tmp_path), progress_handler=None)
    library.add(file_of(tmp_path, "omw.xml", "omw-en"), progress_handler=None)
    facts, content = written(None)
    found = lexicon(content)
    assert facts.version == "2024"
    assert found.iri(found.by_wnid("n00000002")) == "https://en-word.net/id/oewn-00000002-n"


def test_wordnet_3_alone_in_the_library_keeps_princeton_s_numbers(tmp_path, library):
    library.add(file_of(tmp_path, "omw.xml", "omw-en"), progress_handler=None)
    found = lexicon(written(None)[1])
    assert found.iri(0) == "http://wordnet-rdf.princeton.edu/wn30/00000001-n"
    assert found.by_wnid("n00000002") == found.senses("crane")[1]


def test_a_file_that_the_library_fetched_before_is_read(tmp_path, library):
    from zoo_explanation.sources.wordnet_library import RELEASE

    url = library.config.get_project_info(RELEASE)["resource_urls"][0]
    cached = library.config.get_cache_path(url)
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(file_of(tmp_path, "fetched.xml.gz").read_bytes())
    check_meanings(lexicon(written(None)[1]))


def test_offline_without_data_says_what_to_type(library):
    with pytest.raises(OfflineError, match="would have to be fetched") as caught:
        written(None)
    assert "--from" in caught.value.hint
    assert not library.config.database_path.exists()
