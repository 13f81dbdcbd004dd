"""``zoo graph``: what is known of classes, models and runs, as triples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from zoo.errors import ExitCode, InputError, NothingMatchedError
from zoo.render.quantities import count_text, some
from zoo_cli import options
from zoo_cli.commands.graph_complete import accept, complete, predictions
from zoo_cli.commands.graph_load import fetch, import_
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.graph_view import kind_option, opened_graph
from zoo_cli.output import Column

if TYPE_CHECKING:
    from zoo_cli.context import Context

graph = noun_group("graph", "Fetch, import, show and query the knowledge graph.")
for command in (fetch, import_, complete, predictions, accept):
    graph.add_command(command)

_LINES = (
    Column("name", key=True),
    Column("triples", right=True, show=count_text),
    Column("version", priority=2),
    Column("license", title="LICENCE", priority=1),
    Column("loaded", priority=3),
    Column("source", priority=4, flexible=True),
)


@zoo_command(
    "export",
    parent=graph,
    examples=("zoo graph export wordnet -o wordnet.ttl", "zoo graph export -o everything.nq.gz"),
)
@click.argument("name", required=False, default="")
@options.output_path
@kind_option
def export(context: Context, *, name: str, output_path: Path | None, kind: str) -> int:
    """Write one graph, or all of them, as an RDF file."""
    from zoo.graph.exporting import export_graph
    from zoo.graph.reading import FORMATS
    from zoo_cli.documents.graph import GraphFile

    if output_path is None:
        raise InputError("no file to write to.", "zoo graph export -o graph.ttl")
    if kind and kind not in FORMATS:
        raise InputError(f"--as {kind}: no such format to write.", f"One of {', '.join(FORMATS)}.")
    with opened_graph(context) as opened:
        count = export_graph(opened, output_path, name=name, kind=kind)
    document = GraphFile(path=str(output_path), triples=count)
    context.output.value(
        document, f"{output_path}: {count_text(count)} triples.", [str(output_path)]
    )
    return ExitCode.DONE


@zoo_command("list", parent=graph, examples=("zoo graph list", "zoo graph list --json"))
@options.limit
def list_(context: Context, *, limit: int | None) -> int:
    """List the named graphs: how large, which licence, where from."""
    from zoo_cli.documents.graph import GraphList

    try:
        with opened_graph(context) as opened:
            infos = [opened.infos[name] for name in sorted(opened.infos)][:limit]
    except NothingMatchedError as error:
        infos, hint = [], error.hint
    else:
        hint = "" if infos else "zoo plugins list --hook zoo_graph_sources"
    document = GraphList(graphs=tuple(infos))
    context.output.rows(_LINES, [msgspec.to_builtins(info) for info in infos], document=document)
    context.output.hint(hint)
    return ExitCode.DONE


@zoo_command(
    "show",
    parent=graph,
    examples=(
        "zoo graph show beagle",
        "zoo graph show https://en-word.net/id/oewn-02086723-n --depth 2",
        'zoo graph show "guide dog" --html guide-dog.html',
    ),
)
@click.argument("term")
@options.option(
    "--depth",
    metavar="N",
    type=click.IntRange(0, 6),
    default=1,
    default_shown="1",
    variable="ZOO_GRAPH_DEPTH",
    help="Levels of narrower kinds.",
)
@options.limit
@options.html
def show(
    context: Context, *, term: str, depth: int, limit: int | None, html_path: Path | None
) -> int:
    """Draw what stands around a node: TERM is a name, a prefixed name or an IRI.

    Where several nodes have the name, they are listed; say which by its IRI.
    """
    from zoo.graph.neighbourhood import find_nodes, neighbourhood
    from zoo.graph.page import write_page
    from zoo_cli.documents.graph import Senses
    from zoo_cli.graph_view import senses, tree

    with opened_graph(context) as opened:
        nodes = find_nodes(opened, term)
        if not nodes:
            raise NothingMatchedError(
                f"nothing in the graph is called {term!r}.",
                "zoo graph list says what is there.",
            )
        if len(nodes) > 1:
            document = Senses(term=term, nodes=tuple(nodes))
            context.output.value(document, senses(nodes), [node.iri for node in nodes])
            context.output.warn(f"{some(len(nodes), 'node')} have the name {term!r}.")
            context.output.hint(f"zoo graph show {nodes[0].iri}")
            return ExitCode.USAGE
        found = neighbourhood(opened, nodes[0].iri, depth=depth, most=limit or 12)
    if html_path is not None:
        write_page(found, html_path)
    context.output.value(found, tree(found), [found.node.iri])
    return ExitCode.DONE


@zoo_command(
    "query",
    parent=graph,
    examples=(
        "zoo graph query 'SELECT ?iri ?name { ?iri skos:prefLabel ?name } LIMIT 5'",
        "zoo graph query --file question.rq --format csv",
        "zoo graph query 'ASK { ?run a zoo:Run }'",
    ),
)
@click.argument("sparql", required=False, default="")
@options.option(
    "--file",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=None,
    default_shown="none",
    variable="ZOO_GRAPH_QUERY",
    help="Read the query from a file.",
)
@options.limit
def query(context: Context, *, sparql: str, path: Path | None, limit: int | None) -> int:
    """Ask in SPARQL: SELECT, ASK, CONSTRUCT or DESCRIBE, over all graphs together.

    The prefixes rdf, rdfs, skos, owl, xsd, prov, dct, wn, zoo, model, data, run and graph need not
    be declared.
    """
    from zoo_cli.graph_view import show_answer

    text = _text_of(sparql, path)
    with opened_graph(context) as opened:
        show_answer(context.output, opened.query(text), limit)
    return ExitCode.DONE


@zoo_command("remove", parent=graph, examples=("zoo graph remove botany -y",))
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@options.yes
def remove(context: Context, *, names: tuple[str, ...], yes: bool) -> int:
    """Take graphs out of the store."""
    from zoo.graph.loading import check_removable, remove_graphs
    from zoo_cli.documents.graph import RemovedGraphs

    with opened_graph(context) as opened:
        check_removable(opened, names)
        if not context.output.confirm(f"Remove {', '.join(names)}?", yes=yes):
            return ExitCode.FAILED
        remove_graphs(opened, names)
    document = RemovedGraphs(removed=names)
    context.output.value(document, f"Removed {', '.join(names)}.", names)
    return ExitCode.DONE


def _text_of(sparql: str, path: Path | None) -> str:
    if bool(sparql) == (path is not None):
        raise InputError(
            "one query is needed: as an argument, or from --file.",
            "zoo graph query 'SELECT * { ?s ?p ?o } LIMIT 5'",
        )
    if path is None:
        return sparql
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read: {reason}.") from error
