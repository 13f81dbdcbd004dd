"""``zoo finetune``: train a model on, with the person's own labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo_cli.building import make_model
from zoo_cli.context import zoo_command
from zoo_cli.recipe_options import recipe_options

if TYPE_CHECKING:
    from pathlib import Path

    from zoo_cli.context import Context


@zoo_command(
    "finetune",
    examples=(
        "zoo finetune ./model --data photos/ -o tuned",
        "zoo finetune ./model --data reviews.csv --label stars --eval more.csv -o tuned --yes",
        "zoo finetune ./model --data photos/ --preset quick --head new --dry-run",
        "zoo finetune ./model --data photos/ --method moex --calibrate laplace -o tuned",
        "zoo resume tuned",
    ),
)
@click.argument("student", metavar="MODEL", required=False)
@recipe_options("finetune")
def finetune(
    context: Context,
    *,
    flags: dict[str, Any],
    config: Path | None,
    folder: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Train a model on, with your labels.

    MODEL is a folder, a reference or a name of the registry. Its trained head goes on learning
    where its labels are the classes of DATA, in whatever order; otherwise it gets a new one, and
    the plan says why. A tenth of DATA is held out for judging, unless --eval names other samples.
    """
    return make_model(context, flags, config, folder, dry_run=dry_run, yes=yes)
