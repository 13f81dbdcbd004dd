"""WordNet 3 from its dict files, as Princeton distributes them (wndb(5WN))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources.reading import lines_of, refuse, sha256_of
from zoo_explanation.sources.synsets import (
    RELATIONS,
    WORDNET_30,
    Synset,
    write_order,
    write_synset,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo_explanation.sources.ntriples import TripleWriter

NOUNS = "data.noun"
INDEX = "index.noun"
_FIRST_FIELD = 3
_FIELDS = (
    "Tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication",
    "event", "feeling", "food", "group", "location", "motive", "object", "person", "phenomenon",
    "plant", "possession", "process", "quantity", "relation", "shape", "state", "substance", "time",
)  # fmt: skip
_SYMBOLS = dict(zip(("@", "@i", "%p", "%s"), RELATIONS, strict=True))
_RELEASE = re.compile(r"WordNet (\d\.\d)")
_LICENSE = "WordNet"


def write_dict(folder: Path, writer: TripleWriter) -> SourceFacts:
    """Write the nouns of a folder.

    Raises:
        InputError: a file is missing or broken; with the line.
    """
    nouns, index = folder / NOUNS, folder / INDEX
    for path in (nouns, index):
        if not path.is_file():
            raise InputError(
                f"{folder} has no {path.name}: the nouns of WordNet are in {NOUNS} and {INDEX}.",
                "Name the folder of both; Debian's wordnet-base puts them in /usr/share/wordnet.",
            )
    release = _release(nouns)
    base = WORDNET_30.replace("wn30", f"wn{release.replace('.', '')}")
    known: set[str] = set()
    pointed: dict[str, int] = {}
    for number, line in _entries(nouns):
        synset, targets = _synset(nouns, number, line, base, numbered=release == "3.0")
        known.add(line[:8])
        for target in targets:
            pointed.setdefault(target, number)
        write_synset(writer, synset)
    for target in sorted(pointed.keys() - known):
        refuse(nouns, pointed[target], f"it points to {target}, which the file does not have")
    write_order(writer, _order(index, known, base))
    credit = f"Contains data from WordNet {release}, copyright Princeton University."
    digest = sha256_of(nouns, index)
    return SourceFacts(version=release, license=_LICENSE, credit=credit, sha256=digest)


def _release(path: Path) -> str:
    """Read the release from the licence that the file begins with."""
    for _, line in lines_of(path):
        if not line.startswith("  "):
            break
        if found := _RELEASE.search(line):
            return found[1]
    raise InputError(
        f"{path} does not begin with the licence of WordNet that names its release.",
        "Take the files as Princeton or Debian's wordnet-base distribute them.",
    )


def _entries(path: Path) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in lines_of(path) if line and line[0] != " ")


def _synset(
    path: Path, number: int, line: str, base: str, *, numbered: bool
) -> tuple[Synset, set[str]]:
    """Read ``offset field type words(hex) word id ... pointers pointer ... | gloss``."""
    head, bar, gloss = line.partition(" | ")
    cells = head.split()
    links: dict[str, list[str]] = {name: [] for name in RELATIONS}
    targets = set()
    try:
        words = int(cells[3], 16)
        field = _FIELDS[int(cells[1]) - _FIRST_FIELD]
        pointers = 4 + 2 * words
        stop = pointers + 1 + 4 * int(cells[pointers])
        for place in range(pointers + 1, stop, 4):
            symbol, target, kind = cells[place : place + 3]
            if kind == "n" and symbol in _SYMBOLS:
                links[_SYMBOLS[symbol]].append(_node(base, target))
                targets.add(target)
    except (ValueError, IndexError):
        stop = -1
    if not bar or len(cells) != stop or cells[2] != "n":
        refuse(path, number, "that is no noun as WordNet's data files write one")
    synset = Synset(
        iri=_node(base, cells[0]),
        lemmas=[word.replace("_", " ") for word in cells[4:pointers:2]],
        gloss=gloss.partition('; "')[0].strip(),  # examples follow
        field=field,
        wnid30=f"n{cells[0]}" if numbered else "",
        links=links,
    )
    return synset, targets


def _order(path: Path, known: set[str], base: str) -> dict[str, list[str]]:
    """Read ``lemma type senses pointers symbol ... senses tagged offset ...``."""
    found = {}
    for number, line in _entries(path):
        cells = line.split()
        numbers = [int(cell) for cell in cells[2:4] if cell.isdecimal()]
        offsets = cells[6 + numbers[1] :] if len(numbers) == 2 else []
        if not offsets or len(offsets) != numbers[0]:
            refuse(path, number, "that is no lemma as WordNet's index files write one")
        for offset in offsets:
            if offset not in known:
                refuse(path, number, f"it points to {offset}, which {NOUNS} does not have")
        found[cells[0].replace("_", " ")] = [_node(base, offset) for offset in offsets]
    return found


def _node(base: str, offset: str) -> str:
    return f"{base}{offset}-n"
