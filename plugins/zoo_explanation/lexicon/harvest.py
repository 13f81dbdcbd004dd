"""What a store says of names and kinds, read by SPARQL in bulk."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.graph.terms import BROADER, GLOSSES, NAMES, PARTS, TERMS, WN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.graph import Graph

_QUERY = "SELECT ?s ?o WHERE {{ ?s <{predicate}> ?o }}"  # functions cost four times as much
_ESCAPED = re.compile(r"\\(.)")
_PLAIN = {"t": "\t", "n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What was found, by number of a node.

    Attributes:
        iris: sorted.
        broader: narrower and broader node; ``parts``: whole and part.
        names: texts of each node, the one to show first.
        ranks: (node, word) -> place among the senses of the word; dictionaries without case write
            the word in small letters.
        glosses, fields, wnids: of the nodes that have one.
        notes: what was left out.
    """

    iris: Sequence[str]
    broader: set[tuple[int, int]]
    parts: set[tuple[int, int]]
    names: list[list[str]]
    ranks: dict[tuple[int, str], int]
    glosses: dict[int, str]
    fields: dict[int, str]
    wnids: dict[int, str]
    notes: list[str]


def harvest(graph: Graph) -> Harvest:
    """Read every node that has a broader or a narrower one, or a part."""
    notes: list[str] = []
    broader, parts = _links(graph, BROADER, notes), _links(graph, PARTS, notes)
    iris = sorted({iri for link in broader | parts for iri in link})
    number = {iri: place for place, iri in enumerate(iris)}
    ranks = {}
    for node, text in _first(graph, number, f"{TERMS}sense", every=True):
        rank, _, lemma = text.partition(" ")
        if rank.isdecimal():
            ranks[node, lemma] = int(rank)
    return Harvest(
        iris=iris,
        broader={(number[a], number[b]) for a, b in broader},
        parts={(number[a], number[b]) for a, b in parts},
        names=_names(graph, iris, number, notes),
        ranks=ranks,
        glosses=dict(pair for each in reversed(GLOSSES) for pair in _first(graph, number, each)),
        fields={
            node: text.removeprefix("noun.") for node, text in _first(graph, number, f"{WN}lexfile")
        },
        wnids=dict(_first(graph, number, f"{WN}wnid30")),
        notes=notes,
    )


def _links(graph: Graph, predicates: Sequence[str], notes: list[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for predicate in predicates:
        texts = False
        for subject, term in _pairs(graph, predicate):
            texts |= term[0] not in "<_"
            if subject[0] == term[0] == "<":
                found.add((subject[1:-1], term[1:-1]))
        if texts:
            notes.append(f"Links of <{predicate}> to a text instead of a node are left out.")
    return found


def _names(
    graph: Graph, iris: Sequence[str], number: dict[str, int], notes: list[str]
) -> list[list[str]]:
    """Give the English names and those without a language; others only where there are none."""
    found: list[list[tuple[bool, int, str]]] = [[] for _ in iris]
    for order, predicate in enumerate(NAMES):
        for subject, text, language in _texts(graph, predicate):
            node = number.get(subject)
            if node is not None and (text := " ".join(text.replace("_", " ").split())):
                found[node].append((language[:2].lower() not in ("", "en"), order, text))
    nameless = sum(not each for each in found)
    if nameless:
        notes.append(f"{nameless} nodes have no name and are called by the end of their IRI.")
    return [_chosen(each) or [_end(iri)] for iri, each in zip(iris, found, strict=True)]


def _chosen(names: list[tuple[bool, int, str]]) -> list[str]:
    names.sort()
    foreign = bool(names) and names[0][0]
    return list(dict.fromkeys(text for other, _, text in names if other == foreign))


def _end(iri: str) -> str:
    end = iri.rstrip("/#").replace("#", "/").rpartition("/")[2]
    return " ".join(end.replace("_", " ").split()) or iri


def _first(
    graph: Graph, number: dict[str, int], predicate: str, *, every: bool = False
) -> list[tuple[int, str]]:
    """Give the first text of each node by alphabet, English before others, or every text."""
    found = []
    for subject, text, language in _texts(graph, predicate):
        node = number.get(subject)
        if node is not None:
            found.append((node, language[:2].lower() not in ("", "en"), text))
    found.sort(reverse=not every)
    return [(node, text) for node, _, text in found]


def _texts(graph: Graph, predicate: str) -> Iterator[tuple[str, str, str]]:
    """Give IRI, text and language of what a predicate says in words."""
    for subject, term in _pairs(graph, predicate):
        if subject[0] == "<" and term[0] not in "<_":
            text, language = _literal(term)
            yield subject[1:-1], text, language


def _pairs(graph: Graph, predicate: str) -> Iterator[list[str]]:
    """Read terms by way of a file, so that memory stays bounded."""
    from pyoxigraph import QueryResultsFormat

    with tempfile.TemporaryFile() as file:
        graph.query(_QUERY.format(predicate=predicate)).serialize(
            file, format=QueryResultsFormat.TSV
        )
        file.seek(0)
        next(file)
        for line in file:
            yield line.decode().rstrip("\n").split("\t")


def _literal(term: str) -> tuple[str, str]:
    """Give text and language; numbers stand without quotes."""
    text, quote, end = term[1:].rpartition('"')
    if term[0] != '"' or not quote:
        return term, ""
    if "\\" in text:
        text = _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), text)
    return text, end[1:] if end.startswith("@") else ""
