"""``zoo completion``: click's own completion script, for three shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo_cli.context import zoo_command

if TYPE_CHECKING:
    from zoo_cli.context import Context


@zoo_command(
    "completion",
    examples=(
        'eval "$(zoo completion bash)"   # in ~/.bashrc',
        'eval "$(zoo completion zsh)"    # in ~/.zshrc',
        "zoo completion fish > ~/.config/fish/completions/zoo.fish",
    ),
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(context: Context, shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from zoo_cli.documents.house import CompletionScript
    from zoo_cli.main import zoo

    generator = get_completion_class(shell)
    assert generator
    script = generator(zoo, {}, "zoo", "_ZOO_COMPLETE").source()
    context.output.value(CompletionScript(shell=shell, script=script), script)
