"""What every command that makes a model does: settle the recipe, show the plan, ask, carry out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import ExitCode
from zoo_cli.progress import listening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.building.prepared import Prepared
    from zoo.building.recipes import Assembled
    from zoo_cli.context import Context

#: Stands for the folder in a plan that nobody gave one.
_NOWHERE = "(-o DIR)"


def make_model(
    context: Context,
    flags: Mapping[str, Any],
    config: Path | None,
    folder: str | None,
    *,
    dry_run: bool,
    yes: bool,
) -> int:
    """Make what the flags and the file ask for, or say what would be made; give the exit code."""
    from zoo.building.recipes import assemble

    if folder is None and not dry_run:
        raise click.UsageError("Give -o DIR, the folder to write; --dry-run does without.")
    prepared = settle(context, assemble(flags, config), folder)
    if dry_run:
        from zoo_cli.building_view import show_plan

        show_plan(context.output, prepared.plan)
        return ExitCode.DONE
    return _carry_out(context, prepared, str(folder), yes=yes)


def settle(context: Context, assembled: Assembled, folder: str | None) -> Prepared:
    """Find everything that is wrong before a weight is fetched, and say what was chosen."""
    from zoo.building.preflight import prepare

    with listening(context) as listener:
        prepared = prepare(
            assembled.recipe,
            context.settings,
            context.catalogue,
            place=Path(folder).expanduser() if folder else Path(_NOWHERE),
            on_event=listener,
            free=assembled.free,
            resumed=folder is None,
        )
    for note in assembled.notes:
        context.output.note(note)
    return prepared


def _carry_out(context: Context, prepared: Prepared, folder: str, *, yes: bool) -> int:
    from zoo.building.journey import build
    from zoo_cli.building_view import announce_plan, conclude, resumable, show_built

    announce_plan(context.output, prepared.plan)
    if not context.output.confirm("Go on?", yes=yes):
        context.output.note("Nothing was fetched, trained or written.")
        return ExitCode.DONE
    with resumable(context, folder), listening(context) as listener:
        built = build(prepared, folder, context.settings, context.catalogue, on_event=listener)
    show_built(context.output, built)
    return conclude(context.output, built)
