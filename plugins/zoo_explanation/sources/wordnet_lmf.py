"""Wordnets from an LMF file, as the Global WordNet Association defines it, read as a stream."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn
from xml.parsers import expat

from zoo.errors import InputError
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources.reading import lines_of, refuse, sha256_of, unpacked
from zoo_explanation.sources.synsets import (
    RELATIONS,
    Synset,
    node_of,
    wnid_of,
    write_order,
    write_synset,
)
from zoo_explanation.sources.wordnet_parquet import CREDIT

if TYPE_CHECKING:
    from pathlib import Path

    from zoo_explanation.sources.ntriples import TripleWriter

#: Lines of an ILI number and a WordNet 3.0 id, as the Collaborative Interlingual Index has them.
ILI_MAP = "ili-map-pwn30.tab"
_BLOCK = 1 << 16


def write_lmf(path: Path, writer: TripleWriter) -> SourceFacts:
    """Write the nouns of a file; with the WordNet 3.0 ids that lie beside it in a map of the ILI.

    Raises:
        InputError: it is broken or no LMF, with the line; or has no nouns.
    """
    beside = path.with_name(ILI_MAP)
    reading = _Reading(path, writer, wnids=wnids_by_ili(beside) if beside.is_file() else {})
    _feed(path, reading)
    if not reading.written:
        raise InputError(f"{path} has no nouns.", "Is it the LMF file of a wordnet?")
    write_order(writer, reading.senses)
    version = reading.version if reading.wnids else f"{reading.version}, without WordNet 3.0 ids"
    read = (path, beside) if reading.wnids else (path,)
    return SourceFacts(
        version=version.removeprefix(", "),
        license=license_of(reading.license),
        credit=CREDIT if reading.lexicon in ("oewn", "ewn") else reading.credit,
        sha256=sha256_of(*read),
    )


def license_of(text: str) -> str:
    """Give the short id of the licence that an address names."""
    known = {"/by/4.0": "CC-BY-4.0", "/by-sa/4.0": "CC-BY-SA-4.0", "wordnet.princeton": "WordNet"}
    return next((short for part, short in known.items() if part in text), text)


def wnids_by_ili(path: Path) -> dict[str, str]:
    """Read which noun of WordNet 3.0 has which ILI number.

    Raises:
        InputError: a line is no such pair.
    """
    found = {}
    for number, line in lines_of(path):
        if not line or line[0] == "#":
            continue
        ili, tab, offset = line.partition("\t")
        if not tab or len(offset) != 10:
            refuse(path, number, "that is no ILI number and WordNet 3.0 id with a tab between")
        if offset.endswith("-n"):
            found[ili] = f"n{offset[:8]}"
    return found


@dataclass(eq=False)
class _Reading:
    """Where the reader stands, and what it has to remember: which words mean what."""

    path: Path
    writer: TripleWriter
    wnids: dict[str, str]
    lexicon: str = ""
    version: str = ""
    license: str = ""
    credit: str = ""
    language: str = "en"
    written: int = 0
    #: word -> nodes in order; entry or sense -> its word; synset -> its words.
    senses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    words: dict[str, str] = field(default_factory=dict)
    words_of: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    entry: str = ""
    lemma: str = ""
    synset: dict[str, str] | None = None
    links: dict[str, list[str]] = field(default_factory=dict)
    gloss: list[str] = field(default_factory=list)
    in_gloss: bool = False

    def start(self, name: str, given: dict[str, str]) -> None:
        """Take an element's attributes."""
        if name == "Lexicon":
            self.lexicon, self.version = given.get("id", ""), given.get("version", "")
            self.language, self.license = given.get("language", "en"), given.get("license", "")
            self.credit = f"Contains data from {given.get('label', self.lexicon)}."
        elif name == "LexicalEntry":
            self.entry = given["id"]
        elif name == "Lemma":
            self.lemma = given["writtenForm"] if given["partOfSpeech"] == "n" else ""
            self.words[self.entry] = self.lemma
        elif name == "Sense" and self.lemma:
            self.words[given["id"]] = self.lemma
            self.words_of[given["synset"]].append(self.lemma)
            self.senses[self.lemma].append(node_of(given["synset"]))
        elif name == "Synset" and given["partOfSpeech"] == "n":
            self.synset, self.gloss = given, []
            self.links = {name: [] for name in RELATIONS}
        elif self.synset is not None and name == "SynsetRelation":
            if given["relType"] in RELATIONS:
                self.links[given["relType"]].append(node_of(given["target"]))
        elif self.synset is not None and name == "Definition":
            self.in_gloss = not self.gloss

    def text(self, data: str) -> None:
        """Take text; only the first definition's is wanted."""
        if self.in_gloss:
            self.gloss.append(data)

    def end(self, name: str) -> None:
        """Write what is complete."""
        if name == "Definition":
            self.in_gloss = False
        elif name == "LexicalEntry":
            self.lemma = ""
        elif name == "Synset" and self.synset is not None:
            self._write(self.synset)
            self.synset = None

    def _write(self, given: dict[str, str]) -> None:
        members = [self.words.get(each, "") for each in given.get("members", "").split()]
        lemmas = [word for word in members if word] or self.words_of[given["id"]]
        self.words_of.pop(given["id"], None)
        ili = given.get("ili", "")
        synset = Synset(
            iri=node_of(given["id"]),
            lemmas=list(dict.fromkeys(lemmas)),
            gloss=" ".join("".join(self.gloss).split()),
            field=given.get("lexfile", given.get("dc:subject", "")),
            wnid30=self.wnids.get(ili, wnid_of(given["id"])),
            ili=ili if ili != "in" else "",
            language=self.language,
            links=self.links,
        )
        write_synset(self.writer, synset)
        self.written += 1


def _feed(path: Path, reading: _Reading) -> None:
    """Parse; entities of a document are refused, so nothing is expanded or fetched."""
    parser = expat.ParserCreate()

    def entity(name: str, *_: object) -> NoReturn:
        refuse(path, parser.CurrentLineNumber, f"it defines an entity, {name}; that is not read")

    def first(name: str, _: dict[str, str]) -> None:
        if name != "LexicalResource":
            refuse(path, parser.CurrentLineNumber, f"<{name}> does not begin an LMF file")
        parser.StartElementHandler = start

    def start(name: str, given: dict[str, str]) -> None:
        try:
            reading.start(name, given)
        except KeyError as error:
            refuse(path, parser.CurrentLineNumber, f"<{name}> has no {error.args[0]}")

    parser.buffer_text = True
    parser.EntityDeclHandler = entity
    parser.StartElementHandler = first
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    try:
        with unpacked(path) as file:
            while block := file.read(_BLOCK):
                parser.Parse(block, False)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        refuse(path, error.lineno, f"that is no XML: {expat.ErrorString(error.code)}")
