"""``zoo graph``: from a file to an answer, and every way to get it wrong."""

from __future__ import annotations

import csv
import io

import pytest

from zoo.runs import Request, start_run
from zoo.settings import resolve

ANIMALS = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix wn: <https://globalwordnet.github.io/schemas/wn#> .
@prefix : <https://example.org/> .
:animal skos:prefLabel "animal"@en .
:dog skos:prefLabel "dog"@en ; skos:definition "a <b>pet</b>"@en ; wn:hypernym :animal .
:beagle skos:prefLabel "beagle"@en ; wn:hypernym :dog .
:andiron skos:prefLabel "andiron"@en ; skos:altLabel "dog"@en .
"""

PLUGIN = """
from zoo.errors import OfflineError
from zoo.hookspecs import hookimpl
from zoo.types import GraphSourceSpec
from zoo.types.reporting import SourceFacts


class Tiny:
    def write(self, place, out, *, offline):
        if place is None and offline:
            raise OfflineError("tiny would have to be fetched.", "zoo graph fetch tiny --from F")
        text = place.read_bytes() if place else b"<a:b> <a:c> <a:d> .\\n"
        if text == b"boom":
            raise KeyError("boom")
        out.write(text)
        return SourceFacts(version="2", credit="Tiny data by nobody.")


@hookimpl
def zoo_graph_sources():
    return (
        GraphSourceSpec(name="tiny", target=f"{__name__}:Tiny", summary="t", reads="a file",
                        fetches=True, license="CC0-1.0"),
        GraphSourceSpec(name="brought", target=f"{__name__}:Tiny", summary="t", reads="a file"),
    )
