"""What ``--dry-run`` prints: who would take part, what would be fetched, how long it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo.render.quantities import duration_text, parameters_text, size_text
from zoo_cli.output import Column, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.plan import Plan, PlannedModel
    from zoo.truth import PlannedTruth
    from zoo_cli.documents.measuring import PlannedRow


def show_plan(output: Output, plan: Plan) -> None:
    """Print a plan; one line each for what is left out and what failed."""
    from zoo_cli.documents.measuring import RankingPlan

    columns = [
        Column("model"),
        Column("parameters", right=True, show=parameters_text, priority=2),
        Column("bytes", title="SIZE", right=True, show=size_text, priority=1),
        Column("download", right=True, show=size_text),
        Column("seconds", title="ABOUT", right=True, show=duration_text),
        Column("license", title="LICENCE", priority=3, flexible=True),
    ]
    found = tuple(map(_row, plan.models))
    rows = [msgspec.to_builtins(each) for each in found]
    decided = msgspec.structs.asdict(plan) | {"models": found}
    document = RankingPlan(**decided, download=plan.download, seconds=plan.seconds)
    probe = plan.probe
    classes = f", {probe.classes} classes" if probe.classes else ""
    output.note(
        f"{probe.source}: {probe.task}{classes}, using {probe.samples} of {probe.rows} rows"
    )
    for note in probe.notes:
        output.note(f"  {note}")
    output.rows(columns, rows, document=document)
    for note in plan.notes:
        output.warn(note)
    if plan.reference is not None:
        output.note(f"compared with: {plan.reference.candidate.model}")
    if plan.rounds:
        output.note(_rounds(plan.rounds))
    if plan.truth is not None:
        output.note(_truth(plan.truth))
    for left in plan.excluded:
        output.note(f"left out: {left.model}: {left.reason}")
    for failure in plan.failures:
        output.warn(str(failure))
        output.hint(failure.hint)
    models = "1 model" if len(plan.models) == 1 else f"{len(plan.models)} models"
    output.note(
        f"{models}, {size_text(plan.download)} to download, forward passes about "
        f"{duration_text(plan.seconds)} with {plan.jobs} workers on {plan.device} (from parameter "
        "counts: within a factor of 3). Nothing was run."
    )


def _row(planned: PlannedModel) -> PlannedRow:
    from zoo_cli.documents.measuring import PlannedRow

    entry = planned.candidate.entry
    return PlannedRow(
        model=planned.candidate.model,
        parameters=entry.parameters,
        bytes=entry.bytes,
        download=planned.download,
        seconds=planned.seconds,
        license=entry.license,
    )


def _truth(truth: PlannedTruth) -> str:
    cost = f", at most about {duration_text(truth.seconds)}" if truth.seconds else ""
    who = "the first is" if truth.top == 1 else f"the first {truth.top} are"
    return (
        f"then: {who} fine-tuned ({truth.preset}) on {truth.samples} samples, "
        f"{truth.held_out} of them held out for judging: {truth.steps} steps each{cost}"
    )


def _rounds(rounds: Sequence[int]) -> str:
    if len(rounds) == 1:
        return f"{rounds[0]} samples are too few to race on: every model is measured on all of them"
    *first, last = map(str, rounds)
    return (
        f"race: every model on {first[0]} samples, those not clearly behind on "
        f"{' and '.join([*filter(None, [', '.join(first[1:])]), last])}"
    )
