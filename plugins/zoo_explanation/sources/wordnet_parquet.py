"""Open English WordNet from the two parquet files of its nouns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources.reading import sha256_of
from zoo_explanation.sources.synsets import OEWN, Synset, write_order, write_synset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo_explanation.sources.ntriples import TripleWriter

NOUNS = "oewn_nouns.parquet"
SENSES = "lemma_senses.parquet"
CREDIT = (
    "Contains data from Open English WordNet (en-word.net, CC BY 4.0), derived from Princeton "
    "WordNet, and from the Collaborative Interlingual Index (CC BY 4.0)."
)
_COLUMNS = (
    "id", "ili", "wnid30", "wikidata", "field", "lemmas", "gloss",
    "hypernyms", "has_part", "has_substance",
)  # fmt: skip


def write_parquet(folder: Path, writer: TripleWriter) -> SourceFacts:
    """Write the nouns of a folder.

    Raises:
        InputError: a file is missing, broken, or has other columns.
    """
    nouns, senses = folder / NOUNS, folder / SENSES
    for row in _rows(nouns, _COLUMNS):
        write_synset(writer, _synset(row))
    if senses.exists():
        order = {row["lemma"]: row["senses"] for row in _rows(senses, ("lemma", "senses"))}
        write_order(
            writer, {lemma: [f"{OEWN}{each}" for each in ids] for lemma, ids in order.items()}
        )
    read = [path for path in (nouns, senses) if path.exists()]
    return SourceFacts(license="CC-BY-4.0", credit=CREDIT, sha256=sha256_of(*read))


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise InputError(f"{path} has no column {missing[0]!r}.")
            for batch in file.iter_batches(8192, columns=list(columns)):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Is it complete?") from error


def _synset(row: dict[str, Any]) -> Synset:
    def nodes(name: str) -> list[str]:
        return [f"{OEWN}{each}" for each in row[name] or ()]

    return Synset(
        iri=f"{OEWN}{row['id']}",
        lemmas=row["lemmas"] or (),
        gloss=row["gloss"] or "",
        field=row["field"] or "",
        wnid30=row["wnid30"] or "",
        ili=row["ili"] or "",
        wikidata=row["wikidata"] or (),
        links={
            "hypernym": nodes("hypernyms"),
            "mero_part": nodes("has_part"),
            "mero_substance": nodes("has_substance"),
        },
    )
