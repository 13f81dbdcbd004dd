"""What ``zoo graph`` prints."""

# ruff: noqa: TC001 -- msgspec reads the types of the fields

from __future__ import annotations

import msgspec

from zoo.completing.predictions import Prediction
from zoo.graph.folder import GraphInfo
from zoo.graph.neighbourhood import Node
from zoo_cli.documents.base import Document


class GraphList(Document, frozen=True, kw_only=True):
    """Named graphs: those that are there, or those that were just loaded.

    Attributes:
        graphs: one a graph.
    """

    graphs: tuple[GraphInfo, ...]


class GraphFile(Document, frozen=True, kw_only=True):
    """An RDF file that was written.

    Attributes:
        path: where.
        triples: how many.
    """

    path: str
    triples: int


class RemovedGraphs(Document, frozen=True, kw_only=True):
    """Graphs that are gone.

    Attributes:
        removed: their names.
    """

    removed: tuple[str, ...]


class Senses(Document, frozen=True, kw_only=True):
    """Several nodes have the name that was asked for; exit code 2.

    Attributes:
        term: what was asked for.
        nodes: say which by its IRI.
    """

    term: str
    nodes: tuple[Node, ...]


class YesOrNo(Document, frozen=True, kw_only=True):
    """The answer to an ASK query.

    Attributes:
        boolean: the answer.
    """

    boolean: bool


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of a SELECT query.

    Attributes:
        vars: their names.
    """

    vars: tuple[str, ...]


class Bindings(msgspec.Struct, frozen=True, kw_only=True):
    """The solutions of a SELECT query.

    Attributes:
        bindings: variable -> term: ``type``, ``value`` and, of a literal, ``xml:lang`` or
            ``datatype``; a variable that is not bound is left out.
    """

    bindings: tuple[dict[str, dict[str, str]], ...]


class Solutions(Document, frozen=True, kw_only=True):
    """The answer to a SELECT query, as SPARQL 1.1 Query Results JSON has it.

    Attributes:
        head: the variables.
        results: the solutions.
    """

    head: Head
    results: Bindings


class Triples(Document, frozen=True, kw_only=True):
    """The answer to a CONSTRUCT or DESCRIBE query.

    Attributes:
        triples: subject, predicate and object, written as N-Triples has them.
    """

    triples: tuple[tuple[str, str, str], ...]


class PredictionList(Document, frozen=True, kw_only=True):
    """Links that were predicted.

    Attributes:
        predictions: one a link.
    """

    predictions: tuple[Prediction, ...]


class AcceptedPrediction(Document, frozen=True, kw_only=True):
    """A prediction that became a fact.

    Attributes:
        accepted: the prediction.
        by: who said so.
        on: the day, as YYYY-MM-DD.
    """

    accepted: Prediction
    by: str
    on: str
