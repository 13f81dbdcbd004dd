"""The store on disk, held by one process at a time, and what is asked of it."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import InputError, NothingMatchedError, ZooError
from zoo.graph.asking import check_question
from zoo.graph.folder import (
    FILE,
    Contents,
    GraphInfo,
    damaged,
    open_store,
    read_contents,
    sweep,
    write_contents,
)
from zoo.graph.terms import GRAPH, NAMES, PREFIXES, iri_of_graph, is_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.types.explaining import Triple
    from zoo.types.failure import Failure


_FIRST = (
    "zoo graph import FILE, or zoo graph fetch SOURCE: "
    "zoo plugins list --hook zoo_graph_sources names them."
)


@dataclass(kw_only=True, eq=False)
class Graph:
    """An open graph.

    Attributes:
        store: pyoxigraph's; another one once a graph was loaded or removed.
        folder: where it lies; None for one in memory.
        infos: what is in it, by name.
        failures: runs that could not be read into it.
        memo: what others made of it while it is open; of a graph in memory, the only place.
    """

    store: Any
    folder: Path | None = None
    infos: dict[str, GraphInfo]
    failures: list[Failure] = field(default_factory=list)
    memo: dict[str, Any] = field(default_factory=dict)
    generation: str = ""

    @classmethod
    def in_memory(cls, **sources: bytes) -> Graph:
        """Make a graph of N-Triples by name, for tests and for trials of plugins."""
        from pyoxigraph import NamedNode, RdfFormat, Store

        store, infos = Store(), {}
        for name, content in sources.items():
            before = len(store)
            store.load(content, RdfFormat.N_TRIPLES, to_graph=NamedNode(iri_of_graph(name)))
            infos[name] = GraphInfo(name=name, triples=len(store) - before)
        return cls(store=store, infos=infos)

    def query(self, text: str) -> Any:
        """Ask in SPARQL; the prefixes of :data:`zoo.graph.terms.PREFIXES` are declared.

        Returns:
            What pyoxigraph gives: solutions, a boolean, or triples.

        Raises:
            InputError: it is no query; updates are refused, and other servers are not asked.
        """
        check_question(text)
        try:
            return self.store.query(text, prefixes=PREFIXES, use_default_graph_as_union=True)
        except SyntaxError as error:
            where = str(error).splitlines()[0].partition(": expected")[0].rstrip(".")
            raise InputError(
                f"that is no SPARQL query: {where}.", "zoo graph query --help has examples."
            ) from error

    def triples(
        self, subject: str | None = None, predicate: str | None = None, object_: str | None = None
    ) -> Iterator[Triple]:
        """Find triples of any named graph by the IRIs of their parts, as N-Triples terms."""
        from pyoxigraph import NamedNode

        parts = [
            None if each is None else NamedNode(each) for each in (subject, predicate, object_)
        ]
        for quad in self.store.quads_for_pattern(*parts, None):
            yield str(quad.subject), str(quad.predicate), str(quad.object)

    def name_of(self, iri: str) -> str:
        """Give the name of a node to show: its preferred label, or the end of its IRI."""
        from pyoxigraph import NamedNode

        for predicate in NAMES:
            for quad in self.store.quads_for_pattern(NamedNode(iri), NamedNode(predicate), None):
                return str(quad.object.value)
        return iri.rstrip("/#").replace("#", "/").rpartition("/")[2] or iri

    @property
    def digest(self) -> str:
        """The beginning of a sha256 of what was imported; runs do not change it."""
        imported = {name: info for name, info in self.infos.items() if not is_run(name)}
        return hashlib.sha256(msgspec.json.encode(imported, order="sorted")).hexdigest()[:16]

    def derived(self, name: str) -> Path | None:
        """Give the path of what is computed from the graph and kept beside it.

        It is gone when another graph is imported or removed; write there with
        :func:`zoo.files.write_atomically`. None for a graph in memory, which has :attr:`memo`.
        """
        if self.folder is None:
            return None
        folder = self.folder / "derived" / self.digest
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        return folder / name

    def keep(self) -> None:
        """Write down what the store holds, after a change of :attr:`infos`."""
        if self.folder is not None:
            self.store.flush()
            write_contents(self.folder, Contents(store=self.generation, graphs=self.infos))


@contextmanager
def open_graph(home: Path, *, create: bool = True, wait: float = 30.0) -> Iterator[Graph]:
    """Open the graph of a home folder, alone, and bring it in line with the runs of that folder.

    ::

        from zoo.graph import open_graph

        with open_graph(Settings().folder) as graph:
            for row in graph.query("SELECT ?name { ?node skos:prefLabel ?name } LIMIT 3"):
                print(row["name"].value)

    Args:
        home: folder that also has the runs, see :class:`zoo.settings.Settings`.
        create: False: where there is no graph, none is made.
        wait: seconds to wait for another process.

    Raises:
        NothingMatchedError: there is none, and ``create`` is False.
        ZooError: another process holds it for longer than ``wait``, or it is damaged.
    """
    from filelock import FileLock, Timeout

    from zoo.graph.provenance import sync_runs

    folder = home / "graph"
    if not create and not (folder / FILE).exists():
        raise NothingMatchedError("no graph yet.", _FIRST)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "graph.lock")
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise ZooError(
            f"another zoo process is using the graph in {folder}.", "Try again when it is done."
        ) from None
    graph = Graph(store=None, folder=folder, infos={})
    try:
        contents = read_contents(folder)
        sweep(folder, contents)
        graph.store, graph.generation = open_store(folder, contents), contents.store
        graph.infos.update(contents.graphs)
        graph.failures.extend(sync_runs(graph, home))
        yield graph
    except RuntimeError as error:
        if "orruption" not in str(error):
            raise
        raise damaged(folder, error, Contents(graphs=graph.infos)) from error
    finally:
        graph.store = None  # whoever still has the graph must not keep its files open
        lock.release()


__all__ = ["GRAPH", "Graph", "GraphInfo", "open_graph"]
