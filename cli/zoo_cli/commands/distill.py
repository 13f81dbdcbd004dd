"""``zoo distill``: move what teachers know into a student of any architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_cli.building import make_model
from zoo_cli.context import zoo_command
from zoo_cli.recipe_options import recipe_options

if TYPE_CHECKING:
    from pathlib import Path

    from zoo_cli.context import Context


@zoo_command(
    "distill",
    examples=(
        "zoo distill --teacher ./large --student ./tiny --data photos/ -o small",
        "zoo distill --teacher ./a --teacher ./b --student ./tiny --data photos/ --dry-run",
        "zoo distill --config run.yaml --method kd,rkd,hkd:3 --set rkd.angle=25 -o small --yes",
        "zoo distill --config run.yaml --method dkd --labels --eval more/ --calibrate laplace -o z",
        "zoo resume small",
    ),
)
@recipe_options("distill")
def distill(
    context: Context,
    *,
    flags: dict[str, Any],
    config: Path | None,
    folder: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Move what teachers know into a student of any architecture.

    Several methods add up, each with a weight, as in kd,rkd,hkd:3. No label of DATA is looked at
    unless --labels is given. Everything that can be known to be wrong is said before a weight is
    fetched, in one list; the plan says which stages of the networks each method compares.
    """
    return make_model(context, flags, config, folder, dry_run=dry_run, yes=yes)
