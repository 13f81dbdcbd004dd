"""``zoo score``: estimators on features that the person brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from zoo.errors import ExitCode
from zoo.types.probe import Task
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.output import Column

if TYPE_CHECKING:
    from zoo.scoring import Scored
    from zoo.types import ScoreRecord
    from zoo_cli.context import Context
    from zoo_cli.documents.measuring import ScoreCell


@zoo_command(
    "score",
    examples=(
        "zoo score features.npz",
        "zoo score features.npz -e logme -e knn --set knn.k=5 --json",
        "zoo score targets.npz --task regression",
        "zoo score features.npz -e rsa -e dds --reference trained.npz",
        "zoo score features.npz -e all",
    ),
)
@click.argument("file", type=click.Path())
@options.estimator
@options.assignments
@options.option(
    "--reference",
    type=click.Path(),
    default=None,
    default_shown="ref_FILE beside FILE",
    variable="ZOO_REFERENCE",
    help="An .npz with X: the same samples through a model to compare with (rsa, dds, depara).",
)
@options.option(
    "--task",
    type=click.Choice(get_args(Task)),
    default=None,
    default_shown="guessed",
    variable="ZOO_TASK",
    help="What the labels are.",
)
@options.option(
    "--on-nonfinite",
    type=click.Choice(("raise", "drop")),
    default="raise",
    default_shown="raise",
    variable="ZOO_ON_NONFINITE",
    help="What to do with samples that hold NaN or infinity.",
)
@options.permutations
@options.folds
@options.seed
def score(
    context: Context,
    *,
    file: str,
    estimators: tuple[str, ...],
    assignments: dict[str, dict[str, Any]],
    reference: str | None,
    task: str | None,
    on_nonfinite: Any,
) -> int:
    """Score features that you bring.

    FILE is an .npz with X (samples, width) and y (samples,) for classes or Y (samples, targets);
    logits or probs (samples, source classes) for the methods that read a source head;
    class_embeddings (classes, width, encoders) or Z (samples, width, encoders) for those that read
    label embeddings. -e all takes every estimator that does the task and has what it needs.
    """
    from zoo.scoring import score_arrays

    settings = context.settings
    scored = score_arrays(
        file,
        estimators,
        catalogue=context.catalogue,
        options=assignments,
        reference=reference,
        task=task,
        permutations=settings.permutations,
        folds=settings.folds,
        seed=settings.seed,
        on_nonfinite=on_nonfinite,
    )
    _show(context, scored, file)
    return _exit_code(scored, named=set(estimators))


def _show(context: Context, scored: Scored, file: str) -> None:
    from zoo_cli.documents.measuring import ScoredFeatures

    features = scored.features
    cells = {record.estimator: _cell(record) for record in scored.records}
    document = ScoredFeatures(
        source=file,
        task=features.task,
        samples=len(features.values),
        width=features.values.shape[1],
        scores=cells,
        failures=tuple(scored.failures),
        notes=tuple(scored.notes),
        permutations=context.settings.permutations,
        folds=context.settings.folds,
        seed=context.settings.seed,
    )
    columns = [
        Column("estimator", key=True),
        Column("value", right=True, show=_number),
        Column("interval", "95 %", right=True, show=_interval),
        Column("z", right=True, show=_deviations),
        Column("seconds", right=True, show="{:.2f}".format),
        Column("note"),
    ]
    rows = [{"estimator": name, **msgspec.to_builtins(each)} for name, each in cells.items()]
    title = f"{file}: {len(features.values)} samples, width {features.values.shape[1]}"
    context.output.rows(columns, rows, document=document, title=f"{title}, {features.task}")
    for note in scored.notes:
        context.output.note(note)
    for failure in scored.failures:
        context.output.failure(failure)


def _cell(record: ScoreRecord) -> ScoreCell:
    """Give one estimator's entry of the JSON document."""
    from zoo.ranking import interval
    from zoo_cli.documents.measuring import ScoreCell

    value = record.value
    return ScoreCell(
        value=value,
        z=record.z,
        null_mean=record.null_mean,
        null_sd=record.null_sd,
        interval=None if value is None else interval(value, record.folds, bounds=record.bounds),
        saturated=record.saturated,
        note=record.not_applicable or record.note,
        applicable=not record.not_applicable,
        details=record.details,
        seconds=record.seconds,
    )


def _exit_code(scored: Scored, *, named: set[str]) -> int:
    """Say how it went: a method that was asked for and does not apply is a partial answer."""
    if all(record.value is None for record in scored.records):
        return ExitCode.FAILED if scored.failures else ExitCode.NOTHING
    dashes = any(each.value is None and each.estimator in named for each in scored.records)
    return ExitCode.PARTIAL if scored.failures or dashes else ExitCode.DONE


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"


def _deviations(value: Any) -> str:
    return "-" if value is None else f"{value:.1f}"


def _interval(value: Any) -> str:
    return "-" if value is None else f"{value[0]:.4g} - {value[1]:.4g}"
