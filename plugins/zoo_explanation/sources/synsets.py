"""A noun of a wordnet, whatever file it was read from, and its triples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.graph.terms import TERMS, WN
from zoo_explanation.sources import ntriples as nt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EN_WORD = "https://en-word.net/id/"
OEWN = f"{_EN_WORD}oewn-"
WORDNET_30 = "http://wordnet-rdf.princeton.edu/wn30/"
#: WordNet 3.0 as the Open Multilingual Wordnet writes it; its ids are the offsets of Princeton.
_OMW_30 = "omw-en-"
_ILI = "http://globalwordnet.org/ili/"
_WIKIDATA = "http://www.wikidata.org/entity/"


#: What it is a kind of, what it is an example of, its parts, what it is made of: names of LMF
#: files and of the vocabulary alike.
RELATIONS = ("hypernym", "instance_hypernym", "mero_part", "mero_substance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Synset:
    """One meaning.

    Attributes:
        iri: of the node.
        lemmas: words for it, the one to show first.
        field: lexicographer's file, such as ``animal``.
        wnid30: ``n`` and the eight digits of WordNet 3.0.
        links: relation of :data:`RELATIONS` -> IRIs.
        language: of the lemmas and the gloss.
    """

    iri: str
    lemmas: Sequence[str]
    gloss: str = ""
    field: str = ""
    wnid30: str = ""
    ili: str = ""
    wikidata: Sequence[str] = ()
    links: Mapping[str, Sequence[str]]
    language: str = "en"


def node_of(synset: str) -> str:
    """Give the IRI of a synset by the id that LMF files have for it."""
    if synset.startswith(("oewn-", "ewn-")):
        return f"{_EN_WORD}{synset}"
    if synset.startswith(_OMW_30):
        return f"{WORDNET_30}{synset.removeprefix(_OMW_30)}"
    return f"{TERMS}synset:{synset}"


def wnid_of(synset: str) -> str:
    """Give the WordNet 3.0 id where the id that LMF files have is made of it."""
    return f"n{synset.removeprefix(_OMW_30)[:8]}" if synset.startswith(_OMW_30) else ""


def write_synset(writer: nt.TripleWriter, synset: Synset) -> None:
    """Write the triples of one meaning."""
    node = nt.iri(synset.iri)
    for index, lemma in enumerate(synset.lemmas):
        writer.add(
            node, nt.ALT_LABEL if index else nt.PREF_LABEL, nt.literal(lemma, synset.language)
        )
    if synset.gloss:
        writer.add(node, nt.DEFINITION, nt.literal(synset.gloss, synset.language))
    if synset.field:
        writer.add(node, nt.LEXFILE, nt.literal(synset.field.removeprefix("noun.")))
    if synset.wnid30:
        writer.add(node, nt.WNID30, nt.literal(synset.wnid30))
    if synset.ili:
        writer.add(node, nt.ILI, nt.iri(f"{_ILI}{synset.ili}"))
    for item in synset.wikidata:
        writer.add(node, nt.CLOSE_MATCH, nt.iri(f"{_WIKIDATA}{item}"))
    for relation, targets in synset.links.items():
        for target in targets:
            writer.add(node, f"<{WN}{relation}>", nt.iri(target))


def write_order(writer: nt.TripleWriter, senses: Mapping[str, Sequence[str]]) -> None:
    """Write the rank of each sense of a lemma in the dictionary; the first needs no triple."""
    for lemma, nodes in senses.items():
        for rank, node in enumerate(dict.fromkeys(nodes)):
            if rank:
                writer.add(nt.iri(node), nt.SENSE, nt.literal(f"{rank} {lemma}"))
