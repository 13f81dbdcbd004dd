"""Files into the graph and out again: wholly, or not at all."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.errors import InputError, NothingMatchedError, ZooError
from zoo.graph import Graph, GraphInfo, open_graph
from zoo.graph.exporting import export_graph
from zoo.graph.importing import import_files
from zoo.graph.loading import load_graphs, remove_graphs


def names(graph):
    return {row["n"].value for row in graph.query("SELECT ?n { ?x skos:prefLabel ?n }")}


def test_a_turtle_file_becomes_a_graph_of_its_name(animals, home):
    with open_graph(home) as graph:
        (info,) = import_files(graph, [animals], license_id="CC0-1.0", credit="by us")
        assert (info.name, info.triples, info.license) == ("animals", 14, "CC0-1.0")
        assert info.sha256
    with open_graph(home) as graph:
        assert graph.infos["animals"] == info
        assert names(graph) == {"animal", "dog", "cat", "tail", "Beagle", "andiron"}


def test_a_graph_that_is_imported_again_takes_the_place_of_the_old_one(animals, home):
    with open_graph(home) as graph:
        import_files(graph, [animals])
        before = graph.digest
        animals.write_text('<a:b> <http://www.w3.org/2004/02/skos/core#prefLabel> "only" .')
        import_files(graph, [animals])
        assert names(graph) == {"only"}
        assert graph.digest != before
    assert len([path for path in (home / "graph").iterdir() if path.name.startswith("store")]) == 1


def test_a_broken_file_is_named_with_its_line_and_nothing_is_loaded(animals, tmp_path, home):
    broken = tmp_path / "broken.ttl"
    broken.write_text("@prefix a: <a:> .\na:b a:c a:d .\na:b nowhere:c a:d .\n")
    with open_graph(home) as graph:
        import_files(graph, [animals])
        with pytest.raises(InputError, match=r"broken\.ttl, line 3: The prefix nowhere:") as error:
            import_files(graph, [animals, broken])
        assert error.value.exit_code == 2
        assert list(graph.infos) == ["animals"]
        assert names(graph) >= {"dog"}
        import_files(graph, [animals])
    with open_graph(home) as graph:
        assert names(graph) >= {"dog"}
    assert len([path for path in (home / "graph").iterdir() if path.name.startswith("store")]) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "cut.nt.gz",
            gzip.compress(b"<a:b> <a:c> <a:d> .\n" * 1000, mtime=0)[:30],
            "no whole gzip file",
        ),
        ("odd.nt.gz", b"nothing packed", "no whole gzip file"),
        ("bytes.nt", b'<a:b> <a:c> "\xff" .\n', "line 1: Invalid UTF-8"),
        ("far.jsonld", b'{"@context": "https://x.org/", "name": "y"}', "not asked"),
        ("strange.doc", b"", "does not say by its ending"),
        ("tree.rdf", b"<a><b></a>", "tree.rdf"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    graph = Graph.in_memory()
    with pytest.raises(InputError, match=said):
        import_files(graph, [tmp_path / name])
    assert not graph.infos


def test_several_files_become_one_graph_where_a_name_is_given(animals, tmp_path):
    more = tmp_path / "more.nt.gz"
    more.write_bytes(gzip.compress(b"<a:b> <a:c> <a:d> .\n", mtime=0))
    graph = Graph.in_memory()
    (info,) = import_files(graph, [animals, more], name="all")
    assert (info.name, info.triples) == ("all", 15)
    with pytest.raises(InputError, match="cannot be called"):
        import_files(graph, [animals], name="run:x")


def test_a_format_of_rdflib_is_read(tmp_path):
    pytest.importorskip("rdflib")
    trix = tmp_path / "small.trix"
    trix.write_text(
        '<TriX xmlns="http://www.w3.org/2004/03/trix/trix-1/"><graph><triple><uri>a:b</uri>'
        "<uri>a:c</uri><uri>a:d</uri></triple></graph></TriX>"
    )
    graph = Graph.in_memory()
    assert import_files(graph, [trix])[0].triples == 1
    trix.write_text("<TriX")
    with pytest.raises(InputError, match="is no trix"):
        import_files(graph, [trix])


def test_without_rdflib_the_way_to_get_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "small.trix").write_text("")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        import_files(Graph.in_memory(), [tmp_path / "small.trix"])
    assert "zoo-reuse[graph]" in error.value.hint


@pytest.mark.parametrize("ending", ["ttl", "nt", "nq.gz", "trig", "rdf", "jsonld", "n3"])
def test_every_format_that_is_written_is_read_again(animals, tmp_path, ending):
    graph = Graph.in_memory()
    import_files(graph, [animals])
    path = tmp_path / f"out.{ending}"
    assert export_graph(graph, path, name="animals") == 14
    again = Graph.in_memory()
    import_files(again, [path])
    assert set(again.triples()) == set(graph.triples())
    with pytest.raises(InputError, match="no graph called 'animal'"):
        export_graph(graph, path, name="animal")


_IRIS = st.sampled_from([f"https://example.org/{each}" for each in "abcde"])
_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(_IRIS, _IRIS, st.one_of(_IRIS, _TEXTS, st.integers()))),
    st.sampled_from(["ttl", "nt.gz", "nq", "trig", "jsonld"]),
)
def test_what_is_exported_comes_back_the_same(tmp_path, facts, ending):
    from pyoxigraph import Literal, NamedNode, Quad

    graph = Graph.in_memory()
    quads = [
        Quad(
            NamedNode(subject),
            NamedNode(predicate),
            NamedNode(value) if str(value).startswith("https://") else Literal(value),
        )
        for subject, predicate, value in facts
    ]
    load_graphs(graph, [(GraphInfo(name="facts", triples=0), quads)])
    path = tmp_path / f"facts.{ending}"
    export_graph(graph, path)
    again = Graph.in_memory()
    import_files(again, [path])
    assert set(again.triples()) == set(graph.triples())


def test_a_graph_is_removed_and_a_runs_graph_is_not(animals, home, record):
    run = record()
    with open_graph(home) as graph:
        import_files(graph, [animals])
        with pytest.raises(InputError, match="no graph called 'anima'"):
            remove_graphs(graph, ["anima"])
        with pytest.raises(InputError, match="as long as the run is"):
            remove_graphs(graph, [f"run:{run.name}"])
        remove_graphs(graph, ["animals"])
        assert list(graph.infos) == [f"run:{run.name}"]
        assert not names(graph)


def test_a_large_graph_is_left_out_by_copying_the_rest(animals, home, monkeypatch):
    monkeypatch.setattr("zoo.graph.loading._SMALL", 3)
    with open_graph(home) as graph:
        import_files(graph, [animals])
        import_files(graph, [animals], name="other")
        remove_graphs(graph, ["animals"])
        assert "dog" in names(graph)
        assert len(graph.store) == 14


_KILLED = """
import os, signal, sys
from pathlib import Path
from pyoxigraph import NamedNode, Quad
import zoo.graph.loading as loading
from zoo.graph import GraphInfo, open_graph

