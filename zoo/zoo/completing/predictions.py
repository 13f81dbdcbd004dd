"""Predicted links in the graph: reified, with their probability, and facts once accepted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from zoo.completing.named_graphs import update_graphs
from zoo.errors import InputError
from zoo.graph.terms import RDF, SKOS, iri_of_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from zoo.graph import Graph

PREDICTION = "urn:zoo:prediction:"
#: Of something that the graph has no node for: only its name is known.
NAME = "urn:zoo:name:"
#: The named graphs of what is expected, and of what a person made a fact.
PREDICTED, ACCEPTED = "predicted", "accepted"

_LISTED = f"""
SELECT ?node ?subject ?relation ?object ?probability ?method ?accepted ?label ?gloss
WHERE {{ GRAPH <{iri_of_graph(PREDICTED)}> {{
  ?node rdf:subject ?subject ; rdf:predicate ?relation ; rdf:object ?object ;
        zoo:probability ?probability ; zoo:method ?method ; zoo:accepted ?accepted .
  OPTIONAL {{ ?node zoo:subjectName ?label }}
  OPTIONAL {{ ?node zoo:subjectGloss ?gloss }}
}} }}
"""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A link that a model expects.

    Attributes:
        id: the beginning of the sha256 of the link and the method: the same link, the same id.
        subject: IRI; ``urn:zoo:name:...`` where the graph has no node for it.
        label: its name.
        relation: IRI.
        object: IRI.
        object_label: its name.
        probability: calibrated on held-out links.
        method: what expects it.
        accepted: somebody made a fact of it.
        gloss: what the person said of a subject that the graph has no node for.
    """

    id: str
    subject: str
    label: str
    relation: str
    object: str
    object_label: str
    probability: float
    method: str
    accepted: bool = False
    gloss: str = ""

    @property
    def iri(self) -> str:
        """Of the statement in the graph."""
        return f"{PREDICTION}{self.id}"


def prediction_id(subject: str, relation: str, object_: str, method: str) -> str:
    """Give the id of a predicted link."""
    told = f"{subject}\n{relation}\n{object_}\n{method}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def iri_of_name(label: str) -> str:
    """Give the IRI of something that the graph knows by name only."""
    return f"{NAME}{quote(' '.join(label.split()), safe='')}"


def stored_predictions(graph: Graph, subject: str | None = None) -> list[Prediction]:
    """Read what the graph holds of predictions, the likeliest first.

    Args:
        graph: an open graph.
        subject: an IRI or a name, in any case; None for all.
    """
    found = [_prediction(graph, row) for row in graph.query(_LISTED)]
    if subject is not None:
        wanted = subject.casefold()
        found = [each for each in found if wanted in (each.label.casefold(), each.subject.lower())]
    return sorted(found, key=lambda each: (-each.probability, each.id))


def write_predictions(
    graph: Graph, predictions: Sequence[Prediction], origin: Mapping[str, str]
) -> None:
    """Store predictions, all or none; one that is stored already gets its new probability.

    What is accepted stays so.

    Args:
        graph: an open graph.
        predictions: what to store.
        origin: what made them, by name: the encoder, the seed, the graphs that were read.
    """
    if not predictions:
        return
    accepted = {each.id for each in stored_predictions(graph) if each.accepted}
    activity = f"urn:zoo:completion:{_digest(origin)}"
    lines = [f"<{activity}> a prov:Activity ."]
    lines += [f"<{activity}> zoo:{name} {_literal(value)} ." for name, value in origin.items()]
    for each in predictions:
        lines += _statement(each, activity, accepted=each.id in accepted)
    old = " ".join(f"<{each.iri}>" for each in predictions)
    clear = (
        f"DELETE {{ GRAPH <{iri_of_graph(PREDICTED)}> {{ ?node ?p ?o }} }} "
        f"WHERE {{ VALUES ?node {{ {old} }} "
        f"GRAPH <{iri_of_graph(PREDICTED)}> {{ ?node ?p ?o }} }}"
    )
    update_graphs(graph, {PREDICTED: lines}, before=clear)


