"""``zoo grow``: a checkpoint becomes wider or deeper and computes the same function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from zoo.errors import ExitCode
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import input_options
from zoo_cli.progress import listening
from zoo_cli.recipe_flags import method_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.types import Deepen, Widen
    from zoo_cli.context import Context

F = TypeVar("F", bound="Callable[..., Any]")


def _size(name: str, text: str, *, variable: str) -> Callable[[F], F]:
    """One size to grow."""
    return options.option(
        f"--{name}",
        metavar="SIZE",
        default="",
        default_shown="as it is",
        variable=variable,
        help=text,
    )


@zoo_command(
    "grow",
    examples=(
        "zoo grow hub:google/vit-base-patch16-224 --width 1.5x --depth +2 -o wider",
        "zoo grow ./my-resnet --depth +1 -o deeper --data photos/",
        "zoo grow hub:google-bert/bert-base-uncased --mlp 4096 -o bert --dry-run",
        "zoo grow ./small --to ./large/config.json -o grown",
    ),
)
@click.argument("model")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    default="",
    envvar="ZOO_OUTPUT",
    show_envvar=True,
    help="The folder to write: new or empty. Needed unless --dry-run.",
)
@_size("width", "Everything that makes it wide: 1.5x, +50%.", variable="ZOO_WIDTH")
@_size(
    "depth",
    "Layers: +2, +25%, or their number; of every stage, or one a stage: 3,4,9,3.",
    variable="ZOO_DEPTH",
)
@_size("hidden", "Hidden size: 1024, 2x, +64.", variable="ZOO_HIDDEN")
@_size("heads", "Attention heads: 16, +4.", variable="ZOO_HEADS")
@_size("kv-heads", "Heads of keys and values.", variable="ZOO_KV_HEADS")
@_size("mlp", "Intermediate size: 4096, 1.5x.", variable="ZOO_MLP")
@options.option(
    "--place",
    type=click.Choice(("end", "between")),
    default="end",
    default_shown="end",
    variable="ZOO_PLACE",
    help="Where new layers go: last in their stage, or evenly between the old ones.",
)
@options.option(
    "--to",
    "target",
    metavar="CONFIG",
    default="",
    default_shown="none",
    variable="ZOO_TO",
    help="A larger configuration, a folder or its config.json, in place of the sizes.",
)
@options.option(
    "--method",
    metavar="NAME",
    default="",
    default_shown="the first that keeps the function",
    variable="ZOO_GROWER",
    help="What sets the weights, see `zoo plugins list --hook zoo_growers`.",
)
@method_options
@options.option(
    "--allow-inexact",
    is_flag=True,
    default_shown="off",
    variable="ZOO_ALLOW_INEXACT",
    help="Write it even where it does not compute the same function; the card says how far off.",
)
@options.option(
    "--data",
    metavar="DATA",
    default="",
    default_shown="noise alone",
    variable="ZOO_DATA",
    help="Real inputs to compare on, too, and for a method that learns: as for `zoo predict`.",
)
@input_options
@options.option(
    "--samples",
    metavar="N",
    type=click.IntRange(min=1),
    default=1000,
    default_shown="1000",
    variable="ZOO_SAMPLES",
    help="Samples of --data that a method learns from, evenly spread.",
)
@options.option(
    "--dry-run",
    is_flag=True,
    default_shown="off",
    variable="ZOO_DRY_RUN",
    help="Show the plan and stop: no weight is fetched.",
)
@options.yes
@options.registry
@options.trust_remote_code
@options.device
@options.runtime
@options.seed
def grow(
    context: Context, *, model: str, folder: str, dry_run: bool, yes: bool, **asked: Any
) -> int:
    """Make a checkpoint wider or deeper, so that it computes what it computed before.

    The plan comes first: what grows, how, and whether each step is exact. Then the work, then the
    proof: both networks answer the same inputs in float64 and float32, and where they differ by
    more than rounding, nothing is written. DIR is an ordinary checkpoint of the same class.
    """
    from zoo.growing.journey import grow_checkpoint
    from zoo.growing.prepared import GrowthRequest, prepare_growth
    from zoo_cli.growth_view import announce_plan, conclude, show_plan

    if not folder and not dry_run:
        raise click.UsageError("Give -o DIR, the folder to write; --dry-run does without.")
    request = GrowthRequest(model=model, steps=_steps(asked), seed=context.settings.seed, **asked)
    with listening(context) as listener:
        prepared = prepare_growth(
            request, folder, context.settings, context.catalogue, on_event=listener
        )
    if dry_run:
        show_plan(context.output, prepared.plan)
        return ExitCode.DONE
    announce_plan(context.output, prepared.plan)
    if not context.output.confirm("Go on?", yes=yes):
        context.output.note("Nothing was fetched or written.")
        return ExitCode.DONE
    with listening(context) as listener:
        report = grow_checkpoint(
            prepared, folder, context.settings, context.catalogue, on_event=listener
        )
    return conclude(context.output, report)


def _steps(asked: dict[str, Any]) -> tuple[Widen | Deepen, ...]:
    """Take the sizes out of what was asked."""
    from zoo.types import Deepen, Widen

    names = ("width", "hidden", "heads", "kv_heads", "mlp")
    wider = Widen(**{name: asked.pop(name) for name in names})
    depth, place = asked.pop("depth"), asked.pop("place")
    found: list[Widen | Deepen] = [wider] if wider != Widen() else []
    if depth:
        found.append(Deepen(depth=depth, place=place))
    return tuple(found)
