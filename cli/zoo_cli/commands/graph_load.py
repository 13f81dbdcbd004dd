"""``zoo graph fetch`` and ``zoo graph import``: what comes into the knowledge graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.errors import ExitCode, InputError
from zoo.render.quantities import count_text
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.graph_view import RDF, kind_option, opened_graph
from zoo_cli.progress import listening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.graph import Graph, GraphInfo
    from zoo_cli.context import Context

_license = options.option(
    "--license",
    "license_id",
    metavar="ID",
    default="",
    default_shown="the source's",
    variable="ZOO_GRAPH_LICENSE",
    help="Licence of the data, such as CC-BY-4.0.",
)
_credit = options.option(
    "--credit",
    metavar="TEXT",
    default="",
    default_shown="the source's",
    variable="ZOO_GRAPH_CREDIT",
    help="The line that the licence asks to show.",
)
_name = options.option(
    "--name",
    metavar="NAME",
    default="",
    default_shown="the source's or the file's",
    variable="ZOO_GRAPH_NAME",
    help="What to call the graph.",
)


@zoo_command(
    "fetch",
    examples=(
        "zoo graph fetch wordnet",
        "zoo graph fetch wordnet --from /usr/share/wordnet",
        "zoo graph fetch imagenet",
    ),
)
@click.argument("source", metavar="SOURCE")
@options.option(
    "--from",
    "place",
    metavar="PLACE",
    type=click.Path(path_type=Path),
    default=None,
    default_shown="the network",
    variable="ZOO_GRAPH_FROM",
    help="A file or folder that has the data already.",
)
@_name
def fetch(context: Context, *, source: str, place: Path | None, name: str) -> int:
    """Load a well-known graph; one of the same name is replaced.

    `zoo plugins list --hook zoo_graph_sources` says what there is.
    """
    context.catalogue.spec("graph_source", source)
    with opened_graph(context, create=True) as opened:
        info = _from_source(context, opened, source, place, name=name)
        _tell_plugins(context, opened)
    return _loaded(context, [info])


@zoo_command(
    "import",
    examples=(
        "zoo graph import classes.ttl",
        "zoo graph import plants.nt.gz trees.owl --name botany --license CC0-1.0",
        "zoo graph import assertions.csv.gz --as conceptnet",
    ),
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_name
@kind_option
@_license
@_credit
def import_(
    context: Context,
    *,
    files: tuple[Path, ...],
    name: str,
    kind: str,
    license_id: str,
    credit: str,
) -> int:
    """Load RDF files, all of them or none; a graph of the same name is replaced.

    Each file becomes a graph of its own, unless --name makes one of them all.
    """
    from zoo.graph.importing import import_files
    from zoo.graph.reading import FORMATS, MORE_FORMATS, digest_of, format_of

    foreign = kind and kind not in (*FORMATS, *MORE_FORMATS)
    if foreign:
        _check_source(context, kind, files)
    for path in files:
        digest_of(path)
        if not foreign:
            format_of(path, kind)
    with opened_graph(context, create=True) as opened:
        if foreign:
            info = _from_source(
                context,
                opened,
                kind,
                files[0],
                name=name,
                license_id=license_id,
                credit=credit,
            )
            _tell_plugins(context, opened)
            return _loaded(context, [info])
        with listening(context) as listener:
            infos = import_files(
                opened,
                files,
                name=name,
                kind=kind,
                license_id=license_id,
                credit=credit,
                on_event=listener,
            )
        _tell_plugins(context, opened)
    return _loaded(context, infos)


def _from_source(
    context: Context,
    opened: Graph,
    source: str,
    place: Path | None,
    *,
    name: str,
    license_id: str = "",
    credit: str = "",
) -> GraphInfo:
    from zoo.graph.importing import fetch_graph

    with listening(context) as listener:
        return fetch_graph(
            opened,
            source,
            context.catalogue,
            place=place,
            name=name,
            license_id=license_id,
            credit=credit,
            offline=context.settings.offline,
            on_event=listener,
        )


def _check_source(context: Context, kind: str, files: Sequence[Path]) -> None:
    """Refuse a format that neither RDF nor a plugin has, and two files for one source."""
    from zoo.errors import unknown_name

    sources = context.catalogue.specs("graph_source")
    if kind not in sources:
        raise unknown_name("format", kind, [*RDF, "trix", "hext", *sources])
    if len(files) > 1:
        raise InputError(f"--as {kind} reads one file at a time.", f"Import {files[0]} first.")


def _tell_plugins(context: Context, opened: Graph) -> None:
    """Let plugins make their indices of what was loaded."""
    list(context.catalogue.host.call("zoo_graph_changed", graph=opened))


def _loaded(context: Context, infos: Sequence[GraphInfo]) -> int:
    from zoo_cli.documents.graph import GraphList

    lines = []
    for info in infos:
        licence = f", {info.license}" if info.license else ""
        lines.append(f"{info.name}: {count_text(info.triples)} triples{licence}.")
        if not info.triples:
            context.output.warn(f"{info.name} has no triples.")
    document = GraphList(graphs=tuple(infos))
    context.output.value(document, "\n".join(lines), [info.name for info in infos])
    for credit in dict.fromkeys(info.credit for info in infos if info.credit):
        context.output.note(credit)
    return ExitCode.DONE
