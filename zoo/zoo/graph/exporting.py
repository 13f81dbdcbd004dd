"""Named graphs as an RDF file."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError, unknown_name
from zoo.files import replacing
from zoo.graph.reading import ENDINGS, FORMATS
from zoo.graph.terms import PREFIXES, iri_of_graph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.graph.store import Graph

#: Formats that keep the names of the graphs; the others hold triples only.
_WITH_NAMES = ("nquads", "trig", "jsonld")


def export_graph(graph: Graph, path: Path, *, name: str = "", kind: str = "") -> int:
    """Write one named graph, or all of them, whole or not at all.

    Args:
        graph: an open one.
        path: ends in ``.gz`` to be packed.
        name: of the graph; empty writes all: as one where the format knows no names.
        kind: see :data:`zoo.graph.reading.FORMATS`; empty goes by the ending.

    Returns:
        How many triples were written.

    Raises:
        InputError: no such graph or format, or a place that cannot be written.
    """
    if name and name not in graph.infos:
        raise unknown_name("graph", name, graph.infos, "zoo graph list")
    kind = kind or ENDINGS.get(_ending(path), "")
    if kind not in FORMATS:
        raise InputError(
            f"{path} does not say by its ending which RDF format to write.",
            f"Add --as with one of {', '.join(FORMATS)}.",
        )
    names = [name] if name else sorted(graph.infos)
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            if path.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                    return _write(graph, packed, kind, names, one=bool(name))
            return _write(graph, file, kind, names, one=bool(name))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


def _write(graph: Graph, file: Any, kind: str, names: list[str], *, one: bool) -> int:
    from pyoxigraph import RdfFormat, serialize

    counted = [0]

    def quads() -> Iterator[Any]:
        from pyoxigraph import NamedNode

        for name in names:
            place = NamedNode(iri_of_graph(name))
            for quad in graph.store.quads_for_pattern(None, None, None, place):
                counted[0] += 1
                yield quad if kind in _WITH_NAMES and not one else quad.triple

    serialize(quads(), file, getattr(RdfFormat, FORMATS[kind]), prefixes=PREFIXES)
    return counted[0]


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return f".{name.rpartition('.')[2]}" if "." in name else ""
