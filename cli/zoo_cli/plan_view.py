"""What ``--dry-run`` prints: who would take part, what would be fetched, how long it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo_cli.output import Column, Output

if TYPE_CHECKING:
    from zoo.plan import Plan


def show_plan(output: Output, plan: Plan) -> None:
    """Print a plan; one line each for what is left out and what failed."""
    columns = [
        Column("model"),
        Column("parameters", right=True, show=count, priority=2),
        Column("bytes", title="SIZE", right=True, show=size, priority=1),
        Column("download", right=True, show=size),
        Column("seconds", title="ABOUT", right=True, show=duration),
        Column("license", title="LICENCE", priority=3, flexible=True),
    ]
    rows = [
        {
            "model": each.candidate.model,
            "parameters": each.candidate.entry.parameters,
            "bytes": each.candidate.entry.bytes,
            "download": each.download,
            "seconds": each.seconds,
            "license": each.candidate.entry.license,
        }
        for each in plan.models
    ]
    document = {
        "schema_version": 1,
        "dry_run": True,
        **msgspec.to_builtins(plan),
        "models": rows,
        "download": plan.download,
        "seconds": plan.seconds,
    }
    probe = plan.probe
    classes = f", {probe.classes} classes" if probe.classes else ""
    output.note(
        f"{probe.source}: {probe.task}{classes}, using {probe.samples} of {probe.rows} rows"
    )
    for note in probe.notes:
        output.note(f"  {note}")
    output.rows(columns, rows, document=document)
    for left in plan.excluded:
        output.note(f"left out: {left.model}: {left.reason}")
    for failure in plan.failures:
        output.warn(str(failure))
        output.hint(failure.hint)
    output.note(
        f"{len(plan.models)} models, {size(plan.download)} to download, forward passes about "
        f"{duration(plan.seconds)} with {plan.jobs} workers on {plan.device} (from parameter "
        "counts: within a factor of 3). Nothing was run."
    )


def count(number: float) -> str:
    """86 M."""
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{number / 1e3:.0f} k"


def size(number: float) -> str:
    """344 MB."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def duration(seconds: float) -> str:
    """18 s, 14 min."""
    if seconds < 1:
        return "< 1 s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
