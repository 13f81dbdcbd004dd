"""``zoo plugins``: what is installed, what it provides, and whether it keeps the contract."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.catalogue import KINDS
from zoo.errors import ExitCode, InputError, unknown_name
from zoo.hookspecs import HOOK_API
from zoo.render.quantities import some
from zoo_cli import options
from zoo_cli.commands.plugins_check import check
from zoo_cli.commands.plugins_new import new
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.output import Column
from zoo_cli.plugin_cards import names_of, plugin_card, sources, trouble_of, words
from zoo_cli.spec_cards import card, describe, facts_of

if TYPE_CHECKING:
    from zoo.catalogue import Provided
    from zoo_cli.context import Context

plugins = noun_group("plugins", "Write, list, check, install and remove plugins.")
plugins.add_command(new)
plugins.add_command(check)


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
    from zoo_cli.documents.plugins import PluginList, PluginRow

    found = sources()
    provides = {plugin.name: _provides(context, plugin.name) for plugin in context.host.installed}
    trouble = {plugin.name: trouble_of(plugin, found) for plugin in context.host.installed}
    rows = [
        {
            "plugin": plugin.name,
            "version": plugin.version,
            "provides": ", ".join(
                some(len(names), noun.replace("_", " "))
                for noun, names in provides[plugin.name].items()
            ),
            "start": plugin.seconds * 1000,
            "status": plugin.status,
            "error": trouble[plugin.name],
        }
        for plugin in context.host.installed
    ]
    columns = (
        Column("plugin"),
        Column("version", priority=2),
        Column("provides", priority=1),
        Column("start", "START ms", show=lambda milliseconds: f"{milliseconds:.0f}", priority=2),
        Column("status"),
        *([Column("error", "WHAT IS WRONG", flexible=True)] if any(trouble.values()) else []),
    )
    plain = [
        msgspec.structs.asdict(plugin)
        | {"provides": provides[plugin.name], "error": trouble[plugin.name]}
        for plugin in context.host.installed
    ]
    document = PluginList(
        hook_api=HOOK_API,
        plugins=tuple(PluginRow(**each) for each in plain),
        failures=tuple(context.host.failures),
        warnings=tuple(context.host.warnings),
    )
    context.output.rows(columns, rows, document=document)


def _list_hook(context: Context, hook: str) -> None:
    from zoo.building.naming import KINDS as METHODS
    from zoo_cli.documents.plugins import HookList

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
    document = HookList(hook=hook, specs=tuple(rows))
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
    from zoo_cli.documents.plugins import PluginCard, SpecCards

    named = {each.name: each for each in context.host.installed if name in names_of(each)}
    everything = {kind.noun: context.catalogue.provided(kind.noun) for kind in KINDS}
    found = [
        _described(context, noun, each)
        for noun, provided in everything.items()
        for known, each in provided.items()
        if name == known or each.plugin in named
    ]
    if not found and not named:
        known = {each for provided in everything.values() for each in provided}
        names = known | {plugin.name for plugin in context.host.installed}
        raise unknown_name("method or plugin", name, names, "zoo plugins list")
    whence = sources()
    cards = [
        plugin_card(each, context.host, _provides(context, each.name), whence)
        for each in named.values()
    ]
    text = "\n\n".join([*map(words, cards), *map(card, found)])
    ids = [each["name"] for each in found] or list(named)
    owners = tuple(msgspec.convert(each, PluginCard) for each in cards)
    document = SpecCards(specs=tuple(found), plugins=owners)
    context.output.value(document, text, ids)
    return ExitCode.PARTIAL if any(each["error"] for each in found) else ExitCode.DONE


def _described(context: Context, noun: str, provided: Provided) -> dict[str, Any]:
    owner = next(each for each in context.host.installed if each.name == provided.plugin)
    return describe(noun, provided, owner)


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
    from zoo_cli.documents.plugins import InstalledPlugins

    options_in_disguise = [each for each in requirements if each.startswith("-")]
    if options_in_disguise:
        raise InputError(
            f"{options_in_disguise[0]!r} is no distribution.", "zoo plugins install -h"
        )
    before, everything = installer.plugin_distributions(), installer.distributions()
    installer.install(requirements, upgrade=upgrade, offline=context.settings.offline)
    importlib.invalidate_caches()
    now = installer.plugin_distributions()
    changed = sorted(set(now.items()) - set(before.items()))
    if not changed:
        installer.require_plugin(requirements, everything, now)
        context.output.warn(f"nothing new for Zoo in {', '.join(requirements)}.")
        context.output.hint("" if upgrade else "--upgrade takes the newest version.")
    for sentence in installer.unmet([name for name, _ in changed]):
        context.output.warn(sentence)
    document = InstalledPlugins(installed=dict(changed))
    text = "\n".join(f"{name} {version}" for name, version in changed)
    context.output.value(document, text, (name for name, _ in changed))
    context.output.hint(f"zoo plugins check {changed[0][0]}" if changed else "")


@zoo_command("uninstall", parent=plugins, examples=("zoo plugins uninstall zoo-mine --yes",))
@click.argument("names", nargs=-1, required=True)
@options.yes
def uninstall(context: Context, names: tuple[str, ...], yes: bool) -> None:
    """Remove plugins; works when they are broken, because none is loaded."""
    from zoo_cli import installer
    from zoo_cli.documents.plugins import UninstalledPlugins

    distributions = list(dict.fromkeys(installer.removable(name) for name in names))
    agreed = context.output.confirm(f"Uninstall {', '.join(distributions)}?", yes=yes)
    if agreed:
        installer.uninstall(distributions)
    removed = distributions if agreed else []
    document = UninstalledPlugins(uninstalled=tuple(removed))
    text = f"Uninstalled {', '.join(removed)}." if removed else "Nothing was uninstalled."
    context.output.value(document, text, removed)
