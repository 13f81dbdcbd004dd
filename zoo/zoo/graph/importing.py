"""Files and sources into named graphs: what a person brings, and what a plugin can read."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from zoo.errors import InputError, PluginError, ZooError
from zoo.events import ignore
from zoo.graph.folder import GraphInfo, scratch_name
from zoo.graph.loading import load_graphs
from zoo.graph.reading import digest_of, format_of, read_triples, stem_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.graph.store import Graph
    from zoo.types.reporting import SourceFacts

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def import_files(
    graph: Graph,
    paths: Sequence[Path],
    *,
    name: str = "",
    kind: str = "",
    license_id: str = "",
    credit: str = "",
    on_event: Listener = ignore,
) -> list[GraphInfo]:
    """Load RDF files: one graph a file, or all of them as one graph of a name; all or none.

    Args:
        graph: an open one; graphs of the same names are replaced.
        paths: the files.
        name: of the one graph; empty: each is named after its file.
        kind: see :data:`zoo.graph.reading.FORMATS`; empty goes by the endings.
        license_id: of the data, such as ``CC-BY-4.0``.
        credit: the line that the licence asks to show.
        on_event: is told how far it is.

    Raises:
        InputError: a file that cannot be read or is broken; nothing is loaded then.
    """
    kinds = {path: format_of(path, kind) for path in paths}
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(checked_name(name) if name else name_of_file(path), []).append(path)
    sources = []
    for each, files in groups.items():
        digests = [digest_of(path) for path in files]
        info = GraphInfo(
            name=each,
            triples=0,
            source=", ".join(str(path) for path in files),
            license=license_id,
            credit=credit,
            sha256=digests[0] if len(digests) == 1 else "",
        )
        quads = chain.from_iterable(read_triples(path, kinds[path]) for path in files)
        sources.append((info, quads))
    return load_graphs(graph, sources, on_event)


def fetch_graph(
    graph: Graph,
    source: str,
    catalogue: Catalogue,
    *,
    place: Path | None = None,
    name: str = "",
    license_id: str = "",
    credit: str = "",
    offline: bool = False,
    on_event: Listener = ignore,
) -> GraphInfo:
    """Load what a plugin's graph source gives; all of it or nothing.

    Args:
        graph: an open one on disk; a graph of the same name is replaced.
        source: name of the graph source.
        catalogue: knows the sources.
        place: file or folder to read; None fetches, where the source can.
        name: of the graph; the source's.
        license_id: another licence than the source knows of.
        credit: another line than the source knows of.
        offline: the network must not be asked.
        on_event: is told how far it is.

    Raises:
        InputError: no such source, nothing there, or not what it reads.
        OfflineError: it would have to be fetched.
    """
    spec = catalogue.spec("graph_source", source)
    if place is None and not spec.fetches:
        raise InputError(
            f"{source} cannot be fetched: it reads {spec.reads or 'a file'}.",
            f"zoo graph fetch {source} --from PLACE",
        )
    if place is not None and not place.exists():
        raise InputError(f"there is nothing at {place}.", f"{source} reads {spec.reads}.")
    name = checked_name(name or source)
    assert graph.folder is not None, "sources are loaded into a graph on disk"
    scratch = graph.folder / scratch_name(f"{source}.nt")
    try:
        with scratch.open("wb") as out:
            facts = _written(catalogue, source, place, out, offline=offline)
        info = GraphInfo(
            name=name,
            triples=0,
            source=str(place) if place else f"fetched by {source}",
            version=facts.version,
            license=license_id or facts.license or spec.license,
            credit=credit or facts.credit,
            sha256=facts.sha256,
        )
        quads = read_triples(scratch, "ntriples", name=f"what {source} wrote")
        return load_graphs(graph, [(info, quads)], on_event)[0]
    finally:
        scratch.unlink(missing_ok=True)


def _written(
    catalogue: Catalogue, source: str, place: Path | None, out: BinaryIO, *, offline: bool
) -> SourceFacts:
    """Have the source write, and turn what a plugin throws into a sentence."""
    try:
        found: SourceFacts = catalogue.create("graph_source", source).write(
            place, out, offline=offline
        )
    except (ZooError, OSError):
        raise
    except Exception as error:
        detail = str(error).strip().partition("\n")[0]
        raise PluginError(
            f"the graph source {source} failed: {type(error).__name__}: {detail}."
        ) from error
    return found


def checked_name(name: str) -> str:
    """Give a name that a graph can have.

    Raises:
        InputError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a graph cannot be called {name!r}.",
            "Use small letters, digits, dots, dashes and underscores.",
        )
    return name


def name_of_file(path: Path) -> str:
    """Name a graph after its file."""
    name = re.sub(r"[^a-z0-9._-]+", "-", stem_of(path).lower()).strip("-._")
    return name or "imported"
