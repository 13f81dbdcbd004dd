"""Command groups whose commands are imported when they run, not when they are listed."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from click.shell_completion import CompletionItem

    from zoo_cli.plugin_commands import PluginCommand

#: Asked before the host is imported, so that help costs nothing without third-party plugins.
_GROUP = b"[zoo.v1]"
_OURS = "zoo_reuse-"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the command table.

    Attributes:
        target: ``module:attribute`` of the click command.
        summary: one line of help.
        section: heading in ``zoo --help``.
    """

    target: str
    summary: str
    section: str


class LazyGroup(click.Group):
    """Prints help and suggestions from a table, and finds the commands of plugins."""

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, Entry],
        more: Sequence[tuple[str, str]] = (),
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.table = table
        self.more = more
        self._plugins: Mapping[str, PluginCommand] | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Keep the order of the table: it follows the person's journey."""
        return [*self.table, *self._plugin_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command when somebody runs it."""
        del ctx
        if cmd_name in self.table:
            return load(self.table[cmd_name].target)
        added = self._plugin_commands().get(cmd_name)
        return load(added.target, plugin=added.plugin) if added else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest names of the table, and name plugins that could not be asked for theirs."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            if _strangers():
                _tell_broken_plugins()
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the table by section, the commands of plugins, and where to read on."""
        del ctx
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.table.items():
            sections.setdefault(entry.section, []).append((name, entry.summary))
        for name, added in self._plugin_commands().items():
            text = f"{added.summary} [{added.plugin.partition(':')[0]}]"
            sections.setdefault("Plugin commands", []).append((name, text))
        if self.more:
            sections["Learn more"] = list(self.more)
        for title, lines in sections.items():
            with formatter.section(title):
                formatter.write_dl(lines)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, without importing the commands."""
        from click.shell_completion import CompletionItem

        known = {name: entry.summary for name, entry in self.table.items()}
        known |= {name: each.summary for name, each in self._plugin_commands().items()}
        names = [name for name in known if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=known[name]) for name in names), *options]

    def _plugin_commands(self) -> Mapping[str, PluginCommand]:
        if self._plugins is None:
            self._plugins = {}
            strangers = _strangers()
            if strangers:
                from zoo_cli.plugin_commands import plugin_commands

                self._plugins = plugin_commands(strangers, self.table)
        return self._plugins


def _tell_broken_plugins() -> None:
    """The command that nobody has may be that of a plugin that does not load."""
    from zoo_cli.output import Output
    from zoo_cli.plugin_commands import broken_plugins

    output = Output()
    for failure in broken_plugins():
        output.failure(failure)


def load(target: str, plugin: str = "") -> click.Command:
    """Import the click command that a table or a plugin names.

    Raises:
        PluginError: a plugin's command that cannot be imported.
    """
    module, _, attribute = target.partition(":")
    if not plugin:
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command
    try:
        command = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:
        who = _with_version(plugin)
        raise PluginError(
            f"the command of plugin {who} cannot be loaded from {target}: "
            f"{type(error).__name__}: {error}.",
            f"zoo plugins check {plugin.partition(':')[0]}",
        ) from error
    if not isinstance(command, click.Command):
        raise PluginError(
            f"{target} of plugin {_with_version(plugin)} is {command!r}, no click command.",
            f"zoo plugins check {plugin.partition(':')[0]}",
        )
    return command


def _with_version(plugin: str) -> str:
    from zoo.distributions import advertised

    versions = {each.name: each.version for each in advertised()}
    return f"{plugin} {versions.get(plugin, '')}".rstrip()


def _strangers() -> list[str]:
    """What changes whenever anybody else's plugin is installed, changed or removed; empty: none.

    Reads the metadata files themselves: importing ``importlib.metadata`` for this would double
    the time of ``zoo --help``. The host, which decides what is loaded, uses the real thing.
    """
    found: list[str] = []
    folders: list[str] = []
    for folder in dict.fromkeys(sys.path):
        seen = list(_entry_points(folder or "."))
        found += [f"{name}\n{text.decode(errors='replace')}" for name, text in seen]
        if seen:  # a missing import may have been installed since
            folders.append(f"{folder} {os.stat(folder or '.').st_mtime_ns}")  # noqa: PTH116
    return [*found, *folders] if found else []


def _entry_points(folder: str) -> Iterator[tuple[str, bytes]]:
    """Give the folder and the text of each stranger that names our group, whatever its version."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 -- pathlib is a tenth of the start-up time
    except OSError:  # a zip file or a folder that is gone
        return
    for name in sorted(names):
        if name.endswith((".dist-info", ".egg-info")) and not name.startswith(_OURS):
            with (
                contextlib.suppress(OSError),
                open(f"{folder}/{name}/entry_points.txt", "rb") as file,  # noqa: PTH123
            ):
                text = file.read()
                if _GROUP in text:
                    yield f"{folder}/{name}", text
