"""The source ``wordnet``: what was named decides which file it is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources import wordnet_dict, wordnet_parquet
from zoo_explanation.sources.ntriples import TripleWriter
from zoo_explanation.sources.reading import sha256_of, unpacked
from zoo_explanation.sources.wordnet_library import write_library
from zoo_explanation.sources.wordnet_lmf import write_lmf

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_READS = (
    "Name a folder of WordNet's dict files (data.noun, index.noun) or of "
    f"{wordnet_parquet.NOUNS}, an LMF file (.xml, .xml.gz), or N-Triples (.nt, .nt.gz)."
)


class WordNet:
    """Nouns of a wordnet: what they are kinds of, their parts, words and glosses."""

    def write(self, place: Path | None, out: BinaryIO, *, offline: bool = False) -> SourceFacts:
        """Write N-Triples; see :class:`zoo.types.reporting.GraphSource`."""
        writer = TripleWriter(out)
        facts = (
            write_library(writer, offline=offline) if place is None else _write_place(place, writer)
        )
        writer.flush()
        return facts


def _write_place(place: Path, writer: TripleWriter) -> SourceFacts:
    if not place.exists():
        raise InputError(f"there is no {place}.", _READS)
    if place.is_dir():
        return _write_folder(place, writer)
    name = place.name.removesuffix(".gz").removesuffix(".xz")
    if name.endswith(".xml"):
        return write_lmf(place, writer)
    if name.endswith(".nt"):
        return _copy(place, writer)
    if place.name in (wordnet_dict.NOUNS, wordnet_dict.INDEX, wordnet_parquet.NOUNS):
        return _write_folder(place.parent, writer)
    raise InputError(f"{place} is nothing that WordNet can be read from.", _READS)


def _write_folder(folder: Path, writer: TripleWriter) -> SourceFacts:
    if (folder / wordnet_parquet.NOUNS).exists():
        return wordnet_parquet.write_parquet(folder, writer)
    for each in (folder, folder / "dict"):
        if (each / wordnet_dict.NOUNS).exists() or (each / wordnet_dict.INDEX).exists():
            return wordnet_dict.write_dict(each, writer)
    files = [each for each in sorted(folder.iterdir()) if each.name.endswith((".xml", ".xml.gz"))]
    if len(files) == 1:
        return write_lmf(files[0], writer)
    raise InputError(f"{folder} has nothing that WordNet can be read from.", _READS)


def _copy(path: Path, writer: TripleWriter) -> SourceFacts:
    """Take N-Triples as they are, once each line has been read."""
    from pyoxigraph import RdfFormat, parse

    with unpacked(path) as file:
        try:
            for triple in parse(file, format=RdfFormat.N_TRIPLES):
                writer.add(str(triple.subject), str(triple.predicate), str(triple.object))
        except SyntaxError as error:
            raise InputError(
                f"{path}, line {error.lineno}: that is no N-Triples: {error.msg}."
            ) from error
    return SourceFacts(license="CC-BY-4.0", credit=wordnet_parquet.CREDIT, sha256=sha256_of(path))
