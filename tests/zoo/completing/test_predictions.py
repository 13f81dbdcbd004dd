"""Predictions are stored as statements about statements, and become facts when accepted."""

from __future__ import annotations

from datetime import date

import pytest

from zoo.completing.predictions import (
    Prediction,
    accept,
    iri_of_name,
    prediction_id,
    stored_predictions,
    write_predictions,
)
from zoo.completing.wording import score_text, sentence
from zoo.errors import InputError
from zoo.graph import Graph, open_graph
from zoo.graph.terms import SKOS, WN

CAT, HYPERNYM = "https://example.org/cat", f"{WN}hypernym"
TRIPLES = f'<{CAT}> <{SKOS}prefLabel> "domestic cat"@en .\n'.encode()


def prediction(label="Bengal", probability=0.41, **more):
    subject = iri_of_name(label)
    return Prediction(
        id=prediction_id(subject, HYPERNYM, CAT, "trial"),
        subject=subject,
        label=label,
        relation=HYPERNYM,
        object=CAT,
        object_label="domestic cat",
        probability=probability,
        method="trial",
        **more,
    )


@pytest.fixture
def graph():
    return Graph.in_memory(core=TRIPLES)


def _facts(graph):
    return list(graph.query("SELECT * { ?s wn:hypernym ?o }"))


def test_no_query_takes_a_prediction_for_a_fact(graph):
    write_predictions(graph, [prediction()], {"method": "trial"})
    assert not _facts(graph)
    assert not list(graph.triples(iri_of_name("Bengal")))
    assert not list(graph.triples(None, HYPERNYM))
    assert not list(graph.query('SELECT ?s { ?s skos:prefLabel "Bengal"@en }'))
    assert stored_predictions(graph) == [prediction()]
    assert graph.infos["predicted"].triples > 0


def test_predictions_are_found_by_name_in_any_case_and_by_iri(graph):
    other = prediction("Pug & Co. <b>", 0.9, gloss='a "dog"\n\\')
    write_predictions(graph, [prediction(), other], {"method": "trial"})
    assert stored_predictions(graph) == [other, prediction()]
    assert stored_predictions(graph, "bengal") == [prediction()]
    assert stored_predictions(graph, iri_of_name("Bengal")) == [prediction()]
    assert stored_predictions(graph, "siamese") == []


def test_a_link_that_is_predicted_again_gets_the_new_probability(graph):
    write_predictions(graph, [prediction()], {"method": "trial"})
    write_predictions(graph, [prediction(probability=0.2)], {"method": "trial"})
    assert [each.probability for each in stored_predictions(graph)] == [0.2]


def test_accepting_makes_a_fact_with_who_and_when(graph):
    made = prediction(gloss="a spotted breed")
    write_predictions(graph, [made], {"method": "trial"})
    assert accept(graph, made.id[:5], by="anna b", on=date(2026, 3, 1)).accepted
    assert [(row["s"].value, row["o"].value) for row in _facts(graph)] == [(made.subject, CAT)]
    assert graph.name_of(made.subject) == "Bengal"
    ask = (
        "ASK { GRAPH graph:accepted { ?act a prov:Activity ; prov:used ?prediction ; "
        'prov:wasAssociatedWith <urn:zoo:person:anna%20b> ; prov:endedAtTime "2026-03-01"^^xsd:date'
        " } GRAPH graph:predicted { ?prediction zoo:accepted true } }"
    )
    assert graph.query(ask)
    write_predictions(graph, [made], {"method": "trial"})
    assert stored_predictions(graph)[0].accepted


def test_what_cannot_be_accepted_is_said(graph):
    with pytest.raises(InputError, match="no prediction is stored"):
        accept(graph, "ab", by="anna", on=date(2026, 3, 1))
    many = [prediction(f"cat {number}") for number in range(40)]
    write_predictions(graph, many, {"method": "trial"})
    with pytest.raises(InputError, match="no prediction has the id 'nothing'"):
        accept(graph, "nothing", by="anna", on=date(2026, 3, 1))
    first = next(each.id[0] for each in many if sum(o.id[0] == each.id[0] for o in many) > 1)
    with pytest.raises(InputError, match="begins"):
        accept(graph, first, by="anna", on=date(2026, 3, 1))
    accept(graph, many[0].id, by="anna", on=date(2026, 3, 1))
    with pytest.raises(InputError, match="accepted already"):
        accept(graph, many[0].id, by="anna", on=date(2026, 3, 1))


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    broken = prediction()
    with open_graph(tmp_path) as graph:
        monkeypatch.setattr(
            "zoo.completing.predictions._statement",
            lambda each, activity, accepted: ["<urn:a> <urn:b> <urn:c> . <urn:broken"],
        )
        with pytest.raises(SyntaxError):
            write_predictions(graph, [broken], {"method": "trial"})
        monkeypatch.undo()
        assert not list(graph.triples())
        assert not graph.infos
        write_predictions(graph, [broken], {"method": "trial"})
    with open_graph(tmp_path) as graph:
        assert stored_predictions(graph)[0].label == "Bengal"
        assert "predicted" in graph.infos


def test_the_sentence_says_that_nobody_confirmed_it():
    said = sentence(prediction())
    assert said == "'Bengal' may be a kind of domestic cat, score .41, unconfirmed"
    assert "is probably a kind of" in sentence(prediction(probability=0.7))
    assert [score_text(each) for each in (0.001, 0.9999)] == ["under .01", "over .99"]
