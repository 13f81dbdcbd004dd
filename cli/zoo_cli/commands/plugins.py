"""``zoo plugins``: what is installed, what it provides, and whether it keeps the contract."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.catalogue import KINDS
from zoo.errors import ExitCode, InputError, unknown_name
from zoo.hookspecs import HOOK_API
from zoo.render.quantities import some
from zoo_cli import options
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.output import Column
from zoo_cli.spec_cards import card, describe, facts_of

if TYPE_CHECKING:
    from zoo.catalogue import Provided
    from zoo.host import InstalledPlugin
    from zoo_cli.context import Context

plugins = noun_group("plugins", "List, check, install and remove plugins.")


@zoo_command(
    "list",
    parent=plugins,
    examples=("zoo plugins list", "zoo plugins list --hook zoo_estimators --json"),
)
@options.option(
    "--hook",
    metavar="HOOK",
    default=None,
    default_shown="all",
    variable="ZOO_HOOK",
    help=f"What one hook provides: {', '.join(kind.hook for kind in KINDS)}.",
)
def list_(context: Context, hook: str | None) -> None:
    """List installed plugins, broken ones too; or everything that one hook provides."""
    if hook:
        _list_hook(context, hook)
        return
    provides = {plugin.name: _provides(context, plugin.name) for plugin in context.host.installed}
    rows = [
        {
            "plugin": plugin.name,
            "version": plugin.version,
            "provides": ", ".join(
                some(len(names), noun.replace("_", " "))
                for noun, names in provides[plugin.name].items()
            ),
            "status": plugin.status,
            "error": plugin.error,
        }
        for plugin in context.host.installed
    ]
    columns = (
        Column("plugin"),
        Column("version", priority=2),
        Column("provides", priority=1),
        Column("status"),
    )
    document = {
        "schema_version": 1,
        "hook_api": HOOK_API,
        "plugins": [
            msgspec.to_builtins(plugin) | {"provides": provides[plugin.name]}
            for plugin in context.host.installed
        ],
        "failures": context.host.failures,
    }
    context.output.rows(columns, rows, document=document)


def _list_hook(context: Context, hook: str) -> None:
    from zoo.building.naming import KINDS as METHODS

    kind = next((each for each in KINDS if each.hook == hook), None)
    if kind is None:
        raise unknown_name("hook", hook, [each.hook for each in KINDS], "zoo plugins list --help")
    # What is named together is listed together, whichever hook it comes from.
    nouns = METHODS if kind.noun in METHODS[:1] else (kind.noun,)
    rows = [
        {"name": name, "kind": noun, "summary": each.spec.summary, "plugin": each.plugin}
        | facts_of(each.spec)
        for noun in nouns
        for name, each in sorted(context.catalogue.provided(noun).items())
    ]
    columns = (
        Column("name"),
        *([Column("kind")] if len(nouns) > 1 else []),
        Column("summary", flexible=True),
        Column("plugin", priority=1),
    )
    document = {"schema_version": 1, "hook": hook, "specs": rows}
    context.output.rows(columns, rows, document=document)


def _provides(context: Context, plugin: str) -> dict[str, list[str]]:
    found = {}
    for kind in KINDS:
        claimed = context.catalogue.provided(kind.noun).items()
        names = [name for name, each in claimed if each.plugin == plugin]
        if names:
            found[kind.noun] = names
    return found


@zoo_command("show", parent=plugins, examples=("zoo plugins show logme", "zoo plugins show cfl"))
@click.argument("name")
def show(context: Context, name: str) -> int:
    """Show one method or one plugin: what it is, where it comes from, its options."""
    everything = {kind.noun: context.catalogue.provided(kind.noun) for kind in KINDS}
    found = [
        _described(context, noun, each)
        for noun, provided in everything.items()
        for known, each in provided.items()
        if name in {known, each.plugin, each.plugin.partition(":")[2]}
    ]
    if not found:
        known = {each for provided in everything.values() for each in provided}
        names = known | {plugin.name for plugin in context.host.installed}
        raise unknown_name("method or plugin", name, names, "zoo plugins list")
    text = "\n\n".join(card(each) for each in found)
    ids = (each["name"] for each in found)
    context.output.value({"schema_version": 1, "specs": found}, text, ids)
    return ExitCode.PARTIAL if any(each["error"] for each in found) else ExitCode.DONE


def _described(context: Context, noun: str, provided: Provided) -> dict[str, Any]:
    owner = next(each for each in context.host.installed if each.name == provided.plugin)
    return describe(noun, provided, owner)


@zoo_command(
    "check", parent=plugins, examples=("zoo plugins check", "zoo plugins check zoo-mine --json")
)
@click.argument("names", nargs=-1)
def check(context: Context, names: tuple[str, ...]) -> int:
    """Load plugins strictly and check that they keep the contract; all of them by default.

    Each module of hooks must import nothing heavy, and each object behind a spec must be there
    and have the methods of its kind. Amalgamators and distillers are run on made-up networks.
    """
    from zoo_cli.checks import check_plugin

    chosen = _chosen(context, names)
    findings = [finding for plugin in chosen for finding in check_plugin(plugin, context.host)]
    rows = [asdict(each) for each in findings]
    columns = (
        Column("plugin"),
        Column("check"),
        Column("ok", "RESULT", show=lambda ok: "ok" if ok else "FAILED"),
        Column("detail", wrap=True),
    )
    context.output.rows(columns, rows, document={"schema_version": 1, "checks": rows})
    for hint in dict.fromkeys(each.hint for each in findings if not each.ok):
        context.output.hint(hint)
    context.host.failures.clear()  # they stand in the table
    failed = sum(not each.ok for each in findings)
    context.output.note(f"{some(len(findings), 'check')}, {failed} failed")
    return ExitCode.PARTIAL if failed else ExitCode.DONE


def _chosen(context: Context, names: tuple[str, ...]) -> list[InstalledPlugin]:
    installed = context.host.installed
    chosen = []
    for name in names:
        mine = [each for each in installed if name in _names(each)]
        if not mine:
            known = {alias for each in installed for alias in _names(each)}
            raise unknown_name("plugin", name, known, "zoo plugins list")
        chosen += mine
    return chosen if names else installed


def _names(plugin: InstalledPlugin) -> set[str]:
    return {plugin.name, plugin.distribution, plugin.name.partition(":")[2]}


@zoo_command(
    "install",
    parent=plugins,
    examples=("zoo plugins install zoo-mine", "zoo plugins install ./my-plugin"),
)
@click.argument("requirements", nargs=-1, required=True)
@options.option(
    "-U",
    "--upgrade",
    is_flag=True,
    default_shown="off",
    variable="ZOO_UPGRADE",
    help="Take the newest version.",
)
def install(context: Context, requirements: tuple[str, ...], upgrade: bool) -> None:
    """Install plugins next to Zoo, with the pip of the interpreter that runs it."""
    from zoo_cli import installer

    options_in_disguise = [each for each in requirements if each.startswith("-")]
    if options_in_disguise:
        raise InputError(
            f"{options_in_disguise[0]!r} is no distribution.", "zoo plugins install -h"
        )
    before = installer.plugin_distributions()
    installer.install(requirements, upgrade=upgrade, offline=context.settings.offline)
    importlib.invalidate_caches()
    changed = sorted(set(installer.plugin_distributions().items()) - set(before.items()))
    if not changed:
        context.output.warn(f"nothing new for Zoo in {', '.join(requirements)}.")
        context.output.hint("A plugin names its module in the entry-point group zoo.v1.")
    document = {"schema_version": 1, "installed": dict(changed)}
    text = "\n".join(f"{name} {version}" for name, version in changed)
    context.output.value(document, text, (name for name, _ in changed))
    context.output.hint(f"zoo plugins check {changed[0][0]}" if changed else "")


@zoo_command("uninstall", parent=plugins, examples=("zoo plugins uninstall zoo-mine --yes",))
@click.argument("names", nargs=-1, required=True)
@options.yes
def uninstall(context: Context, names: tuple[str, ...], yes: bool) -> None:
    """Remove plugins; works when they are broken, because none is loaded."""
    from zoo_cli import installer

    distributions = list(dict.fromkeys(installer.removable(name) for name in names))
    agreed = context.output.confirm(f"Uninstall {', '.join(distributions)}?", yes=yes)
    if agreed:
        installer.uninstall(distributions)
    removed = distributions if agreed else []
    document = {"schema_version": 1, "uninstalled": removed}
    text = f"Uninstalled {', '.join(removed)}." if removed else "Nothing was uninstalled."
    context.output.value(document, text, removed)
