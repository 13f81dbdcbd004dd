"""``zoo calibrate``: make the probabilities of a model's folder honest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.errors import ExitCode
from zoo.render.quantities import some
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import input_options
from zoo_cli.output import Column
from zoo_cli.progress import listening
from zoo_cli.recipe_flags import method_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.calibrating.fitting import CalibrationReport
    from zoo_cli.context import Context

_COLUMNS = (
    Column("probabilities", key=True),
    Column("accuracy", right=True, show="{:.3f}".format),
    Column("ece", "ECE", right=True, show="{:.4f}".format),
    Column("nll", "NLL", right=True, show="{:.4f}".format),
    Column("brier", "BRIER", right=True, show="{:.4f}".format),
)


@zoo_command(
    "calibrate",
    examples=(
        "zoo calibrate ./birds --data photos/ --eval labelled/",
        "zoo calibrate ./birds --data photos/ --eval labelled/ --set subnet=variance",
        "zoo calibrate ./reviews --data reviews.csv --method laplace --set size=500 --json",
    ),
)
@click.argument("model")
@click.option(
    "--data",
    metavar="DATA",
    required=True,
    envvar="ZOO_DATA",
    show_envvar=True,
    help="Images or texts without labels, best those that it was trained on: as for `zoo predict`.",
)
@options.option(
    "--eval",
    "evaluation",
    metavar="DATA",
    default="",
    default_shown="none",
    variable="ZOO_EVAL",
    help="Labelled data it was not trained on: one half of each label chooses, the other judges.",
)
@options.option(
    "--method",
    metavar="NAME",
    default="",
    default_shown="laplace",
    variable="ZOO_CALIBRATOR",
    help="See `zoo plugins list --hook zoo_calibrators`.",
)
@method_options
@options.option(
    "--samples",
    metavar="N",
    type=click.IntRange(min=0),
    default=1000,
    default_shown="1000",
    variable="ZOO_SAMPLES",
    help="Samples of --data to look at, evenly spread; 0 takes all.",
)
@options.option(
    "--batch",
    metavar="N",
    type=click.IntRange(min=1),
    default=16,
    default_shown="16",
    variable="ZOO_BATCH",
    help="Samples of one pass.",
)
@input_options
@options.modality
@options.registry
@options.trust_remote_code
@options.device
@options.runtime
@options.seed
def calibrate(context: Context, *, model: str, data: str, **question: Any) -> int:
    """Make the probabilities of a trained classifier honest.

    MODEL is a folder. What is fitted lies in it afterwards, as calibration.safetensors and
    calibration.json; the weights stay as they are, and `zoo predict` takes it up. Without --eval
    nobody can say whether it is better.
    """
    from zoo.calibrating import calibrate as fit

    with listening(context, models=1) as listener:
        report = fit(
            model, data, context.settings, context.catalogue, on_event=listener, **question
        )
    rows = list(_rows(report))
    if rows or context.output.machine:
        context.output.rows(_COLUMNS, rows, document=report)
    _conclude(context, report)
    return ExitCode.DONE


def _rows(report: CalibrationReport) -> Iterator[dict[str, Any]]:
    found = report.calibration
    for name, each in (("the model's own", found.before), (found.method, found.after)):
        if each is not None:
            yield {
                "probabilities": name,
                "accuracy": each.accuracy.value,
                "ece": each.ece,
                "nll": each.nll,
                "brier": each.brier,
            }


def _conclude(context: Context, report: CalibrationReport) -> None:
    output, found = context.output, report.calibration
    for note in report.notes:
        output.note(note)
    if found.change is not None:
        low, high = found.change.low, found.change.high
        judged = some(found.judged_on, "sample")
        output.note(
            f"On {judged} that chose nothing; NLL changes by {found.change.value:+.4f} "
            f"(95 %: {low:+.4f} to {high:+.4f})."
        )
    for warning in report.warnings:
        output.warn(warning)
    chosen = ", ".join(f"{name} {value:.3g}" for name, value in found.found.items())
    output.success(
        f"Wrote {report.folder}/calibration.json: {found.method}"
        f"{f', {chosen}' if chosen else ''}, {some(found.samples, 'sample')}, "
        f"{report.seconds:.0f} s on {report.device}"
    )
    helps = found.change is None or found.change.value < 0
    output.hint(f"zoo predict {report.model} DATA{'' if helps else ' --no-calibration'}")
