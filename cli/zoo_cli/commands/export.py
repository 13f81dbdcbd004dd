"""``zoo export``: a model that runs without its framework, compared with the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode
from zoo.render.quantities import size_text, some
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import input_options
from zoo_cli.output import Column
from zoo_cli.progress import listening
from zoo_cli.values import expand_lists

if TYPE_CHECKING:
    from zoo.types import ExportReport
    from zoo_cli.context import Context

_COLUMNS = (
    Column("tap", key=True),
    Column("dimension", "WIDTH", right=True),
    Column("difference", "MAX DIFFERENCE", right=True, show="{:.1e}".format),
    Column("relative", right=True, show="{:.1e}".format),
)


@zoo_command(
    "export",
    examples=(
        "zoo export hub:google/vit-base-patch16-224 -o vit --data photos/",
        "zoo export ./my-checkpoint -o small --precision int8 --data photos/",
        "zoo export ./my-checkpoint -o features --taps head_input --taps block.9",
    ),
)
@click.argument("model")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    envvar="ZOO_OUTPUT",
    show_envvar=True,
    help="The folder to write: new or empty.",
)
@options.option(
    "--precision",
    "numbers",  # the setting of this name is another thing: it may be bf16
    type=click.Choice(("fp32", "fp16", "int8")),
    default="fp32",
    default_shown="fp32",
    variable="ZOO_EXPORT_PRECISION",
    help="Numbers to compute in.",
)
@options.option(
    "--taps",
    metavar="NAME",
    multiple=True,
    callback=expand_lists,
    default_shown="all",
    variable="ZOO_TAPS",
    help="A point to expose beside the logits, see `zoo taps MODEL`. Repeat it, or @FILE.",
)
@options.option(
    "--data",
    metavar="DATA",
    default="",
    default_shown="a few that come with Zoo",
    variable="ZOO_DATA",
    help="Real inputs to compare with, and to calibrate int8 with: as for `zoo predict`.",
)
@input_options
@options.option(
    "--tolerance",
    metavar="X",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    default_shown="that of the precision",
    variable="ZOO_TOLERANCE",
    help="Largest difference of a tap to accept, as a share of its largest value.",
)
@options.option(
    "--force",
    is_flag=True,
    default_shown="off",
    variable="ZOO_FORCE",
    help="Replace an earlier export in DIR; nothing else is ever replaced.",
)
@options.modality
@options.registry
@options.trust_remote_code
@options.runtime
def export(context: Context, *, model: str, folder: str, numbers: Any, **request: Any) -> int:
    """Write a model that runs without PyTorch, with its labels and preprocessing beside it.

    Every tap is compared with the original on real inputs before anything appears in DIR, and
    refused where it differs by more than the tolerance. DIR is a checkpoint like any other: `zoo
    predict DIR DATA`, and `-m ./DIR` elsewhere.
    """
    from zoo.exporting import export as write
    from zoo_cli.documents.measuring import ExportDocument

    with listening(context) as listener:
        report = write(
            model,
            folder,
            context.settings,
            context.catalogue,
            precision=numbers,
            on_event=listener,
            **request,
        )
    rows = [msgspec.to_builtins(each) for each in report.taps]
    document = ExportDocument(**msgspec.structs.asdict(report))
    context.output.rows(_COLUMNS, rows, document=document)
    _conclude(context, report)
    return ExitCode.DONE


def _conclude(context: Context, report: ExportReport) -> None:
    output = context.output
    for note in report.notes:
        output.note(note)
    for warning in report.warnings:
        output.warn(warning)
    facts = [
        size_text(report.bytes),
        report.precision,
        f"opset {report.opset}",
        f"compared on {some(report.samples, 'input')}",
    ]
    if report.agreement is not None:
        facts.append(f"the same first label for {100 * report.agreement:.1f} %")
    facts.append("from the cache" if report.cached else f"{report.seconds:.0f} s")
    output.success(f"Wrote {report.folder}: {', '.join(facts)}")
    place = report.folder if report.folder.startswith((".", "/", "~")) else f"./{report.folder}"
    has_head = any(each.tap == "logits" for each in report.taps)
    output.hint(f"zoo predict {place} DATA" if has_head else f"zoo layers {place} DATA")
