"""What the knowledge graph costs: loading, memory, and how long an answer takes.

    python benchmarks/graph.py [--data ../shared/data/knowledge_graph] [--triples 5000000] [--write]

``--data`` names a folder with the parquet of a wordnet and ``kg_core.nt.gz``; without it only the
synthetic graph is measured. Every line is a process of its own on two cores, and its memory is the
peak of that process, Python and libraries included. ``--write`` keeps the table in
``docs/reference``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zoo.graph import Graph

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
_WN = "https://globalwordnet.github.io/schemas/wn#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_ENTITY = "http://example.org/entity/"
_CLASSES = f"SELECT DISTINCT ?c {{ ?c <{_WN}hypernym> ?above }}"

_COMMON = f"SELECT DISTINCT ?top {{ <%s> <{_WN}hypernym>* ?top . <%s> <{_WN}hypernym>* ?top }}"


def main() -> None:
    """Measure every case, print the table, and keep it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--triples", type=int, default=5_000_000)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--case", choices=tuple(CASES))
    parser.add_argument("--home", type=Path)
    asked = parser.parse_args()
    if asked.case:
        found = CASES[asked.case](asked)
        found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as scratch:
        rows = [_measured(name, asked, Path(scratch)) for name in CASES if _fits(name, asked)]
    document = {
        "schema_version": 1,
        "cores": 2,
        "python": platform.python_version(),
        "triples": asked.triples,
        "rows": rows,
    }
    table = _table(rows)
    print(table)
    if asked.write:
        (REFERENCE / "graph.json").write_text(f"{json.dumps(document, indent=1)}\n")
        (REFERENCE / "graph.md").write_text(_page(table, asked))


def _fits(name: str, asked: Any) -> bool:
    return asked.data is not None or name.startswith("synthetic")