def accept(graph: Graph, id_: str, *, by: str, on: date) -> Prediction:
    """Make a fact of a prediction, in the named graph ``accepted``, with who said so and when.

    A subject that the graph had no node for gets one, with its name and gloss.

    Args:
        graph: an open graph.
        id_: of the prediction, or an unambiguous beginning of it.
        by: the person.
        on: the day.

    Raises:
        InputError: there is no such prediction, or it is accepted already.
    """
    chosen = find_prediction(graph, id_)
    if chosen.accepted:
        raise InputError(f"{chosen.id} is accepted already.", "zoo graph predictions")
    link = f"<{chosen.subject}> <{chosen.relation}> <{chosen.object}> ."
    act = f"urn:zoo:acceptance:{chosen.id}"
    facts = [link, f"<{act}> a prov:Activity ; prov:used <{chosen.iri}> ."]
    facts.append(f"<{act}> prov:wasAssociatedWith <urn:zoo:person:{quote(by, safe='')}> .")
    facts.append(f'<{act}> prov:endedAtTime "{on.isoformat()}"^^xsd:date .')
    if chosen.subject.startswith(NAME):
        facts.append(f"<{chosen.subject}> <{SKOS}prefLabel> {_literal(chosen.label)}@en .")
        if chosen.gloss:
            facts.append(f"<{chosen.subject}> <{SKOS}definition> {_literal(chosen.gloss)}@en .")
    mark = (
        f"DELETE DATA {{ GRAPH <{iri_of_graph(PREDICTED)}> "
        f"{{ <{chosen.iri}> zoo:accepted false }} }}"
    )
    marked = {PREDICTED: [f"<{chosen.iri}> zoo:accepted true ."], ACCEPTED: facts}
    update_graphs(graph, marked, before=mark)
    return msgspec.structs.replace(chosen, accepted=True)


def find_prediction(graph: Graph, id_: str) -> Prediction:
    """Find a stored prediction by its id or an unambiguous beginning of it.

    Raises:
        InputError: none, or several.
    """
    typed = id_.strip().removeprefix(PREDICTION).lower()
    every = stored_predictions(graph)
    found = [each for each in every if typed and each.id.startswith(typed)]
    if len(found) == 1:
        return found[0]
    if not every:
        raise InputError("no prediction is stored.", "zoo graph complete --missing NAME")
    if not found:
        raise InputError(f"no prediction has the id {id_!r}.", "zoo graph predictions")
    listed = ", ".join(each.id for each in found[:5])
    raise InputError(f"{id_!r} begins {len(found)} ids: {listed}.", "Type more of it.")


def _statement(each: Prediction, activity: str, *, accepted: bool) -> list[str]:
    node = f"<{each.iri}>"
    named = each.subject.startswith(NAME)
    lines = [
        f"{node} a <{RDF}Statement> .",
        f"{node} rdf:subject <{each.subject}> .",
        f"{node} rdf:predicate <{each.relation}> .",
        f"{node} rdf:object <{each.object}> .",
        f'{node} zoo:probability "{each.probability!r}"^^xsd:double .',
        f"{node} zoo:method {_literal(each.method)} .",
        f"{node} zoo:accepted {str(accepted).lower()} .",
        f"{node} prov:wasGeneratedBy <{activity}> .",
    ]
    if named:
        lines.append(f"{node} zoo:subjectName {_literal(each.label)} .")
    if named and each.gloss:
        lines.append(f"{node} zoo:subjectGloss {_literal(each.gloss)} .")
    return lines


def _prediction(graph: Graph, row: Any) -> Prediction:
    subject, object_ = row["subject"].value, row["object"].value
    return Prediction(
        id=row["node"].value.removeprefix(PREDICTION),
        subject=subject,
        label=row["label"].value if row["label"] else graph.name_of(subject),
        relation=row["relation"].value,
        object=object_,
        object_label=graph.name_of(object_),
        probability=float(row["probability"].value),
        method=row["method"].value,
        accepted=row["accepted"].value == "true",
        gloss=row["gloss"].value if row["gloss"] else "",
    )


def _literal(text: str) -> str:
    from pyoxigraph import Literal

    return str(Literal(text))


def _digest(origin: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(origin.items())).encode()).hexdigest()[:12]
