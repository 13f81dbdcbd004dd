"""The source ``atomic``: triples of texts, as ATOMIC and ConceptNet-100k have them."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.graph.terms import RDFS
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources import ntriples as nt
from zoo_explanation.sources.reading import lines_of, refuse, required, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_TEXT = "urn:zoo:text:"
_RELATION = "urn:zoo:relation:"
_LOOK = 5000
_HEADERS = ("head", "relation", "tail")


class Atomic:
    """Texts and the relations between them; equal texts are one node.

    The relation may stand first or second: it is the column with fewer different words, in the
    first lines of the file.
    """

    def write(self, place: Path | None, out: BinaryIO, *, offline: bool = False) -> SourceFacts:
        """Write N-Triples; see :class:`zoo.types.reporting.GraphSource`."""
        del offline  # there is nothing to fetch
        path = required(place, "atomic", "a file of tab-separated head, relation and tail")
        writer = nt.TripleWriter(out)
        first = _relation_first(path)
        relations: set[str] = set()
        for _, (one, two, tail) in _rows(path):
            relation, head = (one, two) if first else (two, one)
            subject, predicate = _node(_TEXT, head), _node(_RELATION, relation)
            writer.add(subject, predicate, _node(_TEXT, tail))
            writer.add(subject, f"<{RDFS}label>", nt.literal(head, "en"))
            writer.add(_node(_TEXT, tail), f"<{RDFS}label>", nt.literal(tail, "en"))
            if relation not in relations:
                relations.add(relation)
                writer.add(predicate, f"<{RDFS}label>", nt.literal(relation))
        writer.flush()
        return SourceFacts(sha256=sha256_of(path))


def _relation_first(path: Path) -> bool:
    """Tell from the first lines.

    Raises:
        InputError: the file has none.
    """
    first, second = Counter[str](), Counter[str]()
    for _, (one, two, _tail) in islice(_rows(path), _LOOK):
        first[one] += 1
        second[two] += 1
    if not first:
        raise InputError(f"{path} has no triples.", "Lines are head, relation, tail, with tabs.")
    return len(first) < len(second)


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Read three cells a line; a fourth, a weight or a split, is left out."""
    for number, line in lines_of(path):
        cells = [" ".join(cell.split()) for cell in line.split("\t")]
        if not any(cells) or (number == 1 and tuple(map(str.lower, cells[:3])) == _HEADERS):
            continue
        if len(cells) < 3:
            refuse(path, number, f"a triple has 3 cells, this has {len(cells)}")
        one, two, tail = cells[:3]
        if not (one and two):
            refuse(path, number, "a cell is empty")
        if tail and tail.lower() != "none":  # ATOMIC writes that there is no answer
            yield number, (one, two, tail)


def _node(base: str, text: str) -> str:
    return f"<{base}{nt.part_of_iri(text)}>"
