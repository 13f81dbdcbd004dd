"""``zoo plugins check``: whether plugins keep what their kind promises."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode, InputError, unknown_name
from zoo.render.quantities import some
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.documents.plugin_checks import CheckReport
from zoo_cli.output import Column
from zoo_cli.plugin_cards import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zoo.host import InstalledPlugin
    from zoo_cli.context import Context
    from zoo_cli.documents.plugin_checks import Finding


@zoo_command(
    "check",
    examples=(
        "zoo plugins check",
        "zoo plugins check zoo-mine --json",
        "zoo plugins check zoo-mine --example mine=mine:tiny",
    ),
)
@click.argument("names", nargs=-1)
@options.option(
    "--example",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    default_shown="none",
    variable="ZOO_PLUGIN_EXAMPLE",
    help="Something that works with what a plugin provides: the reference of a checkpoint for a "
    "source, a path for a probe, words for a command. Repeat it.",
)
@options.option(
    "--all",
    "every",
    is_flag=True,
    default_shown="off",
    variable="ZOO_PLUGIN_ALL",
    help="A line for every promise, kept ones too.",
)
def check(context: Context, names: tuple[str, ...], given: tuple[str, ...], every: bool) -> int:
    """Load plugins strictly and check that they keep their promises; all of them by default.

    Each module of hooks must import nothing heavy, and each object behind a spec is used on made-up
    input: the same input gives the same result, nothing is printed, written outside the store or
    asked of the network, and what its kind promises holds.
    """
    from zoo_cli.checks import EXAMPLE, check_plugin

    chosen = _chosen(context, names)
    examples = _examples(given)
    findings: list[Finding] = []
    for plugin in chosen:
        found = list(check_plugin(plugin, context.catalogue, examples))
        findings += found
    columns = (
        Column("plugin"),
        Column("check"),
        Column("promise"),
        Column("state", "RESULT", show=_result),
        Column("detail", wrap=True, show=_briefly),
    )
    every = every or context.output.machine
    rows = [_row(each) for each in findings] if every else list(_in_short(findings))
    context.output.rows(columns, rows, document=CheckReport(checks=tuple(findings)))
    for hint in dict.fromkeys(each.hint for each in findings if each.hint):
        context.output.hint(hint)
    lacking = [each for each in findings if each.detail.startswith(EXAMPLE)]
    if names and lacking:
        given_so = f"--example {lacking[0].check.split()[-1]}=VALUE"
        context.output.hint(f"zoo plugins check {' '.join(names)} {given_so}")
    context.host.failures.clear()  # they stand in the table
    failed = sum(not each.ok for each in findings)
    context.output.note(f"{some(len(findings), 'check')}, {failed} failed")
    return ExitCode.PARTIAL if failed else ExitCode.DONE


def _result(state: str) -> str:
    """Show what went wrong in capitals, so that colour is not needed."""
    return {"kept": "ok", "broken": "FAILED", "not-tried": "not tried"}.get(state, state)


def _in_short(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    """Give a subject one line for what is kept, and one a reason for what was not tried."""
    for _, group in groupby(findings, key=lambda each: (each.plugin, each.check)):
        found = list(group)
        together: dict[tuple[str, str], list[Finding]] = {}
        for each in found:
            reason = each.detail if each.state == "not-tried" else ""
            if each.promise and each.state in {"kept", "not-tried"}:
                together.setdefault((each.state, reason), []).append(each)
        for (_, reason), alike in together.items():
            yield _row(alike[0]) | {"promise": f"{len(alike)} of {len(found)}", "detail": reason}
        alone = (
            each for each in found if not (each.promise and each.state in {"kept", "not-tried"})
        )
        yield from map(_row, alone)


def _row(finding: Finding) -> dict[str, Any]:
    return msgspec.structs.asdict(finding)


def _briefly(detail: str) -> str:
    """Show the first of many sentences; ``--json`` has all."""
    first, *more = detail.split("; ")
    return f"{first}; and {len(more)} more" if len(more) > 1 else detail


def _examples(given: Iterable[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    for name, equals, value in pairs:
        if not (name.strip() and equals and value):
            raise InputError(
                f"--example {name + equals + value!r} is no NAME=VALUE.",
                "such as --example mine=mine:tiny",
            )
    return {name.strip(): value for name, _, value in pairs}


def _chosen(context: Context, names: tuple[str, ...]) -> list[InstalledPlugin]:
    installed = context.host.installed
    chosen = []
    for name in names:
        mine = [each for each in installed if name in names_of(each)]
        if not mine:
            known = {alias for each in installed for alias in names_of(each)}
            raise unknown_name("plugin", name, known, "zoo plugins list")
        chosen += mine
    return chosen if names else installed
