"""Which links of a graph say something of the world, and how they are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.graph.terms import (
    BROADER,
    DCT,
    GLOSSES,
    NAMES,
    OWL,
    PROV,
    RDF,
    SKOS,
    TERMS,
    WN,
)

if TYPE_CHECKING:
    from zoo.graph import Graph
    from zoo.types.explaining import Triple

#: Names, notes, identities, provenance, and everything of pages, pictures and catalogues.
_STOP = frozenset(
    (*NAMES, *GLOSSES, *BROADER, f"{WN}wnid30", f"{WN}ili", f"{WN}lexfile", f"{WN}example")
)
_STOP_VOCABULARIES = (RDF, SKOS, OWL, PROV, DCT, TERMS, "http://xmlns.com/foaf/0.1/")
_STOP_WORDS = re.compile(
    r"wiki|redirect|disambiguat|thumbnail|image|depiction|picture|photo|logo|abstract|"
    r"sameAs|seeAlso|ExternalURL|homepage|viaf|identifier|\bid$|[a-z]I[dD]$|authority|"
    r"(?:RelatedTo|Synonym|EtymologicallyRelatedTo|DerivedFrom|FormOf)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_READ = {f"{WN}mero_part": "has part", f"{WN}mero_substance": "is made of"}
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def plain(term: str) -> str:
    """Give the IRI of ``<...>``, or the text of a literal."""
    if term.startswith("<"):
        return term[1:-1]
    found = _LITERAL.match(term)
    return found[1] if found else term


def is_link(triple: Triple) -> bool:
    """Whether a triple is a fact of the world: not a name, an identity or a page."""
    predicate = plain(triple[1])
    return not (
        predicate in _STOP
        or predicate.startswith(_STOP_VOCABULARIES)
        or _STOP_WORDS.search(predicate)
    )


def words_of(graph: Graph, term: str) -> str:
    """Write a predicate, a node or a literal in words."""
    text = plain(term)
    if not term.startswith("<"):
        return " ".join(text.split())
    if text in _READ:
        return _READ[text]
    return _CAMEL.sub(" ", graph.name_of(text)).replace("_", " ")


def words_of_predicate(graph: Graph, term: str) -> str:
    """Write a predicate in lower-case words."""
    return words_of(graph, term).lower()
