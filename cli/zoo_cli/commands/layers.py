"""``zoo layers``: one model, layer by layer, and where to cut it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.errors import ExitCode
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import data_options
from zoo_cli.question import check_page, request_of

if TYPE_CHECKING:
    from pathlib import Path

    from zoo_cli.context import Context


@zoo_command(
    "layers",
    examples=(
        "zoo layers hub:google/vit-base-patch16-224 photos/",
        "zoo layers ./my-checkpoint reviews.csv --label stars --html layers.html",
        "zoo layers ./source photos/ --against ./target:logits",
    ),
)
@click.argument("model")
@click.argument("data")
@options.option(
    "--against",
    metavar="MODEL[:LAYER]",
    default="",
    default_shown="its own head",
    variable="ZOO_AGAINST",
    help="Say how like this model each layer is.",
)
@options.estimator
@options.assignments
@options.label_encoder
@options.attribution
@data_options
@options.registry
@options.trust_remote_code
@options.device
@options.runtime
@options.precision
@options.jobs
@options.permutations
@options.folds
@options.timeout
@options.html
def layers(
    context: Context,
    *,
    model: str,
    data: str,
    against: str,
    attribution: str,
    html_path: Path | None,
    **question: Any,
) -> int:
    """Score every layer of a model for your data, and name the one to cut at.

    One forward pass feeds all layers. Each is also compared with the output of the model's own
    head, or with another model that was trained for what you want.
    """
    from zoo.layers import measure_layers
    from zoo.render.layers import layer_columns, layer_rows, verdict, write_layer_html
    from zoo.render.words import data_line
    from zoo_cli.progress import listening

    check_page(html_path)
    request = request_of(context, data, models=(model,), **question)
    with listening(context) as listener:
        report = measure_layers(
            request,
            context.settings,
            context.catalogue,
            against=against,
            attribution="" if attribution == "none" else attribution,
            on_event=listener,
        )
    if html_path is not None:
        write_layer_html(report, html_path)
    context.output.note(data_line(report.probe))
    context.output.rows(layer_columns(report), layer_rows(report), document=report)
    context.output.success(verdict(report))
    notes = {each.note for row in report.layers for each in row.similarity.values()}
    for note in sorted(notes - {""}):
        context.output.note(f"Compared with {report.against}: {note}.")
    if html_path is not None:
        context.output.note(f"Page: {html_path}")
    for failure in report.failures:
        context.output.failure(failure)
    return ExitCode.PARTIAL if report.failures else ExitCode.DONE
