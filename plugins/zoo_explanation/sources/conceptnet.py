"""The source ``conceptnet``: assertions of ConceptNet 5, with their weights."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from zoo.graph.terms import RDF, RDFS, TERMS
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources import ntriples as nt
from zoo_explanation.sources.reading import lines_of, refuse, required, sha256_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_SITE = "http://conceptnet.io"
_LANGUAGE = "en"
_CREDIT = (
    "Contains data from ConceptNet 5 (conceptnet.io), by Luminoso Technologies and others, "
    "CC BY-SA 4.0."
)
_LABELS = 1 << 20


class ConceptNet:
    """Assertions between English concepts.

    ``/r/IsA`` stays a relation of ConceptNet: it mixes kinds, instances and opinions, so nothing
    here takes it for a taxonomy. A weight other than 1 is kept at the assertion's own node.
    """

    def write(self, place: Path | None, out: BinaryIO, *, offline: bool = False) -> SourceFacts:
        """Write N-Triples; see :class:`zoo.types.reporting.GraphSource`."""
        del offline  # there is nothing to fetch
        path = required(place, "conceptnet", "the assertions file of ConceptNet 5")
        writer = nt.TripleWriter(out)
        labelled: set[str] = set()
        for number, line in lines_of(path):
            if not line:
                continue
            cells = line.split("\t")
            if len(cells) != 5:
                refuse(path, number, f"an assertion has 5 cells, this has {len(cells)}")
            assertion, relation, start, end, details = cells
            if not (relation.startswith("/r/") and start[:3] == end[:3] == "/c/"):
                refuse(path, number, "that is no relation between two concepts of ConceptNet")
            weight = _weight(path, number, details)
            if start.split("/")[2:3] != [_LANGUAGE] or end.split("/")[2:3] != [_LANGUAGE]:
                continue
            _write(writer, (assertion, relation, start, end), weight)
            for concept in (start, end):
                if concept not in labelled:
                    _remember(labelled, concept)
                    writer.add(_node(concept), f"<{RDFS}label>", _label(concept))
        writer.flush()
        return SourceFacts(license="CC-BY-SA-4.0", credit=_CREDIT, sha256=sha256_of(path))


def _write(writer: nt.TripleWriter, assertion: tuple[str, str, str, str], weight: float) -> None:
    name, relation, start, end = assertion
    writer.add(_node(start), _node(relation), _node(end))
    if weight != 1:
        node = _node(name)
        writer.add(node, f"<{RDF}subject>", _node(start))
        writer.add(node, f"<{RDF}predicate>", _node(relation))
        writer.add(node, f"<{RDF}object>", _node(end))
        writer.add(node, f"<{TERMS}weight>", nt.double(weight))


def _weight(path: Path, number: int, details: str) -> float:
    try:
        weight = float(json.loads(details).get("weight", 1.0))
    except (ValueError, AttributeError, TypeError):
        weight = math.nan
    if not math.isfinite(weight):
        refuse(path, number, "the fifth cell is no JSON object with a weight")
    return weight


def _remember(labelled: set[str], concept: str) -> None:
    """Keep what was labelled within bounds: a label written twice is one triple all the same."""
    if len(labelled) >= _LABELS:
        labelled.clear()
    labelled.add(concept)


def _node(path: str) -> str:
    return nt.iri(f"{_SITE}{path}")


def _label(concept: str) -> str:
    """Give the words of ``/c/en/hot_dog/n/...``."""
    words = concept.split("/")[3:4]
    return nt.literal("".join(words).replace("_", " "), _LANGUAGE)
