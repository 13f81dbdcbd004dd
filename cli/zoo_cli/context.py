"""What every command gets: settings, plugins and a sink; and the decorator that gives it."""

from __future__ import annotations

import functools
import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from zoo.catalogue import Catalogue
from zoo.errors import ExitCode, PluginError
from zoo.host import PLUGIN_ERRORS, PluginHost
from zoo.settings import Resolved, Settings, resolve
from zoo_cli import options
from zoo_cli.help import NounGroup, ZooCommand
from zoo_cli.invocation import Invocation
from zoo_cli.output import Output, mode_of
from zoo_cli.standard_output import Overheard, claimed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Context", "NounGroup", "noun_group", "zoo_command"]

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


class _Left(Exception):  # noqa: N818 -- the name is what a person reads
    """Somebody ended the process from within a command of ours."""


@dataclass
class Context:
    """One command's surroundings; the plugins are loaded when somebody asks for them.

    Attributes:
        resolved: the settings, with the origin of each.
        output: the sink for everything that is printed.
        invocation: set ``invocation.resume`` to what continues an interrupted command.
        progress: whether bars and milestones are wanted.
        overheard: what plugins print where only the command may.
    """

    resolved: Resolved
    output: Output
    invocation: Invocation
    progress: bool = True
    overheard: Overheard = field(default_factory=Overheard)

    @property
    def settings(self) -> Settings:
        """The merged settings."""
        return self.resolved.settings

    @functools.cached_property
    def host(self) -> PluginHost:
        """Every installed plugin that is not disabled."""
        host = PluginHost(disabled=self.settings.disable_plugins).discover()
        if host.failures and self.settings.strict:
            first = host.failures[0]
            who = f"plugin {first.plugin} {first.version}".rstrip()
            raise PluginError(f"{who}: {first.error.rstrip('.')}.", first.hint)
        return host

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """Everything the plugins provide, by kind and name."""
        from zoo_cli.main import TABLE

        return Catalogue(self.host, reserved={"command": TABLE})

    def finish(self, code: int | None) -> int:
        """Say which plugins broke, and settle the exit code."""
        code = int(code or ExitCode.DONE)
        host = self.tell_of_plugins()
        if host and host.failures and code == ExitCode.DONE:
            code = ExitCode.PARTIAL
        return ExitCode.FAILED if code == ExitCode.PARTIAL and self.settings.strict else code

    def tell_of_plugins(self) -> PluginHost | None:
        """Say what plugins did wrong, and what they should do otherwise; give the host, if any."""
        host: PluginHost | None = self.__dict__.get("host")
        if host is None:
            return None
        for plugin, words in self.overheard.said.items():
            host.warn(
                f"it prints {words[:60]!r}; standard output belongs to the command.",
                plugin=plugin,
                stage="print",
                hint="Its author: print to standard error, or log. "
                f"--no-plugin {plugin.partition(':')[0]} leaves it out.",
            )
        for each in (*host.warnings, *host.failures):
            self.output.failure(each)
        return host


def noun_group(name: str, summary: str) -> NounGroup:
    """Make the group of one noun; ``ls`` is ``list``."""
    return NounGroup(name, help=summary, context_settings={"help_option_names": ["-h", "--help"]})


def zoo_command(
    name: str, *, parent: click.Group | None = None, examples: Sequence[str] = (), **attributes: Any
) -> Callable[[Callable[..., int | None]], click.Command]:
    """Turn ``function(context, **own_parameters) -> exit code`` into a command.

    The common options are added, settings options are merged into ``context.settings`` instead of
    being passed on, and broken plugins are reported at the end.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @click.pass_context
        @functools.wraps(function)
        def run(click_context: click.Context, /, **parameters: Any) -> int:
            with claimed(click_context.ensure_object(Invocation)) as overheard:
                context = _context(click_context, parameters, overheard)
                try:
                    code = function(context, **parameters)
                except PLUGIN_ERRORS as error:
                    context.tell_of_plugins()  # what broke may be why
                    if isinstance(error, SystemExit):
                        raise _Left("sys.exit() was called").with_traceback(
                            error.__traceback__
                        ) from error
                    raise
                return context.finish(code)

        decorated: Any = run
        for option in reversed(options.COMMON):
            decorated = option(decorated)
        command = click.command(name, cls=ZooCommand, examples=examples, **attributes)(decorated)
        if parent:
            parent.add_command(command)
        return command

    return decorate


def _context(
    click_context: click.Context, parameters: dict[str, Any], overheard: Overheard
) -> Context:
    """Take the common options and the settings out of the parameters."""
    invocation = click_context.ensure_object(Invocation)
    quiet = parameters.pop("quiet")
    mode = mode_of(parameters.pop("format_"), json=parameters.pop("json_"), quiet=quiet)
    output = Output(
        mode=mode,
        color=parameters.pop("color"),
        quiet=quiet or mode == "quiet",
        stream=invocation.stream,
    )
    invocation.output = output
    _log(parameters.pop("verbose"))
    progress = not parameters.pop("no_progress") and not output.quiet
    given = [name for name in parameters if name in Settings.__struct_fields__]
    resolved = resolve({name: _given(parameters.pop(name)) for name in given})
    _prepare_environment(resolved.settings)
    return Context(
        resolved=resolved,
        output=output,
        invocation=invocation,
        progress=progress,
        overheard=overheard,
    )


def _given(value: Any) -> Any:
    return None if value == () or value is False else value


def _prepare_environment(settings: Settings) -> None:
    """Set what the Hub's libraries read when they are imported, which is later."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # ours would be torn apart
    if settings.offline:
        os.environ.update(dict.fromkeys(_OFFLINE, "1"))


def _log(verbosity: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("zoo").setLevel(level)
