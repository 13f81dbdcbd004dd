"""The source ``wikidata``: items of a JSON dump, read as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import InputError
from zoo.graph.terms import RDF, RDFS
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources import ntriples as nt
from zoo_explanation.sources.reading import lines_of, refuse, required, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_ENTITY = "http://www.wikidata.org/entity/"
_DIRECT = "http://www.wikidata.org/prop/direct/"
#: WordNet 3.1, by the number that Wikidata has for a synset.
_WORDNET_31 = "http://wordnet-rdf.princeton.edu/id/"
_TYPE = f"<{RDF}type>"
_SUBCLASS = f"<{RDFS}subClassOf>"
_LINKS = {"P279": _SUBCLASS, "P31": _TYPE, "P527": nt.MERO_PART}
_PART_OF = "P361"
_SYNSET = "P8814"
_DISPUTED = "deprecated"


class _Named(msgspec.Struct):
    value: str = ""


class _Snak(msgspec.Struct):
    snaktype: str = ""
    datavalue: dict[str, Any] = {}


class _Statement(msgspec.Struct):
    mainsnak: _Snak
    rank: str = "normal"


class _Item(msgspec.Struct):
    """What is read of an item; a list stands where Wikidata means an empty table."""

    id: str
    labels: dict[str, _Named] | list[Any] = {}
    descriptions: dict[str, _Named] | list[Any] = {}
    aliases: dict[str, list[_Named]] | list[Any] = {}
    claims: dict[str, list[_Statement]] | list[Any] = {}


class Wikidata:
    """Items with English labels: what they are kinds, examples and parts of."""

    def write(self, place: Path | None, out: BinaryIO, *, offline: bool = False) -> SourceFacts:
        """Write N-Triples; see :class:`zoo.types.reporting.GraphSource`."""
        del offline  # there is nothing to fetch
        path = required(place, "wikidata", "a JSON dump of Wikidata, one item a line")
        writer, number = nt.TripleWriter(out), 0
        for item in _items(path):
            number += 1
            _write(writer, item)
        if not number:
            raise InputError(f"{path} has no items.", "Is it a JSON dump of Wikidata?")
        writer.flush()
        return SourceFacts(
            version=f"{number} items",
            license="CC0-1.0",
            credit="Contains data from Wikidata (wikidata.org), CC0.",
            sha256=sha256_of(path),
        )


def _items(path: Path) -> Iterator[_Item]:
    """Read the lines of the array; lexemes and properties have other ids and are left out."""
    decoder = msgspec.json.Decoder(_Item)
    for number, line in lines_of(path):
        text = line.strip().rstrip(",")
        if text in ("", "[", "]"):
            continue
        try:
            item = decoder.decode(text)
        except msgspec.DecodeError as error:
            refuse(path, number, f"that is no item of Wikidata: {error}")
        if item.id.startswith("Q"):
            yield item


def _write(writer: nt.TripleWriter, item: _Item) -> None:
    node = nt.iri(f"{_ENTITY}{item.id}")
    for predicate, text in _texts(item):
        writer.add(node, predicate, nt.literal(text, "en"))
    for name, predicate in _LINKS.items():
        for value in _values(item, name):
            if isinstance(value, dict) and "id" in value:
                writer.add(node, predicate, nt.iri(f"{_ENTITY}{value['id']}"))
    for value in _values(item, _PART_OF):
        if isinstance(value, dict) and "id" in value:
            writer.add(nt.iri(f"{_ENTITY}{value['id']}"), nt.MERO_PART, node)
    for value in _values(item, _SYNSET):
        if isinstance(value, str) and value:
            writer.add(node, nt.iri(f"{_DIRECT}{_SYNSET}"), nt.literal(value))
            writer.add(node, nt.CLOSE_MATCH, nt.iri(f"{_WORDNET_31}{value}"))


def _texts(item: _Item) -> Iterator[tuple[str, str]]:
    for predicate, table in (
        (nt.PREF_LABEL, item.labels),
        (nt.DEFINITION, item.descriptions),
    ):
        if isinstance(table, dict) and "en" in table and table["en"].value:
            yield predicate, table["en"].value
    if isinstance(item.aliases, dict):
        for alias in item.aliases.get("en", []):
            yield nt.ALT_LABEL, alias.value


def _values(item: _Item, name: str) -> Iterator[Any]:
    """Give the values of a property that nobody has marked as wrong."""
    if isinstance(item.claims, dict):
        for statement in item.claims.get(name, []):
            if statement.rank != _DISPUTED and statement.mainsnak.snaktype == "value":
                yield statement.mainsnak.datavalue.get("value")
