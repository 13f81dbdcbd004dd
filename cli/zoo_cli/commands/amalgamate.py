"""``zoo amalgamate``: one student of several teachers, from data without labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode, InputError
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.progress import listening
from zoo_cli.recipe_options import recipe_options

if TYPE_CHECKING:
    from zoo.building.prepared import Prepared
    from zoo.building.recipes import Assembled
    from zoo_cli.context import Context

#: Stands for the folder in a plan that nobody gave one.
_NOWHERE = "(-o DIR)"


@zoo_command(
    "amalgamate",
    examples=(
        "zoo amalgamate --teacher ./birds --teacher ./dogs --student ./tiny --data photos/ -o both",
        "zoo amalgamate --teacher @teachers.txt --config run.yaml --eval labelled/ --dry-run",
        "zoo amalgamate --config both/run.yaml --preset quick --seed 1 -o again --yes",
        "zoo amalgamate --teacher ./seed-1 --teacher ./seed-2 --method merge-linear -o soup",
        "zoo resume both",
    ),
)
@recipe_options
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    envvar="ZOO_OUTPUT",
    show_envvar=True,
    help="The folder to write: new or empty.",
)
@options.registry
@options.trust_remote_code
@options.device
@options.runtime
@options.precision
@options.seed
@options.dry_run
@options.yes
def amalgamate(
    context: Context,
    *,
    flags: dict[str, Any],
    config: Path | None,
    folder: str | None,
    write_label_map: Path | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Make one student of several teachers, from data without labels.

    Teachers and student may be of different architectures and input sizes. The student learns what
    the teachers say about DATA; a label is needed only by --eval, which judges. Everything that
    can be known to be wrong is said before a weight is fetched, in one list; the plan is shown
    before anything is done.
    """
    from zoo.building.recipes import assemble

    if folder is None and not (dry_run or write_label_map):
        raise click.UsageError("Give -o DIR, the folder to write; --dry-run does without.")
    assembled = assemble(flags, config)
    if write_label_map is not None:
        return _write_map(context, assembled, write_label_map)
    prepared = _prepared(context, assembled, folder)
    if dry_run:
        from zoo_cli.amalgamation_view import show_plan

        show_plan(context.output, prepared.plan)
        return ExitCode.DONE
    return _carry_out(context, prepared, str(folder), yes=yes)


def _prepared(context: Context, assembled: Assembled, folder: str | None) -> Prepared:
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
    from zoo.building.amalgamation import amalgamate as build
    from zoo_cli.amalgamation_view import announce_plan, conclude, resumable, show_built

    announce_plan(context.output, prepared.plan)
    if not context.output.confirm("Go on?", yes=yes):
        context.output.note("Nothing was fetched, trained or written.")
        return ExitCode.DONE
    with resumable(context, folder), listening(context) as listener:
        built = build(prepared, folder, context.settings, context.catalogue, on_event=listener)
    show_built(context.output, built)
    return conclude(context.output, built)


def _write_map(context: Context, assembled: Assembled, path: Path) -> int:
    """Write the map of the labels as they are: apart, or joined where that was asked for."""
    from zoo.building.label_maps import write_map

    if path.exists():
        raise InputError(
            f"{str(path)!r} exists already, and may have been edited.", "--write-label-map NEW-FILE"
        )
    recipe = assembled.recipe
    if not recipe.label_map:
        joined = recipe.targets.kind == "union"
        recipe = msgspec.structs.replace(recipe, label_map="union" if joined else "separate")
    assembled = replace(assembled, recipe=recipe)
    prepared = _prepared(context, assembled, None)
    if prepared.space is None:
        raise click.UsageError("These teachers have no labels, so there is nothing to map.")
    write_map(prepared.space, path)
    context.output.value({"label_map": str(path)}, str(path), ids=[str(path)])
    context.output.hint(f"Edit it, then add --labels {path}")
    return ExitCode.DONE
