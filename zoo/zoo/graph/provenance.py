"""The graph learns from use: runs become provenance, and fine-tuned leaders a history."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.graph.folder import GraphInfo
from zoo.graph.recording import quads_of
from zoo.graph.terms import TERMS, iri_of_graph, is_run
from zoo.types.failure import Failure
from zoo.types.reporting import TransferRecord

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.graph.store import Graph
    from zoo.runs import Run

#: Of the triples that a run becomes; another number has every run written anew.
VOCABULARY = "1"

_TRANSFERS = """
SELECT DISTINCT ?transfer ?model ?data ?target ?value ?metric ?origin {
  ?transfer a zoo:Transfer ; zoo:source ?source ; zoo:target ?data ; zoo:value ?value .
  OPTIONAL { ?transfer zoo:metric ?metric }
  OPTIONAL { ?transfer prov:wasGeneratedBy ?origin }
  OPTIONAL { ?source rdfs:label ?label }
  OPTIONAL { ?data rdfs:label ?target }
  BIND (COALESCE(?label, STR(?source)) AS ?model)
}
"""
_QUANTITIES = """
SELECT DISTINCT ?transfer ?name ?value {
  ?transfer a zoo:Transfer ; zoo:quantity [ zoo:name ?name ; zoo:value ?value ]
}
"""
_CLASSES = """
SELECT DISTINCT ?transfer ?role ?class {
  VALUES ?role { zoo:source zoo:target }
  ?transfer a zoo:Transfer ; ?role [ zoo:class ?class ]
}
"""


def sync_runs(graph: Graph, home: Path) -> tuple[Failure, ...]:
    """Bring the graphs of runs in line with the runs folder; what has not changed is left alone.

    Returns:
        Runs that cannot be read, which are left out.
    """
    from zoo.runs import list_runs

    failures, found = [], {}
    for run in list_runs(home):
        path = run.folder / "ranking.json"
        try:
            found[f"run:{run.name}"] = run, hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            continue
        except OSError as error:
            failures.append(Failure(stage="graph", error=f"run {run.name}: {error.strerror}."))
    known = {name: info for name, info in graph.infos.items() if is_run(name)}
    stale = {name for name, info in known.items() if not _current(info, found.get(name))}
    if stale:
        _forget(graph, stale)
    added = False
    for name in found.keys() - graph.infos.keys():
        try:
            _record(graph, name, *found[name])
            added = True
        except ZooError as error:
            failures.append(Failure.of(error, stage="graph"))
    if added:
        graph.keep()
    return tuple(sorted(failures, key=str))


def history_of(graph: Graph) -> tuple[TransferRecord, ...]:
    """Read every transfer of the graph, one's own and imported ones, in a fixed order.

    Two sets of samples of one name are told apart by the beginning of their fingerprint.
    """
    quantities: dict[str, dict[str, float]] = defaultdict(dict)
    for row in graph.query(_QUANTITIES):
        value = _number(row["value"])
        if value is not None:
            quantities[row["transfer"].value][row["name"].value] = value
    classes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in graph.query(_CLASSES):
        role = row["role"].value.removeprefix(TERMS)
        classes[row["transfer"].value, role].add(row["class"].value)
    rows = {row["transfer"].value: row for row in graph.query(_TRANSFERS)}
    names: dict[str, set[str]] = defaultdict(set)
    for row in rows.values():
        names[_text(row, "target")].add(row["data"].value)
    records = []
    for transfer, row in sorted(rows.items()):
        value, target, data = _number(row["value"]), _text(row, "target"), row["data"].value
        if value is None:
            continue
        if not target or len(names[target]) > 1:
            target = f"{target} ({data.rpartition(':')[2][:8]})".strip()
        records.append(
            TransferRecord(
                source=row["model"].value,
                target=target,
                value=value,
                metric=_text(row, "metric") or "accuracy",
                origin=_text(row, "origin") or transfer,
                quantities=dict(sorted(quantities[transfer].items())),
                source_labels=tuple(sorted(classes[transfer, "source"])),
                target_labels=tuple(sorted(classes[transfer, "target"])),
            )
        )
    return tuple(records)


def _current(info: GraphInfo, found: tuple[Run, str] | None) -> bool:
    return found is not None and (info.sha256, info.version) == (found[1], VOCABULARY)


def _forget(graph: Graph, names: set[str]) -> None:
    """Drop runs; the list goes first, so that an interruption leaves none that is listed."""
    from pyoxigraph import NamedNode

    for name in names:
        del graph.infos[name]
    graph.keep()
    for name in names:
        graph.store.remove_graph(NamedNode(iri_of_graph(name)))


def _record(graph: Graph, name: str, run: Run, digest: str) -> None:
    from pyoxigraph import NamedNode

    ranking = run.ranking
    if ranking is None:
        return
    quads = quads_of(ranking, run.name)
    graph.store.remove_graph(NamedNode(iri_of_graph(name)))
    graph.store.extend(quads)
    graph.infos[name] = GraphInfo(
        name=name,
        triples=len(set(quads)),
        source=f"runs/{run.name}/ranking.json",
        version=VOCABULARY,
        sha256=digest,
        loaded=ranking.provenance.started,
    )


def _number(term: Any) -> float | None:
    try:
        value = float(term.value)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _text(row: Any, name: str) -> str:
    found = row[name]
    return str(found.value) if found is not None else ""
