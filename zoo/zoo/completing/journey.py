"""The journey of completing: links of the graph, a model of them, what it expects, the store."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.catalogue import build
from zoo.completing.predictions import Prediction, iri_of_name, write_predictions
from zoo.completing.ranking import (
    Known,
    LinkMetrics,
    filtered_ranks,
    summarise,
)
from zoo.completing.splitting import Split, split_links
from zoo.completing.suggesting import Calibrated, Reliability, calibrate, expected_links
from zoo.completing.tables import LIMIT, Missing, relations_named, table_of
from zoo.completing.texts import WORDS, text_vectors
from zoo.errors import InputError
from zoo.events import Event, ignore
from zoo.graph import open_graph
from zoo.graph.neighbourhood import find_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.graph import Graph
    from zoo.settings import Settings
    from zoo.types.reporting import LinkTable
    from zoo.types.specs import CompleterSpec

#: With fewer links there is nothing to hold out.
_LEAST = 40
_HELD_OUT = 400


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What links to expect.

    Attributes:
        method: name of a completer; empty takes the default.
        options: of the method.
        relations: by name; those to the broader and to parts where none is given.
        around: names of nodes: their neighbourhood is learnt, and links of theirs expected.
        missing: what the graph has no node for: the broader is expected.
        count: predictions for each that is missing, or in all.
        encoder: a text checkpoint; empty weighs shared words.
        limit: most nodes to learn.
        evaluate: hold links out and say how well they are found.
    """

    method: str = ""
    options: dict[str, Any] = {}
    relations: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    count: int = 10
    encoder: str = ""
    limit: int = LIMIT
    evaluate: bool = False


class CompletionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was expected, and how far to trust it; also the JSON of ``zoo graph complete``.

    Attributes:
        encoder: what read the texts; empty where the method reads none.
        nodes: that were learnt.
        links: that were learnt from.
        validation: links that chose when to stop, and what a score is worth.
        predictions: the likeliest first; stored, each unconfirmed until accepted.
        metrics: on held-out links; None where nobody asked.
        reliability: of the probabilities, on the same links.
        notes: what a person should know.
    """

    method: str
    encoder: str
    relations: tuple[str, ...]
    nodes: int
    links: int
    validation: int
    predictions: tuple[Prediction, ...]
    metrics: LinkMetrics | None = None
    reliability: Reliability | None = None
    notes: tuple[str, ...] = ()
    seed: int = 0
    schema_version: int = 1


def complete(
    question: Question, settings: Settings, catalogue: Catalogue, *, on_event: Listener = ignore
) -> CompletionReport:
    """Learn the links of a part of the graph, and store what is expected of it as predicted.

    The graph is not held while the model learns.

    Raises:
        InputError: nothing to learn from, too much of it, a name that nothing answers to, or
            something missing and a method that reads no texts.
        NothingMatchedError: there is no graph yet.
    """
    spec = catalogue.preferred("completer", question.method)
    method = build(spec, question.options)
    if question.missing and not spec.reads_texts:
        raise InputError(
            f"{spec.name} reads no texts, so it knows nothing of {question.missing[0].label!r}.",
            "Take a method that does: zoo plugins list --hook zoo_completers.",
        )
    with open_graph(settings.folder, create=False) as graph:
        table, around, notes = _read(graph, question)
    embed = _embed(question.encoder, settings, catalogue, on_event)
    table = _with_texts(table, spec, embed, settings.seed)
    split = _split(table, question, settings.seed)
    on_event(Event(kind="note", message=_plan(spec.name, table, split)))
    known = Known(table.links, len(table.relations))
    learnt = dataclasses.replace(table, links=split.training)
    scorer = method.fit(learnt, split.validation, seed=settings.seed)
    calibrated = calibrate(scorer, split.validation, known, len(table.relations))
    expected = expected_links(
        calibrated, table, known, around, missing=len(question.missing), count=question.count
    )
    predictions = _named(table, expected, question.missing, spec.name)
    with open_graph(settings.folder, create=False) as graph:
        predictions = [_labelled(graph, each) for each in predictions]
        write_predictions(graph, predictions, _origin(spec, question, table, settings.seed))
    found = CompletionReport(
        method=spec.name,
        encoder=(question.encoder or WORDS) if spec.reads_texts else "",
        relations=tuple(table.relations),
        nodes=len(table.nodes),
        links=len(split.training),
        validation=len(split.validation),
        predictions=tuple(predictions),
        notes=tuple(notes),
        seed=settings.seed,
    )
    return _judged(found, calibrated, split, known) if question.evaluate else found


def _read(graph: Graph, question: Question) -> tuple[LinkTable, list[int], list[str]]:
    """Number the links, and say which nodes the person asked about."""
    notes: list[str] = []
    start: list[str] = []
    for name in question.around:
        found = [node.iri for node in find_nodes(graph, name)]
        if not found:
            raise InputError(
                f"no node of the graph is called {name!r}.", f"zoo graph show {name!r}"
            )
        if len(found) > 1:
            notes.append(f"{len(found)} nodes are called {name!r}; all of them are taken.")
        start += found
    notes += [
        f"The graph has a node called {each.label!r}; this is taken for another."
        for each in question.missing
        if find_nodes(graph, each.label)
    ]
    table = table_of(
        graph,
        relations=relations_named(graph, question.relations),
        around=start,
        missing=[(iri_of_name(each.label), each.text) for each in question.missing],
        limit=question.limit,
    )
    index = {iri: number for number, iri in enumerate(table.nodes)}
    return table, [index[iri] for iri in start if iri in index], notes


def _with_texts(
    table: LinkTable,
    spec: CompleterSpec,
    embed: Callable[[Sequence[str]], npt.NDArray[Any]] | None,
    seed: int,
) -> LinkTable:
    if not spec.reads_texts:
        return table
    return dataclasses.replace(table, vectors=text_vectors(table.texts, embed, seed=seed))


def _embed(
    encoder: str, settings: Settings, catalogue: Catalogue, on_event: Listener
) -> Callable[[Sequence[str]], npt.NDArray[Any]] | None:
    if not encoder:
        return None
    from zoo.label_embeddings.embed import TextEmbedder

    return functools.partial(TextEmbedder(catalogue, settings, on_event), encoder)


def _split(table: LinkTable, question: Question, seed: int) -> Split:
    count = len(table.links)
    if count < _LEAST:
        raise InputError(
            f"{count} links are too few to learn from; {_LEAST} are the least.",
            "Name more with --around or --relation, or raise --limit.",
        )
    test = min(_HELD_OUT, count // 8) if question.evaluate else 0
    return split_links(table, validation=min(_HELD_OUT, count // 10), test=test, seed=seed)


def _plan(method: str, table: LinkTable, split: Split) -> str:
    held = len(split.validation) + len(split.test)
    return f"{method}: {len(table.nodes):,} nodes, {len(split.training):,} links, {held:,} held out"


def _named(
    table: LinkTable,
    expected: Sequence[tuple[int, int, int, float]],
    missing: Sequence[Missing],
    method: str,
) -> list[Prediction]:
    """Give numbers their names; those of nodes are asked of the graph later."""
    from zoo.completing.predictions import prediction_id

    own = {iri_of_name(each.label): each for each in missing}
    made = []
    for head, relation, tail, probability in expected:
        subject, object_ = table.nodes[head], table.nodes[tail]
        link = table.relations[relation]
        named = own.get(subject)
        made.append(
            Prediction(
                id=prediction_id(subject, link, object_, method),
                subject=subject,
                label=named.label if named else "",
                relation=link,
                object=object_,
                object_label="",
                probability=probability,
                method=method,
                gloss=named.gloss if named else "",
            )
        )
    return made


def _labelled(graph: Graph, each: Prediction) -> Prediction:
    return msgspec.structs.replace(
        each,
        label=each.label or graph.name_of(each.subject),
        object_label=graph.name_of(each.object),
    )


def _origin(
    spec: CompleterSpec, question: Question, table: LinkTable, seed: int
) -> Mapping[str, str]:
    links = [f"{table.nodes[h]} {table.relations[r]} {table.nodes[t]}" for h, r, t in table.links]
    return {
        "method": spec.name,
        "encoder": (question.encoder or WORDS) if spec.reads_texts else "",
        "seed": str(seed),
        "links": str(len(links)),
        "linksSha256": hashlib.sha256("\n".join(sorted(links)).encode()).hexdigest(),
    }


def _judged(
    found: CompletionReport, calibrated: Calibrated, split: Split, known: Known
) -> CompletionReport:
    ranks = filtered_ranks(calibrated.scorer, split.test, known, len(found.relations))
    return msgspec.structs.replace(
        found,
        metrics=summarise(ranks, found.nodes, seed=found.seed),
        reliability=calibrated.reliability(split.test, known),
    )


__all__ = ["CompletionReport", "Question", "complete"]
