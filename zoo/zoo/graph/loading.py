"""Putting graphs into the store and taking them out: wholly, or not at all."""

from __future__ import annotations

import shutil
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import InputError, unknown_name
from zoo.events import Event, ignore
from zoo.graph.folder import Contents, next_store, write_contents
from zoo.graph.terms import iri_of_graph, is_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zoo.events import Listener
    from zoo.graph.folder import GraphInfo
    from zoo.graph.store import Graph

#: Triples that are sorted in memory at a time: 300 MB. A million takes three times as much.
_AT_ONCE = 250_000
#: Taking out more than this one by one costs more than copying the rest.
_SMALL = 300_000


def load_graphs(
    graph: Graph, sources: Iterable[tuple[GraphInfo, Iterable[Any]]], on_event: Listener = ignore
) -> list[GraphInfo]:
    """Put triples in the place of named graphs; what goes wrong in any leaves all as it was.

    Args:
        graph: an open one.
        sources: what is known of each graph, and its pyoxigraph triples or quads, which are read
            once and may be more than fit into memory. Their own graph names are not kept.
        on_event: is told how far it is.

    Returns:
        What the graphs hold now.
    """
    sources = list(sources)
    with _changing(graph, {info.name for info, _ in sources}) as draft:
        loaded = []
        for info, quads in sources:
            _fill(draft.store, info.name, quads, on_event)
            draft.infos[info.name] = msgspec.structs.replace(
                info,
                triples=count_triples(draft.store, info.name),
                loaded=info.loaded or datetime.now(UTC).isoformat(timespec="seconds"),
            )
            loaded.append(draft.infos[info.name])
    return loaded


def remove_graphs(graph: Graph, names: Iterable[str]) -> None:
    """Take named graphs out.

    Raises:
        InputError: there is none of a name, or it is a run's.
    """
    names = list(names)
    check_removable(graph, names)
    with _changing(graph, set(names)):
        pass


def check_removable(graph: Graph, names: Iterable[str]) -> None:
    """Refuse to take out what is not there, or is there because a run is.

    Raises:
        InputError: such a name.
    """
    for name in names:
        if name not in graph.infos:
            raise unknown_name("graph", name, graph.infos, "zoo graph list")
        if is_run(name):
            raise InputError(
                f"{name} is there for as long as the run is.",
                f"zoo runs remove {name.removeprefix('run:')}",
            )


def count_triples(store: Any, name: str) -> int:
    """Count the triples of a named graph."""
    text = f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{iri_of_graph(name)}> {{ ?s ?p ?o }} }}"
    return int(next(iter(store.query(text)))["n"].value)


def _fill(store: Any, name: str, quads: Iterable[Any], on_event: Listener) -> None:
    from pyoxigraph import NamedNode, Quad

    place, done, stream = NamedNode(iri_of_graph(name)), 0, iter(quads)
    while part := [
        Quad(each.subject, each.predicate, each.object, place) for each in islice(stream, _AT_ONCE)
    ]:
        store.bulk_extend(part)
        done += len(part)
        on_event(Event(kind="batch", model=name, done=done, message=f"{done:,} triples"))


@dataclass
class _Draft:
    """What is to take the place of a graph's store; ``store`` is None once it is given up."""

    store: Any
    infos: dict[str, GraphInfo]


@contextmanager
def _changing(graph: Graph, gone: set[str]) -> Iterator[_Draft]:
    """Give a copy of the store without some graphs, which takes its place if all goes well."""
    infos = {name: info for name, info in graph.infos.items() if name not in gone}
    if graph.folder is None:
        draft = _Draft(_copied(graph, gone), infos)
        yield draft
        graph.store, graph.infos = draft.store, infos
        return
    previous, following = graph.generation, next_store(graph.folder)
    path = graph.folder / following
    draft = _Draft(None, infos)
    try:
        draft.store = _on_disk(graph, gone, str(path))
        yield draft
        draft.store.flush()
        write_contents(graph.folder, Contents(store=following, graphs=infos))
    except BaseException as error:
        # Its files are locked until nothing holds it, and the error remembers who did.
        draft.store = None
        traceback.clear_frames(error.__traceback__)
        shutil.rmtree(path, ignore_errors=True)
        raise
    graph.store, graph.infos, graph.generation = draft.store, infos, following
    shutil.rmtree(graph.folder / previous, ignore_errors=True)


def _copied(graph: Graph, gone: set[str]) -> Any:
    from pyoxigraph import Store

    store = Store()
    store.extend(_kept(graph, gone))
    return store


def _on_disk(graph: Graph, gone: set[str], path: str) -> Any:
    """Copy by hard links and take out what is small; copy triple by triple what is left else."""
    from pyoxigraph import NamedNode, Store

    leaving = sum(info.triples for name, info in graph.infos.items() if name in gone)
    if leaving <= _SMALL:
        graph.store.backup(path)
        store = Store(path)
        for name in gone & graph.infos.keys():
            store.remove_graph(NamedNode(iri_of_graph(name)))
        return store
    store, stream = Store(path), iter(_kept(graph, gone))
    while part := list(islice(stream, _AT_ONCE)):
        store.bulk_extend(part)
    return store


def _kept(graph: Graph, gone: set[str]) -> Iterator[Any]:
    from pyoxigraph import NamedNode

    for name in graph.infos.keys() - gone:
        yield from graph.store.quads_for_pattern(None, None, None, NamedNode(iri_of_graph(name)))
