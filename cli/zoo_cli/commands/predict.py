"""``zoo predict``: a model's own head on data without labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode
from zoo.render.quantities import some
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import input_options
from zoo_cli.output import Column
from zoo_cli.progress import listening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.prediction import Prediction, Predictions
    from zoo_cli.context import Context

#: Failures that are printed one by one; ``--json`` has them all.
_SHOWN = 10


@zoo_command(
    "predict",
    examples=(
        "zoo predict ./exported photo.jpg --top 3",
        "zoo predict ./exported photos/ --format csv > labels.csv",
        "zoo predict hub:distilbert/distilbert-base-uncased-finetuned-sst-2-english reviews.csv",
        'echo "a fine film" | zoo predict ./exported - -q',
    ),
)
@click.argument("model")
@click.argument("data")
@options.option(
    "--top",
    metavar="K",
    type=click.IntRange(min=1),
    default=1,
    default_shown="1",
    variable="ZOO_TOP",
    help="Show the K most probable labels of each input.",
)
@options.option(
    "--batch",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    default_shown="what is comfortable",
    variable="ZOO_BATCH",
    help="Inputs of one forward pass.",
)
@options.option(
    "--no-calibration",
    is_flag=True,
    default_shown="off",
    variable="ZOO_NO_CALIBRATION",
    help="The model's own probabilities, whatever `zoo calibrate` left in its folder.",
)
@input_options
@options.modality
@options.registry
@options.trust_remote_code
@options.device
@options.precision
@options.runtime
def predict(
    context: Context, *, model: str, data: str, top: int, no_calibration: bool, **question: Any
) -> int:
    """Label data with a model's own head.

    MODEL is any checkpoint with a trained head, or a folder that `zoo export` wrote, which needs no
    PyTorch. DATA is an image, a folder of images, a .txt with a text a line, a CSV, TSV, JSON,
    JSONL or parquet file, a data set folder, or - for the lines of standard input: texts, or paths
    of images where the model reads images.
    """
    from zoo.prediction import predict as judge

    streamed = context.output.mode == "jsonl"

    def tell(prediction: Prediction) -> None:
        for row in _rows(prediction):
            context.output.line(json.dumps(row, ensure_ascii=False))

    with listening(context, models=1) as listener:
        found = judge(
            model,
            data,
            context.settings,
            context.catalogue,
            top=top,
            calibration=not no_calibration,
            on_event=listener,
            on_prediction=tell if streamed else None,
            **question,
        )
    if not streamed:
        rows = [row for each in found.predictions for row in _rows(each)]
        context.output.rows(_columns(found, top), rows, document=found)
    _conclude(context, found)
    return ExitCode.PARTIAL if found.failures else ExitCode.DONE


def _rows(prediction: Prediction) -> Iterator[dict[str, Any]]:
    for rank, guess in enumerate(prediction.guesses, start=1):
        yield {"input": prediction.input, "rank": rank, **msgspec.to_builtins(guess)}


def _columns(found: Predictions, top: int) -> Sequence[Column]:
    one = top == 1 and found.kind != "regression"
    number = (
        Column("value", right=True, show="{:.4g}".format)
        if found.kind == "regression"
        else Column("probability", right=True, show="{:.3f}".format)
    )
    # With several labels an input is named once.
    return (
        Column("input", flexible=True, cell=None if one else _first),
        Column("label", key=True),
        number,
    )


def _first(row: Mapping[str, Any]) -> str:
    return str(row["input"]) if row["rank"] == 1 else ""


def _conclude(context: Context, found: Predictions) -> None:
    output = context.output
    for note in found.notes:
        output.note(note)
    for warning in found.warnings:
        output.warn(warning)
    for failure in found.failures[:_SHOWN]:
        named = "" if failure.input in failure.error else f"{failure.input}: "
        output.warn(f"{named}{failure.error}")
    if found.failures:
        more = len(found.failures) - _SHOWN
        rest = f" {more} more; --json lists all." if more > 0 else ""
        output.warn(f"{some(len(found.failures), 'input')} left out.{rest}")
        output.hint(found.failures[0].hint)
    number = some(len(found.predictions), "input")
    where = f"{found.runtime} on {found.device}"
    output.success(f"{found.model}: {number} in {found.seconds:.1f} s, {where}")
