"""The journey: part of a graph is learnt, what is expected is stored, and nothing is a fact."""

from __future__ import annotations

import msgspec
import pytest

from zoo.api import open_catalogue
from zoo.completing.journey import Question, complete
from zoo.completing.named_graphs import update_graphs
from zoo.completing.predictions import stored_predictions
from zoo.completing.tables import Missing
from zoo.completing.wording import sentence
from zoo.errors import InputError, NothingMatchedError, UnknownNameError
from zoo.graph import open_graph
from zoo.graph.terms import SKOS, WN
from zoo.settings import Settings

KINDS = {
    "cat": "small purring feline with whiskers",
    "dog": "barking canine with a wagging tail",
    "ship": "large vessel sailing the sea",
}
CATS = ("Bengal", "Sphynx", "Ragdoll", "Birman", "Maine Coon", "Bombay")
DOGS = ("Pug", "Havanese", "Keeshond", "Samoyed", "Shiba Inu", "Leonberger")
BREEDS = (
    *(Missing(name, "purring feline with whiskers") for name in CATS),
    *(Missing(name, "barking canine with a tail") for name in DOGS),
)
QUICK = {"encoder": "none", "epochs": 15, "width": 16, "channels": 4, "batch": 16, "rate": 1e-2}


def triples():
    lines = []
    for kind, gloss in KINDS.items():
        lines.append(
            f'<urn:x:{kind}> <{SKOS}prefLabel> "{kind}"@en ; <{SKOS}definition> "{gloss}"@en .'
        )
        lines.append(f"<urn:x:{kind}> <{WN}hypernym> <urn:x:thing> .")
        for number in range(14):
            node = f"<urn:x:{kind}{number}>"
            lines.append(f'{node} <{SKOS}prefLabel> "{kind} number {number}"@en .')
            lines.append(f'{node} <{SKOS}definition> "a {gloss}"@en .')
            lines.append(f"{node} <{WN}hypernym> <urn:x:{kind}> .")
    return lines


@pytest.fixture
def settings(tmp_path):
    with open_graph(tmp_path) as graph:
        update_graphs(graph, {"pets": triples()})
    return Settings(home=str(tmp_path))


@pytest.fixture(scope="module")
def catalogue():
    return open_catalogue(Settings())


def test_missing_breeds_are_suggested_as_unconfirmed_and_none_is_a_fact(settings, catalogue):
    question = Question(missing=BREEDS, count=2, evaluate=True, options=QUICK)
    report = complete(question, settings, catalogue)
    assert len(report.predictions) == 2 * len(BREEDS)
    assert all(sentence(each).endswith("unconfirmed") for each in report.predictions)
    firsts = [each.object_label for each in report.predictions[::2]]
    assert sum(first == "cat" for first in firsts[:6]) >= 5
    assert sum(first == "dog" for first in firsts[6:]) >= 5
    assert report.metrics is not None
    assert report.reliability is not None
    assert 0 < report.metrics.mrr.value <= 1
    with open_graph(settings.folder) as graph:
        assert stored_predictions(graph, "maine coon")
        assert len(stored_predictions(graph)) == len(report.predictions)
        assert len(list(graph.triples(None, f"{WN}hypernym"))) == 45
    again = complete(question, settings, catalogue)
    assert msgspec.json.encode(again) == msgspec.json.encode(report)


def test_links_around_a_term_are_new_and_the_likeliest_first(settings, catalogue):
    question = Question(method="distmult", around=("cat",), count=4, options={"epochs": 3})
    report = complete(question, settings, catalogue)
    scores = [each.probability for each in report.predictions]
    assert scores == sorted(scores, reverse=True)
    assert len(report.predictions) == 4
    assert report.encoder == ""
    for each in report.predictions:
        assert "urn:x:cat" in (each.subject, each.object)
        assert (each.subject, each.object) != ("urn:x:cat", "urn:x:thing")


@pytest.mark.parametrize(
    ("question", "error", "said"),
    [
        ({"around": ("unicorn",)}, InputError, "no node of the graph is called 'unicorn'"),
        ({"method": "transe", "missing": BREEDS[:1]}, InputError, "reads no texts"),
        ({"method": "nothing"}, UnknownNameError, "no completer called 'nothing'"),
        ({"limit": 20}, InputError, "the graph links 46 nodes"),
        ({"around": ("cat",), "limit": 5}, InputError, "links are too few"),
        ({"relations": ("eats",)}, UnknownNameError, "no relation called 'eats'"),
        ({"options": {"depth": 3}}, InputError, "has no option 'depth'"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_stored(
    settings, catalogue, question, error, said
):
    with pytest.raises(error, match=said):
        complete(Question(**question), settings, catalogue)
    with open_graph(settings.folder) as graph:
        assert not stored_predictions(graph)


def test_without_a_graph_it_says_how_to_get_one(tmp_path, catalogue):
    with pytest.raises(NothingMatchedError, match="no graph yet"):
        complete(Question(), Settings(home=str(tmp_path)), catalogue)
