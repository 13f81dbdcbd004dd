"""``zoo graph complete``, ``predictions`` and ``accept`` on a graph of three kinds."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from zoo.completing.named_graphs import update_graphs
from zoo.graph import open_graph
from zoo.graph.terms import SKOS, WN
from zoo_cli.commands.graph import graph as group


@pytest.fixture
def home(tmp_path, monkeypatch):
    lines = []
    for kind, gloss in {"cat": "purring feline", "dog": "barking canine"}.items():
        lines += [f'<urn:x:{kind}> <{SKOS}prefLabel> "{kind}"@en .']
        for number in range(25):
            node = f"<urn:x:{kind}{number}>"
            lines += [f'{node} <{SKOS}prefLabel> "{kind} {number}"@en .']
            lines += [f'{node} <{SKOS}definition> "{gloss}"@en .']
            lines += [f"{node} <{WN}hypernym> <urn:x:{kind}> ."]
    with open_graph(tmp_path) as graph:
        update_graphs(graph, {"pets": lines})
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    return tmp_path


def run(*words, code=0):
    result = CliRunner().invoke(group, words, standalone_mode=False)
    if isinstance(result.exception, Exception) and code == 0:
        raise result.exception
    return result


QUICK = ("--set", "encoder=none", "--set", "epochs=8", "--set", "width=8", "--set", "channels=2")


def test_a_suggestion_is_printed_listed_and_accepted(home):
    said = run("complete", "--missing", "Bengal=purring feline", "-n", "2", "--evaluate", *QUICK)
    assert "'Bengal'" in said.stdout
    assert "unconfirmed" in said.stdout
    assert "none of it is a fact" in said.stderr
    assert "held-out links among" in said.stderr
    listed = json.loads(run("predictions", "bengal", "--json").stdout)["predictions"]
    assert len(listed) == 2
    none = run("query", "SELECT ?o { <urn:zoo:name:Bengal> wn:hypernym ?o }", "--json")
    assert "urn:x" not in none.stdout
    accepted = run("accept", listed[0]["id"], "--by", "anna")
    assert "accepted by anna on 2" in accepted.stdout
    facts = run("query", "SELECT ?o { <urn:zoo:name:Bengal> wn:hypernym ?o }", "--json")
    assert listed[0]["object"] in facts.stdout


def test_json_has_the_whole_report(home):
    report = json.loads(run("complete", "--method", "transe", "--set", "epochs=2", "--json").stdout)
    assert report["method"] == "transe"
    assert report["predictions"]
    assert {each["accepted"] for each in report["predictions"]} == {False}


def test_a_missing_thing_needs_a_name(home):
    result = run("complete", "--missing", "=a cat", code=2)
    assert "has no name" in str(result.exception)