def _measured(name: str, asked: Any, scratch: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", name, "--triples", str(asked.triples)]
    command += ["--home", str(scratch / name.partition(":")[0])]
    command += ["--data", str(asked.data.absolute())] if asked.data else []
    cores = sorted(os.sched_getaffinity(0))[:2]
    done = subprocess.run(
        ["taskset", "-c", ",".join(map(str, cores)), *command],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = {"case": name} | json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {found['seconds']:.2f} s", file=sys.stderr, flush=True)
    return found


def wordnet_store(asked: Any) -> dict[str, Any]:
    """``zoo graph fetch wordnet --from DATA``."""
    from zoo.catalogue import Catalogue
    from zoo.graph import open_graph
    from zoo.graph.importing import fetch_graph
    from zoo.host import PluginHost

    catalogue, start = Catalogue(PluginHost().discover()), _now()
    with open_graph(asked.home) as graph:
        info = fetch_graph(graph, "wordnet", catalogue, place=asked.data)
    return start() | {"what": f"{info.triples:,} triples into the store, once"}


def wordnet_index(asked: Any) -> dict[str, Any]:
    """The first use: the index is derived from the store."""
    return _lexicon(asked, "index derived from the store, once")


def wordnet_lexicon(asked: Any) -> dict[str, Any]:
    """Every later use."""
    return _lexicon(asked, "nouns loaded, every time")


def _lexicon(asked: Any, what: str) -> dict[str, Any]:
    from zoo.graph import open_graph
    from zoo_explanation.lexicon import lexicon_of

    start = _now()
    with open_graph(asked.home, create=False) as graph:
        lexicon = lexicon_of(graph)
        assert lexicon.senses("dog")
    return start() | {"what": what}


def wordnet_paths(asked: Any) -> dict[str, Any]:
    """Hypernym path of two classes drawn from all nouns, by the lexicon."""
    from zoo.graph import open_graph
    from zoo_explanation.lexicon import lexicon_of

    with open_graph(asked.home, create=False) as graph:
        lexicon = lexicon_of(graph)
        nodes = [lexicon.node(iri) for iri in _iris(graph)]
        pairs = _pairs([node for node in nodes if node is not None], 1000)
        return _asked(lambda pair: lexicon.path(*pair), pairs, "path of two nouns, lexicon")


def wordnet_sparql(asked: Any) -> dict[str, Any]:
    """The common kinds of two nouns by a property path in SPARQL."""
    from zoo.graph import open_graph

    with open_graph(asked.home, create=False) as graph:
        pairs = _pairs(_iris(graph), 200)
        return _asked(lambda pair: list(graph.query(_COMMON % pair)), pairs, "the same, SPARQL")


def synthetic_load(asked: Any) -> dict[str, Any]:
    """A graph of many triples, from N-Triples."""
    from zoo.graph import open_graph
    from zoo.graph.importing import import_files

    asked.home.mkdir(parents=True)
    path = asked.home / "synthetic.nt"
    with path.open("w", encoding="utf-8") as out:
        out.writelines(_lines(asked.triples // 4))
    start = _now()
    with open_graph(asked.home) as graph:
        (info,) = import_files(graph, [path])
    found = start()
    path.unlink()
    return found | {"what": f"{info.triples:,} triples imported"}


def synthetic_open(asked: Any) -> dict[str, Any]:
    """Open it and count."""
    from zoo.graph import open_graph

    start = _now()
    with open_graph(asked.home) as graph:
        graph.query("ASK { ?s ?p ?o }")
    return start() | {"what": "opened"}


def synthetic_names(asked: Any) -> dict[str, Any]:
    """Find nodes by a name."""
    from zoo.graph import open_graph
    from zoo.graph.neighbourhood import find_nodes, neighbourhood

    with open_graph(asked.home) as graph:
        count = asked.triples // 4
        names = [f"Entity number {random.Random(i).randrange(count)}" for i in range(100)]

        def ask(name: str) -> None:
            (node,) = find_nodes(graph, name)
            neighbourhood(graph, node.iri)

        return _asked(ask, names, "a node found by name, and what is around it")


def synthetic_paths(asked: Any) -> dict[str, Any]:
    """The common kinds of two nodes by a property path."""
    from zoo.graph import open_graph

    with open_graph(asked.home) as graph:
        nodes = [f"{_ENTITY}{i}" for i in range(0, asked.triples // 4, 997)]
        ask = _pairs(nodes, 200)
        return _asked(lambda pair: list(graph.query(_COMMON % pair)), ask, "common kinds, SPARQL")


def core_store(asked: Any) -> dict[str, Any]:
    """A small file in memory, and a property path over it."""
    from zoo.graph import Graph

    content = gzip.decompress((asked.data / "kg_core.nt.gz").read_bytes())
    start = _now()
    graph = Graph.in_memory(core=content)
    loaded = start()
    found = _asked(
        lambda pair: list(graph.query(_COMMON % pair)),
        _pairs(_iris(graph), 20),
        "kg_core in memory",
    )
    return found | loaded


def core_rdflib(asked: Any) -> dict[str, Any]:
    """The same with rdflib."""
    import rdflib

    content = gzip.decompress((asked.data / "kg_core.nt.gz").read_bytes())
    start = _now()
    peer = rdflib.Graph()
    peer.parse(data=content, format="nt")
    loaded = start()
    iris = sorted({str(row[0]) for row in peer.query(_CLASSES)})
    found = _asked(
        lambda pair: list(peer.query(_COMMON % pair)), _pairs(iris, 20), "kg_core in rdflib"
    )
    return found | loaded


CASES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "wordnet:store": wordnet_store,
    "wordnet:index": wordnet_index,
    "wordnet:lexicon": wordnet_lexicon,
    "wordnet:paths": wordnet_paths,
    "wordnet:sparql": wordnet_sparql,
    "core:zoo": core_store,
    "core:rdflib": core_rdflib,
    "synthetic:load": synthetic_load,
    "synthetic:open": synthetic_open,
    "synthetic:names": synthetic_names,
    "synthetic:paths": synthetic_paths,
}


def _now() -> Callable[[], dict[str, float]]:
    """Start two clocks: of the wall, and of the processor, which neighbours do not slow down."""
    wall, own = time.perf_counter(), time.process_time()
    return lambda: {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - own,
    }


def _asked(ask: Callable[[Any], Any], questions: list[Any], what: str) -> dict[str, Any]:
    ask(questions[0])
    start, each = _now(), []
    for question in questions:
        before = time.perf_counter()
        ask(question)
        each.append(1000 * (time.perf_counter() - before))
    found = {"median_ms": statistics.median(each), "worst_ms": max(each), "questions": len(each)}
    return start() | found | {"what": what}


def _iris(graph: Graph) -> list[str]:
    return sorted(row["c"].value for row in graph.query(_CLASSES))


def _pairs(nodes: list[Any], count: int) -> list[tuple[Any, Any]]:
    draw = random.Random(0)
    return [(draw.choice(nodes), draw.choice(nodes)) for _ in range(count)]


def _lines(nodes: int) -> Iterable[str]:
    """Nodes with a name, a gloss, one kind above and one other link."""
    draw = random.Random(0)
    for i in range(nodes):
        node = f"<{_ENTITY}{i}>"
        yield f'{node} <{_SKOS}prefLabel> "entity number {i}"@en .\n'
        yield f'{node} <{_SKOS}definition> "the thing with the number {i}, {draw.random()}"@en .\n'
        yield f"{node} <{_WN}hypernym> <{_ENTITY}{draw.randrange(i // 2 + 1)}> .\n"
        yield f"{node} <{_SKOS}related> <{_ENTITY}{draw.randrange(nodes)}> .\n"


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| case | what | seconds | of processor | median answer | worst | peak memory |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        median, worst = (
            f"{row[key]:.2f} ms" if key in row else "-" for key in ("median_ms", "worst_ms")
        )
        lines.append(
            f"| {row['case']} | {row['what']} | {row['seconds']:.2f} | {row['cpu_seconds']:.2f} "
            f"| {median} | {worst} | {row['peak_mb']:.0f} MB |"
        )
    return "\n".join(lines)


def _page(table: str, asked: Any) -> str:
    data = " --data DATA" if asked.data else ""
    return (
        "# What the knowledge graph costs\n\n"
        f"Written by `python benchmarks/graph.py{data} --triples {asked.triples} --write`, on two "
        "cores, each line in a process of its own; the peak is of that process, Python and "
        "libraries included. Where a line has answers, its seconds are of all of them together "
        "(for kg_core: of loading).\n\n"
        f"{table}\n"
    )


if __name__ == "__main__":
    main()
