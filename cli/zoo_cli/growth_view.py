"""What ``zoo grow`` shows: the plan before, the proof after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo.errors import ExitCode
from zoo.render.quantities import count_text, parameters_text, size_text
from zoo_cli.building_view import place_of
from zoo_cli.output import Column, Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.growing.journey import GrowthReport
    from zoo.growing.plan import GrowthPlan, NetworkSize

_LABEL = 10
_COLUMNS = (
    Column("numbers", key=True),
    Column("largest", "LARGEST DIFFERENCE", right=True, show="{:.1e}".format),
    Column("allowed", right=True, show="{:.1e}".format),
    Column("scale", "LARGEST ANSWER", right=True, show="{:.3g}".format),
    Column("agreement", "SAME FIRST LABEL", right=True, show="{:.1%}".format),
)


def show_plan(output: Output, plan: GrowthPlan) -> None:
    """Print a plan as the answer to ``--dry-run``."""
    from zoo_cli.documents.building import GrowingPlan

    text = "\n".join(plan_lines(plan))
    output.value(GrowingPlan(**msgspec.structs.asdict(plan)), text, ids=[plan.model])
    _remark(output, plan)
    output.note("Nothing was fetched or written. Remove --dry-run to start.")


def announce_plan(output: Output, plan: GrowthPlan) -> None:
    """Say the plan before the work."""
    for line in plan_lines(plan):
        output.note(line)
    _remark(output, plan)


def plan_lines(plan: GrowthPlan) -> list[str]:
    """Put a plan into words, one aspect a line."""
    return [f"{name:<{_LABEL}}{text}" for name, text in _aspects(plan) if text]


def conclude(output: Output, report: GrowthReport) -> int:
    """Print the proof, say what was written and what to type next; give the exit code."""
    rows = [
        {**msgspec.to_builtins(each), "allowed": each.tolerance * each.scale}
        for each in report.proof
    ]
    output.rows(_COLUMNS, rows, document=report)
    for note in report.notes:
        output.note(note)
    exact = all(each.passed for each in report.proof)
    if not exact:
        output.warn("it does not compute the same function as the checkpoint it was grown from.")
    noise = report.proof[0].samples - report.real
    compared = f"compared on {noise} inputs of noise"
    compared += f" and {report.real} real ones" if report.real else ""
    seconds = sum(report.seconds.values())
    facts = [
        size_text(report.bytes),
        f"{parameters_text(report.plan.after.parameters)} parameters",
        compared,
        f"{seconds:.1f} s",
    ]
    output.success(f"Wrote {report.folder}: {', '.join(facts)}")
    place = place_of(report.folder)
    output.hint(f"zoo finetune {place} --data LABELLED -o OUT | zoo recommend DATA -m {place}")
    return ExitCode.DONE


def _aspects(plan: GrowthPlan) -> Iterator[tuple[str, str]]:
    yield "model", f"{plan.model} ({plan.family}, {plan.license or 'no licence named'})"
    for number, step in enumerate(plan.steps):
        sure = f"{step.how} (exact)" if step.exact else f"not exact: {step.reason}"
        sizes = f"{count_text(step.old)} -> {count_text(step.new)}"
        yield "" if number else "grows", f"{step.what}: {sizes}, {sure}"
    before, after = plan.before, plan.after
    yield "size", f"{_size(before)} -> {_size(after)}"
    if before.flops and after.flops:
        ratio = after.flops / before.flops
        yield "work", f"{before.flops:.3g} -> {after.flops:.3g} FLOPs an input ({ratio:.2g}x)"
    yield "method", f"{plan.method}, seed {plan.seed}"
    kept = "the same function" if plan.exact else "another function"
    yield "result", f"{kept}; compared in {' and '.join(plan.proof)} before anything is written"
    download = f"{size_text(plan.download)} to download, " if plan.download else ""
    yield "cost", f"{download}{size_text(plan.memory)} of memory"
    yield "folder", plan.folder


def _size(size: NetworkSize) -> str:
    return f"{parameters_text(size.parameters)} parameters ({size_text(size.bytes)})"


def _remark(output: Output, plan: GrowthPlan) -> None:
    for note in plan.notes:
        output.note(note)
    if not plan.exact:
        output.warn("the larger network will not compute the same function.")
    if plan.free is not None and plan.memory > plan.free:
        output.warn(f"that is more memory than the {size_text(plan.free)} that are free.")
