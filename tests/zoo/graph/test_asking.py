"""Questions only: no update, no other server, no stranger's text that acts."""

from __future__ import annotations

import pytest

from zoo.errors import InputError
from zoo.graph import Graph, terms
from zoo.graph.importing import import_files
from zoo.graph.neighbourhood import find_nodes, neighbourhood, visible
from zoo.graph.page import write_page


@pytest.fixture
def graph(animals):
    graph = Graph.in_memory()
    import_files(graph, [animals])
    return graph


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { <a:b> <a:c> 1 }",
        "delete where { ?s ?p ?o }",
        "# a comment\nPREFIX a: <a:>\nDROP GRAPH <a:b>",
        "BASE <a:b> PREFIX : <a:> WITH <a:b> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
        "CLEAR ALL",
        "LOAD <https://example.org/x.ttl>",
    ],
)
def test_an_update_is_refused_in_one_sentence(graph, text):
    with pytest.raises(InputError, match="would change the graph"):
        graph.query(text)


def test_another_server_is_not_asked(graph):
    with pytest.raises(InputError, match="another server"):
        graph.query("SELECT * { SERVICE <http://localhost:1/> { ?s ?p ?o } }")


def test_words_inside_texts_and_names_are_no_commands(graph):
    text = 'SELECT ?s { ?s skos:prefLabel "INSERT SERVICE <x>" . # DELETE SERVICE x\n }'
    assert not list(graph.query(text))
    assert not graph.query("ASK { ?insert <a:SERVICE> ?service }")


def test_what_is_no_query_says_where(graph):
    with pytest.raises(InputError, match=r"no SPARQL query: error at 1:"):
        graph.query("SELECT nothing")


@pytest.mark.parametrize("term", ["beagle", "BEAGLE", "bEaGlE", "https://example.org/beagle"])
def test_a_node_is_found_by_its_name_in_any_case_and_by_its_iri(graph, term):
    assert [node.name for node in find_nodes(graph, term)] == ["Beagle"]


def test_every_node_of_a_name_is_found(graph):
    assert [node.name for node in find_nodes(graph, "dog")] == ["andiron", "dog"]
    assert find_nodes(graph, "unicorn") == []
    assert find_nodes(graph, "not an: iri <") == []


def test_the_neighbourhood_has_kinds_parts_and_other_links(graph):
    found = neighbourhood(graph, "https://example.org/dog")
    assert [[node.name for node in chain] for chain in found.broader] == [["animal"]]
    assert [branch.node.name for branch in found.narrower] == ["Beagle"]
    assert [node.name for node in found.parts] == ["tail"]
    assert found.names == ("dog", "hound")
    (link,) = found.links
    assert (link.predicate, link.nodes[0].name) == ("skos:related", "cat")
    assert found.graphs == ("animals",)


def test_long_lists_say_how_many_are_left_out(graph):
    found = neighbourhood(graph, "https://example.org/animal", most=1)
    assert len(found.narrower) == 1
    assert found.more == 1
    assert found.narrower[0].more == 0


def test_a_circle_of_kinds_ends():
    name = terms.BROADER[0]
    lines = f"<a:x> <{name}> <a:y> .\n<a:y> <{name}> <a:x> .\n<a:x> <{name}> <a:x> .\n"
    found = neighbourhood(Graph.in_memory(circle=lines.encode()), "a:x", depth=5)
    assert [[node.iri for node in chain] for chain in found.broader] == [["a:y"]] or found.broader


def test_a_strangers_text_steers_neither_terminal_nor_page(tmp_path):
    label = "\\u001b[2Jbad\\u202e<script>alert(1)</script>"
    lines = f'<a:x> <http://www.w3.org/2004/02/skos/core#prefLabel> "{label}" .\n'
    found = neighbourhood(Graph.in_memory(bad=lines.encode()), "a:x")
    assert found.node.name == "[2Jbad <script>alert(1)</script>"
    write_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.partition("<body>")[0]


def test_texts_without_end_are_cut():
    assert len(visible("x" * 10_000)) == 400


def test_names_are_shortened_and_expanded_by_the_prefixes():
    assert terms.prefixed(f"{terms.WN}hypernym") == "wn:hypernym"
    assert terms.expanded("wn:hypernym") == f"{terms.WN}hypernym"
    assert terms.prefixed("https://example.org/x") == "https://example.org/x"
    assert terms.iri_of_model('./a b"<>') == "urn:zoo:model:./a%20b%22%3C%3E"
