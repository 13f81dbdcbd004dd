"""How commands present themselves: own options first, common ones apart, examples last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo_cli.options import COMMON_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence


class ZooCommand(click.Command):
    """A command with examples; build one with ``zoo_command``."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        attributes.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **attributes)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Keep what is particular to this command apart from what all commands share."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and record[1]:  # an argument is explained in the text above
                shared = parameter.name in COMMON_NAMES or parameter.name == "help"
                (common if shared else own).append(record)
        for title, records in (("Options", own), ("Common options", common)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """End with what one would type."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


class NounGroup(click.Group):
    """The commands of one noun, in the order they were written; ``ls`` is ``list``."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command by name or alias."""
        name = "list" if cmd_name == "ls" and "list" in self.commands else cmd_name
        return super().get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Keep the order of the source."""
        del ctx
        return list(self.commands)
