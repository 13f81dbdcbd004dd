"""``zoo plugins new``: a ready distribution for somebody's own method."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.errors import InputError
from zoo_cli import options
from zoo_cli.context import zoo_command

if TYPE_CHECKING:
    from zoo.scaffolding import PluginName
    from zoo_cli.context import Context

_KINDS = "estimator, runtime, amalgamator, distiller, grower, reporter, source, probe or command"


@zoo_command(
    "new",
    examples=(
        "zoo plugins new margin --kind estimator",
        "zoo plugins new zoo-archive --kind source -o ~/plugins/archive",
    ),
)
@click.argument("name", metavar="NAME")
@options.option(
    "--kind",
    metavar="KIND",
    default=None,
    default_shown="none",
    variable="ZOO_PLUGIN_KIND",
    help=f"What it provides: {_KINDS}.",
)
@options.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default=None,
    default_shown="./zoo-NAME",
    variable="ZOO_OUTPUT",
    help="Write to this folder, which must be new or empty.",
)
@options.option(
    "--author",
    metavar="TEXT",
    default="",
    default_shown="nobody",
    variable="ZOO_PLUGIN_AUTHOR",
    help="Your name, for its pyproject.toml.",
)
def new(context: Context, *, name: str, kind: str | None, folder: Path | None, author: str) -> None:
    """Write a new plugin: a distribution with one small method that works, and its tests.

    NAME is `margin` or `zoo-margin`: the distribution is called zoo-margin, its module zoo_margin,
    and the method that people type margin.
    """
    from zoo.scaffolding import new_plugin, plugin_name
    from zoo_cli.documents.plugins import NewPlugin

    if not kind:
        raise InputError(
            f"--kind is missing: {_KINDS}.", f"zoo plugins new {name} --kind estimator"
        )
    named = plugin_name(name, kind)
    _check_free(context, kind, named.method)
    place = folder or Path(named.distribution)
    files = new_plugin(name, kind, place, author=author)
    root = place.expanduser().absolute()
    shown = [file.relative_to(root).as_posix() for file in files]
    document = NewPlugin(
        folder=str(root),
        kind=kind,
        distribution=named.distribution,
        module=named.module,
        name=named.method,
        files=tuple(shown),
        next=tuple(_next(named, place)),
    )
    lines = [f"{root}: a new {kind}, {named.method}.", "", *(f"  {each}" for each in shown)]
    context.output.value(document, "\n".join(lines), [str(root)])
    context.output.note("\n".join(["Next:", *(f"  {each}" for each in _next(named, place))]))


def _check_free(context: Context, kind: str, method: str) -> None:
    """Refuse a name that somebody's plugin claims already: the first one keeps it."""
    from zoo_cli.main import TABLE

    provided = context.catalogue.provided(kind)
    if kind == "command" and method in TABLE:
        owner = "zoo itself"
    elif method in provided:
        owner = provided[method].plugin
    else:
        return
    raise InputError(f"the {kind} {method!r} is already provided by {owner}.", "Take another name.")


def _next(named: PluginName, place: Path) -> list[str]:
    return [
        f"cd {shlex.quote(os.fspath(place))}",
        "pip install -e '.[test]'",
        f"zoo plugins check {named.distribution}",
        "pytest",
    ]