loading._AT_ONCE = 100
def quads():
    for place in range(1000):
        if place == 500:
            print("half", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        yield Quad(NamedNode(f"a:{place}"), NamedNode("a:b"), NamedNode("a:c"))

with open_graph(Path(sys.argv[1])) as graph:
    loading.load_graphs(graph, [(GraphInfo(name="animals", triples=0), quads())])
"""


def test_a_killed_load_leaves_the_graph_as_it_was(animals, home):
    with open_graph(home) as graph:
        import_files(graph, [animals])
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_KILLED), str(home)],
        check=False,
        capture_output=True,
        env={**os.environ},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    stores = [path for path in (home / "graph").iterdir() if path.name.startswith("store")]
    assert len(stores) == 2, "the unfinished store is still there"
    with open_graph(home, wait=1) as graph:
        assert graph.infos["animals"].triples == 14
        assert len(graph.store) == 14
    stores = [path for path in (home / "graph").iterdir() if path.name.startswith("store")]
    assert len(stores) == 1


def test_one_process_at_a_time_holds_it(home):
    with open_graph(home), pytest.raises(ZooError, match="another zoo process"):  # noqa: SIM117 -- the order matters
        with open_graph(home, wait=0.1):
            pass


def test_no_graph_is_made_where_none_is_wanted(home):
    with pytest.raises(NothingMatchedError, match="no graph yet"):  # noqa: SIM117
        with open_graph(home, create=False):
            pass
    assert not home.exists()


@pytest.mark.parametrize("what", ["graphs.json", "CURRENT", "store"])
def test_a_damaged_store_says_what_to_do(animals, home, what):
    with open_graph(home) as graph:
        import_files(graph, [animals])
        store = graph.folder / graph.generation
    if what == "store":
        store.rename(store.with_name("elsewhere"))
    else:
        path = store / what if what == "CURRENT" else home / "graph" / what
        path.write_text("nonsense")
    with pytest.raises(ZooError, match="is damaged") as error:  # noqa: SIM117
        with open_graph(home):
            pass
    assert "Delete that folder" in error.value.hint
    assert Path(home / "graph" / "graphs.json").exists()


def test_what_is_derived_lives_as_long_as_what_was_imported(animals, home, record):
    with open_graph(home) as graph:
        import_files(graph, [animals])
        graph.derived("index").write_text("old")
    record()
    with open_graph(home) as graph:
        assert graph.derived("index").read_text() == "old"
        import_files(graph, [animals], name="other")
        assert not graph.derived("index").exists()
        assert len(list((home / "graph" / "derived").iterdir())) == 1
    assert Graph.in_memory().derived("index") is None
