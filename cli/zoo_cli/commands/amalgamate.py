"""``zoo amalgamate``: one student of several teachers, from data without labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode, InputError
from zoo_cli.building import make_model, settle
from zoo_cli.context import zoo_command
from zoo_cli.recipe_options import recipe_options

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.building.recipes import Assembled
    from zoo_cli.context import Context


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
@recipe_options("amalgamate")
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
    if write_label_map is not None:
        from zoo.building.recipes import assemble

        return _write_map(context, assemble(flags, config), write_label_map)
    return make_model(context, flags, config, folder, dry_run=dry_run, yes=yes)


def _write_map(context: Context, assembled: Assembled, path: Path) -> int:
    """Write the map of the labels as they are: apart, or joined where that was asked for."""
    from zoo.building.label_maps import write_map
    from zoo_cli.documents.building import LabelMapFile

    if path.exists():
        raise InputError(
            f"{str(path)!r} exists already, and may have been edited.", "--write-label-map NEW-FILE"
        )
    recipe = assembled.recipe
    if not recipe.label_map:
        joined = recipe.targets.kind == "union"
        recipe = msgspec.structs.replace(recipe, label_map="union" if joined else "separate")
    prepared = settle(context, replace(assembled, recipe=recipe), None)
    if prepared.space is None:
        raise click.UsageError("These teachers have no labels, so there is nothing to map.")
    write_map(prepared.space, path)
    context.output.value(LabelMapFile(label_map=str(path)), str(path), ids=[str(path)])
    context.output.hint(f"Edit it, then add --labels {path}")
    return ExitCode.DONE
