"""RDF files as triples; a broken one is named with its line."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import re
import warnings
import zlib
from typing import IO, TYPE_CHECKING, Any

from zoo.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Our word for a format -> pyoxigraph's.
FORMATS = {
    "turtle": "TURTLE",
    "ntriples": "N_TRIPLES",
    "nquads": "N_QUADS",
    "trig": "TRIG",
    "rdfxml": "RDF_XML",
    "jsonld": "JSON_LD",
    "n3": "N3",
}
#: Formats that rdflib reads and pyoxigraph does not.
MORE_FORMATS = ("trix", "hext")
ENDINGS = {
    ".ttl": "turtle",
    ".nt": "ntriples",
    ".nq": "nquads",
    ".trig": "trig",
    ".rdf": "rdfxml",
    ".owl": "rdfxml",
    ".xml": "rdfxml",
    ".jsonld": "jsonld",
    ".json": "jsonld",
    ".n3": "n3",
    ".trix": "trix",
    ".hext": "hext",
}
_PLACE = re.compile(r"^Parser error[^:]*: |\s*\(line \d+\)$")


def format_of(path: Path, asked: str = "") -> str:
    """Tell the format of a file by its ending, ``.gz`` aside, or by what was asked for.

    Raises:
        InputError: no such format, or an ending that says nothing.
    """
    known = [*FORMATS, *MORE_FORMATS]
    if asked:
        if asked not in known:
            raise unknown_name("RDF format", asked, known)
        return asked
    found = ENDINGS.get(_ending(path))
    if not found:
        raise InputError(
            f"{path} does not say by its ending which RDF format it has.",
            f"Add --as with one of {', '.join(known)}.",
        )
    return found


def stem_of(path: Path) -> str:
    """Give a file's name without the endings."""
    name = path.name.removesuffix(".gz")
    return name.removesuffix(_ending(path)) if _ending(path) in ENDINGS else name


def digest_of(path: Path) -> str:
    """Sha256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def read_triples(path: Path, kind: str, *, name: str = "") -> Iterator[Any]:
    """Read pyoxigraph quads of one file, one after the other.

    Args:
        path: of the file; one that ends in ``.gz`` is unpacked.
        kind: of :data:`FORMATS` or :data:`MORE_FORMATS`.
        name: what messages call the file; its path.

    Raises:
        InputError: it cannot be read, or breaks the rules of its format; with the line.
    """
    from pyoxigraph import RdfFormat, parse

    name = name or str(path)
    try:
        with _opened(path) as file:
            content, spoken = (
                (_by_rdflib(file, kind, name), "nquads") if kind in MORE_FORMATS else (file, kind)
            )
            yield from parse(
                content,
                getattr(RdfFormat, FORMATS[spoken]),
                base_iri="file:///",
                rename_blank_nodes=True,
            )
    except SyntaxError as error:
        raise _broken(name, error) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{name} is no whole gzip file: {error}.") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}.") from error


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _broken(name: str, error: SyntaxError) -> InputError:
    line = f", line {error.lineno}" if error.lineno else ""
    what = _PLACE.sub("", _PLACE.sub("", str(error.msg))).strip().rstrip(".")
    what = what.replace(
        "No LoadDocumentCallback has been set to load remote contexts",
        "its context lies on another server, which is not asked",
    )
    return InputError(f"{name}{line}: {what}.", "Nothing was loaded.")


def _by_rdflib(file: IO[bytes], kind: str, name: str) -> IO[bytes]:
    if importlib.util.find_spec("rdflib") is None:
        raise InputError(
            f"{name}: {kind} is read by rdflib, which is not installed.",
            "pip install 'zoo-reuse[graph]'",
        )
    import rdflib

    found = rdflib.Dataset()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of rdflib to itself
            found.parse(file, format=kind)
            packed = found.serialize(format="nquads", encoding="utf-8")
    except Exception as error:  # rdflib raises what the parser of the format raises
        detail = str(error).strip().partition("\n")[0]
        raise InputError(f"{name} is no {kind}: {detail}.", "Nothing was loaded.") from error
    return io.BytesIO(packed)


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return f".{name.rpartition('.')[2]}" if "." in name else ""
