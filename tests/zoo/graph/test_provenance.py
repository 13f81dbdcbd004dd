"""Runs as provenance, and fine-tuned leaders as a history."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from zoo.graph import Graph, open_graph
from zoo.graph.exporting import export_graph
from zoo.graph.importing import import_files
from zoo.graph.provenance import history_of


def test_a_run_says_who_was_scored_on_what_with_which_result(home, record, ranking):
    run = record()
    with open_graph(home) as graph:
        assert not graph.failures
        rows = list(
            graph.query(
                "SELECT ?model ?value { ?run a prov:Activity ; rdfs:label ?name ; prov:used ?m . "
                "?m rdfs:label ?model . ?score a zoo:Score ; prov:wasGeneratedBy ?run ; "
                'zoo:model ?m ; zoo:estimator "logme" ; zoo:value ?value } ORDER BY DESC(?value)'
            )
        )
        found = [(row["model"].value, float(row["value"].value)) for row in rows]
        cells = [(row.model, row.estimators["logme"].value) for row in ranking.ranking]
        assert found == cells
        everything = " ".join(" ".join(each) for each in graph.triples())
        assert "SECRET" not in everything
        assert graph.infos[f"run:{run.name}"].triples == len(graph.store)
        assert graph.query("ASK { ?x a zoo:Failure ; zoo:stage ?s ; rdfs:comment ?why }")
        assert graph.query("ASK { ?x a zoo:Exclusion ; rdfs:comment ?why }")


def test_a_fine_tuned_leader_is_a_transfer_with_what_was_known_before(home, record, ranking):
    record()
    with open_graph(home) as graph:
        first, second = sorted(history_of(graph), key=lambda each: -each.value)
    assert first.source == ranking.ranking[0].model
    assert first.value == pytest.approx(0.9)
    assert second.value == pytest.approx(0.8)
    assert first.target == ranking.probe.name
    assert first.metric == "accuracy"
    assert first.quantities["logme"] == ranking.ranking[0].estimators["logme"].value
    assert first.quantities["parameters"] == ranking.ranking[0].parameters


def test_the_graph_follows_the_runs_folder(home, record, ranking):
    first, second = record(), record()
    with open_graph(home) as graph:
        assert len(graph.infos) == 2
    first.remove()
    changed = replace(ranking, run=second.name, truth=())
    second.mark("done", changed)
    with open_graph(home) as graph:
        assert list(graph.infos) == [f"run:{second.name}"]
        assert history_of(graph) == ()
    second.remove()
    with open_graph(home) as graph:
        assert not graph.infos
        assert len(graph.store) == 0


def test_a_run_that_has_not_changed_is_not_written_again(home, record, monkeypatch):
    record()
    with open_graph(home):
        pass
    monkeypatch.setattr("zoo.graph.provenance.quads_of", None)
    with open_graph(home) as graph:
        assert len(graph.infos) == 1


def test_a_damaged_run_is_left_out_and_named(home, record):
    good, bad = record(), record()
    (bad.folder / "ranking.json").write_text("{")
    with open_graph(home) as graph:
        assert list(graph.infos) == [f"run:{good.name}"]
        (failure,) = graph.failures
        assert bad.name in failure.error


def test_somebody_elses_export_counts(home, record, tmp_path):
    run = record()
    with open_graph(home) as graph:
        export_graph(graph, tmp_path / "theirs.ttl", name=f"run:{run.name}")
        own = history_of(graph)
    mine = Graph.in_memory()
    import_files(mine, [tmp_path / "theirs.ttl"])
    assert history_of(mine) == own
    with open_graph(home) as graph:
        import_files(graph, [tmp_path / "theirs.ttl"])
        assert history_of(graph) == own, "the same transfer counts once"


def test_two_data_sets_of_one_name_are_told_apart(home, record, ranking):
    record()
    record(replace(ranking, probe=replace(ranking.probe, fingerprint="ab" * 32)))
    with open_graph(home) as graph:
        targets = {each.target for each in history_of(graph)}
    name = ranking.probe.name
    assert targets == {f"{name} (9f9f9f9f)", f"{name} (abababab)"}


def test_classes_of_both_sides_are_read_where_the_graph_has_them():
    line = "<urn:t> <urn:zoo:terms:{}> {} .\n"
    text = "<urn:t> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <urn:zoo:terms:Transfer> .\n"
    text += line.format("source", "<urn:m>") + line.format("target", "<urn:d>")
    text += line.format("value", '"0.5"') + '<urn:m> <urn:zoo:terms:class> "tench" .\n'
    text += '<urn:d> <urn:zoo:terms:class> "rose" .\n<urn:d> <urn:zoo:terms:class> "daisy" .\n'
    (record,) = history_of(Graph.in_memory(theirs=text.encode()))
    assert record.source_labels == ("tench",)
    assert record.target_labels == ("daisy", "rose")
    assert record.source == "urn:m"
    broken = text.replace('"0.5"', '"much"')
    assert history_of(Graph.in_memory(theirs=broken.encode())) == ()
