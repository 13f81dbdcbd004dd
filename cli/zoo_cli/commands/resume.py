"""``zoo resume``: go on with a model whose making was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.progress import listening

if TYPE_CHECKING:
    from zoo_cli.context import Context


@zoo_command("resume", examples=("zoo resume birds-and-dogs",))
@click.argument("folder", metavar="DIR")
@options.registry
@options.device
@options.runtime
def resume(context: Context, *, folder: str) -> int:
    """Go on with a model whose making was interrupted.

    DIR is the folder that was given to -o. What is made and how lies in it: teachers, data or
    settings that have changed since are refused.
    """
    from zoo.building.journey import resume as go_on
    from zoo_cli.building_view import conclude, resumable, show_built

    with resumable(context, folder), listening(context) as listener:
        built = go_on(folder, context.settings, context.catalogue, on_event=listener)
    show_built(context.output, built)
    return conclude(context.output, built)