"""


@pytest.fixture
def animals(tmp_path):
    path = tmp_path / "animals.ttl"
    path.write_text(ANIMALS)
    return path


@pytest.fixture
def loaded(zoo, animals):
    assert zoo("graph", "import", animals, "--license", "CC0-1.0").code == 0


def test_where_there_is_no_graph_reading_makes_none(zoo):
    listed = zoo("graph", "list", "--json")
    assert listed.code == 0
    assert listed.document["graphs"] == []
    assert "zoo graph fetch" in listed.err
    for arguments in (("show", "dog"), ("query", "ASK {}"), ("export", "-o", "x.ttl")):
        result = zoo("graph", *arguments)
        assert result.code == 4
        assert "no graph yet" in result.err
    assert not (resolve().settings.folder / "graph").exists()


def test_a_file_is_imported_listed_exported_and_removed(zoo, animals, tmp_path):
    result = zoo("graph", "import", animals, "--license", "CC0-1.0", "--credit", "By us.")
    assert result.out == "animals: 8 triples, CC0-1.0.\n"
    assert "By us." in result.err
    assert zoo("graph", "list", "-q").out == "animals\n"
    result = zoo("graph", "export", "animals", "-o", tmp_path / "out.nt.gz")
    assert result.out.endswith("8 triples.\n")
    assert zoo("graph", "import", tmp_path / "out.nt.gz", "--name", "again").code == 0
    result = zoo("graph", "remove", "animals", "-y", "--json")
    assert result.document["removed"] == ["animals"]
    assert zoo("graph", "list", "-q").out == "again\n"


def test_broken_turtle_names_its_line(zoo, loaded, tmp_path):
    broken = tmp_path / "broken.ttl"
    broken.write_text("<a:b> <a:c> <a:d> .\n<a:b> oops\n")
    result = zoo("graph", "import", broken)
    assert result.code == 2
    assert f"{broken}, line 2:" in result.err
    assert zoo("graph", "list", "-q").out == "animals\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "nowhere.ttl"), "nowhere.ttl cannot be read"),
        (("import", "nowhere.ttl", "--as", "turtel"), "Did you mean 'turtle'?"),
        (("fetch", "wordnt"), "Did you mean 'wordnet'?"),
        (("fetch", "conceptnet"), "conceptnet cannot be fetched"),
        (("fetch", "wordnet", "--from", "nowhere"), "there is nothing at nowhere"),
        (("query",), "one query is needed"),
        (("query", "--file", "nowhere.rq"), "nowhere.rq cannot be read"),
        (("export",), "no file to write to"),
    ],
)
def test_bad_input_is_one_sentence_and_makes_nothing(zoo, arguments, said):
    result = zoo("graph", *arguments)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_node_is_drawn_with_its_kinds(zoo, loaded):
    result = zoo("graph", "show", "BEAGLE")
    assert result.code == 0
    assert "is a kind of\n  animal\n  \u2514\u2500 dog\n" in result.out
    assert zoo("graph", "show", "beagle", "--json").document["broader"][0][1]["name"] == "dog"


def test_two_nodes_of_one_name_are_listed_to_choose_from(zoo, loaded, tmp_path):
    result = zoo("graph", "show", "dog")
    assert result.code == 2
    assert "https://example.org/andiron" in result.out
    assert "zoo graph show https://example.org/" in result.err
    page = tmp_path / "dog.html"
    result = zoo("graph", "show", "https://example.org/dog", "--html", page, "--depth", "2")
    assert result.code == 0
    assert "&lt;b&gt;pet&lt;/b&gt;" in page.read_text()
    assert "<svg" in page.read_text()


def test_what_nothing_is_called_ends_with_nothing_matched(zoo, loaded):
    result = zoo("graph", "show", "unicorn")
    assert result.code == 4
    assert "'unicorn'" in result.err


def test_a_query_is_answered_in_every_form(zoo, loaded, tmp_path):
    text = "SELECT ?n ?k { ?x skos:prefLabel ?n OPTIONAL { ?x wn:hypernym ?k } } ORDER BY ?n"
    assert "https://example.org/dog" in zoo("graph", "query", text).out
    rows = list(csv.DictReader(io.StringIO(zoo("graph", "query", text, "--format", "csv").out)))
    assert [row["n"] for row in rows] == ["andiron", "animal", "beagle", "dog"]
    document = zoo("graph", "query", text, "--json").document
    assert document["head"]["vars"] == ["n", "k"]
    assert document["results"]["bindings"][0] == {
        "n": {"type": "literal", "value": "andiron", "xml:lang": "en"}
    }
    short = zoo("graph", "query", text, "-n", "1", "-q")
    assert short.out == "andiron\n"
    (tmp_path / "ask.rq").write_text("ASK { ?x wn:hypernym ?y }")
    assert zoo("graph", "query", "--file", tmp_path / "ask.rq").out == "yes\n"
    made = zoo("graph", "query", "CONSTRUCT WHERE { ?x wn:hypernym ?y }")
    assert "wn:hypernym <https://example.org/animal>" in made.out
    assert (
        len(
            zoo("graph", "query", "DESCRIBE <https://example.org/dog>", "--json").document[
                "triples"
            ]
        )
        == 3
    )


def test_an_update_is_refused(zoo, loaded):
    result = zoo("graph", "query", "DELETE WHERE { ?s ?p ?o }")
    assert result.code == 2
    assert "DELETE would change the graph" in result.err
    assert zoo("graph", "list", "--json").document["graphs"][0]["triples"] == 8


def test_a_source_of_a_plugin_is_fetched_all_or_nothing(zoo, stranger, tmp_path, monkeypatch):
    stranger("zoo_tiny", PLUGIN)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    result = zoo("graph", "fetch", "tiny", "--json")
    assert result.code == 0, result.err
    (info,) = result.document["graphs"]
    assert (info["triples"], info["version"], info["license"]) == (1, "2", "CC0-1.0")
    assert "Tiny data by nobody." in result.err
    assert zoo("graph", "fetch", "tiny", "--offline").code == 2
    bad = tmp_path / "bad"
    bad.write_bytes(b"<a:b> <a:c> <a:d> .\nnonsense\n")
    result = zoo("graph", "import", bad, "--as", "brought")
    assert result.code == 2
    assert "what brought wrote, line 2" in result.err
    bad.write_bytes(b"boom")
    result = zoo("graph", "fetch", "brought", "--from", bad)
    assert result.code == 1
    assert "the graph source brought failed: KeyError" in result.err
    assert zoo("graph", "list", "-q").out == "tiny\n"


def test_runs_are_in_the_graph_and_a_damaged_one_is_named(zoo, loaded, ranking):
    home = resolve().settings.folder
    good, bad = (start_run(home, Request(data="photos")) for _ in range(2))
    good.mark("done", ranking)
    (bad.folder / "ranking.json").write_text("{")
    result = zoo("graph", "query", "SELECT ?m { ?run a zoo:Run ; prov:used/rdfs:label ?m }", "-q")
    assert ranking.ranking[0].model in result.out
    assert bad.name in result.err
    refused = zoo("graph", "remove", f"run:{good.name}", "-y")
    assert refused.code == 2
    assert f"zoo runs remove {good.name}" in refused.err
