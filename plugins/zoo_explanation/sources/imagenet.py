"""The source ``imagenet``: which synset is which class of ImageNet-1k."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.graph.terms import DATA, RDF, RDFS, SKOS, TERMS
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources import ntriples as nt
from zoo_explanation.sources.reading import lines_of, refuse, sha256_of
from zoo_explanation.sources.synsets import WORDNET_30

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

#: The collection; its members are nodes of their own, each with its place in the order.
CLASSES = f"{DATA}imagenet"
_WNID = re.compile(r"n\d{8}")
_HINT = (
    "Name a file of WordNet ids in the order of the classes, such as n01440764, one a line or in "
    "a column named wnid30: zoo graph fetch imagenet --from FILE"
)


class ImageNet:
    """The classes of ImageNet by their WordNet 3.0 ids and numbers."""

    def write(self, place: Path | None, out: BinaryIO, *, offline: bool = False) -> SourceFacts:
        """Write N-Triples; see :class:`zoo.types.reporting.GraphSource`."""
        del offline  # nothing here asks the network
        path = _of_timm() if place is None else place
        if not path.is_file():
            raise InputError(f"{path} is no file of classes.", _HINT)
        wnids = list(_classes(path))
        if not wnids:
            raise InputError(f"{path} has no WordNet ids.", _HINT)
        writer = nt.TripleWriter(out)
        _write(writer, wnids)
        writer.flush()
        return SourceFacts(
            version=f"{len(wnids)} classes",
            credit="The order of the classes of ImageNet, by their WordNet ids.",
            sha256=sha256_of(path),
        )


def _write(writer: nt.TripleWriter, classes: list[str]) -> None:
    collection = nt.iri(CLASSES)
    writer.add(collection, f"<{RDF}type>", f"<{SKOS}Collection>")
    writer.add(collection, f"<{RDFS}label>", nt.literal(f"ImageNet, {len(classes)} classes", "en"))
    for index, wnid in enumerate(classes):
        member = nt.iri(f"{CLASSES}:{wnid}")
        writer.add(collection, f"<{SKOS}member>", member)
        writer.add(member, nt.WNID30, nt.literal(wnid))
        writer.add(member, f"<{TERMS}index>", nt.integer(index))
        writer.add(member, f"<{SKOS}exactMatch>", nt.iri(f"{WORDNET_30}{wnid[1:]}-n"))


def _classes(path: Path) -> Iterator[str]:
    """Read a list, or the column ``wnid30`` of a table; each id may stand there once.

    Raises:
        InputError: a line has none, or one again; with the line.
    """
    column = 0
    seen: dict[str, int] = {}
    for number, line in lines_of(path):
        cells = next(csv.reader([line], delimiter="\t"), [])
        if number == 1 and "wnid30" in cells:
            column = cells.index("wnid30")
            continue
        if not cells:
            continue
        found = cells[column].split() if column < len(cells) else []
        if not found or not _WNID.fullmatch(found[0]):
            refuse(path, number, "there is no WordNet id such as n01440764")
        if found[0] in seen:
            refuse(path, number, f"{found[0]} stands in line {seen[found[0]]} already")
        seen[found[0]] = number
        yield found[0]


def _of_timm() -> Path:
    """Find the list that timm carries.

    Raises:
        InputError: timm is not installed, or carries none.
    """
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the classes of ImageNet are read from timm, which is not here.", _HINT)
    path = Path(next(iter(spec.submodule_search_locations)), "data/_info/imagenet_synsets.txt")
    if not path.is_file():
        raise InputError(f"this timm has no {path.name}.", _HINT)
    return path
