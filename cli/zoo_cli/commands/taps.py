"""``zoo taps``: the points of a model that can be read, without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.output import Column
from zoo_cli.progress import listening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo_cli.context import Context


@zoo_command(
    "taps",
    examples=(
        "zoo taps hub:google/vit-base-patch16-224",
        "zoo taps ./my-checkpoint --json",
        "zoo taps hub:openai/clip-vit-base-patch32 --modality text",
    ),
)
@click.argument("model")
@options.modality
@options.registry
@options.trust_remote_code
@options.runtime
def taps(
    context: Context, *, model: str, modality: str | None, trust_remote_code: tuple[str, ...]
) -> int:
    """Name the points of a model to read, with their shapes.

    The shape is that of one input before it is pooled, the width that of the pooled vector. Only
    the configuration is read: a model of the Hub need not be downloaded. The names are those that
    `zoo layers` scores and `zoo export --taps` takes.
    """
    from zoo.outlines import outline

    with listening(context) as listener:
        found = outline(
            model,
            context.settings,
            context.catalogue,
            modality=modality,
            trust_remote_code=trust_remote_code,
            on_event=listener,
        )
    columns = (
        Column("tap", key=True),
        Column("shape", show=_shape),
        Column("dimension", "WIDTH", right=True),
        Column("default", "NOTE", cell=_note),
    )
    rows = [msgspec.to_builtins(each) for each in found.taps]
    context.output.rows(columns, rows, document=found)
    named = found.architecture or "its architecture"
    context.output.note(f"{found.model}: {len(rows)} taps of {named}, by {found.runtime}")
    return ExitCode.DONE


def _shape(sides: list[int | None]) -> str:
    return " x ".join("any" if side is None else str(side) for side in sides) or "-"


def _note(row: Mapping[str, Any]) -> str:
    return "<- what a new head reads" if row["default"] else ""
