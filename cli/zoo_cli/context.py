"""What every command gets: settings, plugins and a sink; and the decorator that gives it."""

from __future__ import annotations

import functools
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zoo.catalogue import Catalogue
from zoo.errors import ExitCode, PluginError
from zoo.host import PluginHost
from zoo.settings import Resolved, Settings, resolve
from zoo_cli import options
from zoo_cli.help import NounGroup, ZooCommand
from zoo_cli.invocation import Invocation
from zoo_cli.output import Output, mode_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Context", "NounGroup", "noun_group", "zoo_command"]

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass
class Context:
    """One command's surroundings; the plugins are loaded when somebody asks for them.

    Attributes:
        resolved: the settings, with the origin of each.
        output: the sink for everything that is printed.
        invocation: set ``invocation.resume`` to what continues an interrupted command.
        progress: whether bars and milestones are wanted.
    """

    resolved: Resolved
    output: Output
    invocation: Invocation
    progress: bool = True

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
            raise PluginError(f"plugin {first.plugin}: {first.error}.", first.hint)
        return host

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """Everything the plugins provide, by kind and name."""
        return Catalogue(self.host)

    def finish(self, code: int | None) -> int:
        """Say which plugins broke, and settle the exit code."""
        code = int(code or ExitCode.DONE)
        host = self.__dict__.get("host")
        for failure in host.failures if host else ():
            self.output.failure(failure)
        if host and host.failures and code == ExitCode.DONE:
            code = ExitCode.PARTIAL
        return ExitCode.FAILED if code == ExitCode.PARTIAL and self.settings.strict else code


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
            context = _context(click_context, parameters)
            return context.finish(function(context, **parameters))

        decorated: Any = run
        for option in reversed(options.COMMON):
            decorated = option(decorated)
        command = click.command(name, cls=ZooCommand, examples=examples, **attributes)(decorated)
        if parent:
            parent.add_command(command)
        return command

    return decorate


def _context(click_context: click.Context, parameters: dict[str, Any]) -> Context:
    """Take the common options and the settings out of the parameters."""
    invocation = click_context.ensure_object(Invocation)
    quiet = parameters.pop("quiet")
    mode = mode_of(parameters.pop("format_"), json=parameters.pop("json_"), quiet=quiet)
    output = Output(mode=mode, color=parameters.pop("color"), quiet=quiet or mode == "quiet")
    invocation.output = output
    _log(parameters.pop("verbose"))
    progress = not parameters.pop("no_progress") and not output.quiet
    given = [name for name in parameters if name in Settings.__struct_fields__]
    resolved = resolve({name: _given(parameters.pop(name)) for name in given})
    _prepare_environment(resolved.settings)
    return Context(resolved=resolved, output=output, invocation=invocation, progress=progress)


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
