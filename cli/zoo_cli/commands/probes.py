"""``zoo probes``: what Zoo understands of a person's data, before an hour is spent on it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import ExitCode
from zoo.render.quantities import count_text
from zoo_cli import options
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.data_options import data_options
from zoo_cli.output import Column

if TYPE_CHECKING:
    from zoo.types import Probe, ProbeOptions
    from zoo_cli.context import Context
    from zoo_cli.documents.measuring import ShownProbe, ShownTargets

probes = noun_group("probes", "Show what Zoo understands of your data.")

_EXAMPLES = 5
_EXCERPT = 10
_WIDTH = 76
_COUNTED = {"classification": "classes", "multi-label": "labels", "text": "distinct texts"}


@zoo_command(
    "show",
    parent=probes,
    examples=(
        "zoo probes show photos/",
        "zoo probes show reviews.csv --label stars --task regression",
        "zoo probes show questions.jsonl --task classification",
        "zoo probes show hub:org/name:config --split validation --json",
    ),
)
@click.argument("data")
@data_options
@options.limit
def show(context: Context, *, data: str, probe: ProbeOptions, limit: int | None) -> int:
    """Show task, columns, classes, split, sample and examples of DATA, as Zoo reads it."""
    from zoo.probes import load

    loaded = load(data, probe, context.catalogue)
    rows = _counts(loaded)
    examples = _examples(loaded)
    few = limit
    if loaded.task == "text" and limit is None and not context.output.machine:
        few = _EXCERPT
    context.output.rows(
        _columns(loaded),
        rows[:few],
        document=_document(loaded, rows, examples),
        title=loaded.source if context.output.mode == "md" else _overview(loaded),
    )
    if few != limit and few and len(rows) > few:
        context.output.hint(f"{count_text(len(rows) - few)} more: --limit {len(rows)}")
    columns = (Column("label", flexible=True), Column("input", flexible=True))
    context.output.rows(columns, examples, document=None, title="\nExamples")
    return ExitCode.DONE


@zoo_command(
    "sample",
    parent=probes,
    examples=(
        "zoo probes sample photos/ -o probe.parquet",
        "zoo probes sample reviews.csv --probe-size 500 --seed 1 -o probe/",
    ),
)
@click.argument("data")
@data_options
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="A folder, or a .parquet file (.npz for features).",
)
@options.yes
def sample(context: Context, *, data: str, probe: ProbeOptions, target: Path, yes: bool) -> int:
    """Write the sample of DATA that Zoo would use to a file that Zoo reads back.

    The file gives the same fingerprint, and so the same features and scores, wherever it lies.
    """
    from zoo.probes import load, save
    from zoo_cli.documents.measuring import SavedProbe

    loaded = load(data, probe, context.catalogue)
    path = save(loaded, target, replace=yes)
    document = SavedProbe(path=str(path), samples=loaded.samples, fingerprint=loaded.fingerprint)
    context.output.value(document, str(path), ids=[str(path)])
    context.output.success(f"Wrote {count_text(loaded.samples)} samples.")
    every = " --probe-size 0" if loaded.samples > 1000 else ""
    context.output.hint(f"zoo recommend {shlex.quote(str(path))}{every}")
    return ExitCode.DONE


def _overview(probe: Probe) -> str:
    """What was understood, one line a fact."""
    kinds = {"image": "images", "text": "texts", "features": "features"}
    paired = probe.modality == "text" and probe.samples and not isinstance(probe.inputs[0], str)
    counted = [f"{len(probe.label_names)} {_COUNTED[probe.task]}"] if probe.task in _COUNTED else ()
    columns = ", ".join(f"{role}: {column}" for role, column in probe.columns.items())
    sample = f"{count_text(probe.samples)} of {count_text(probe.rows)} rows, seed {probe.seed}"
    facts = {
        "data": probe.source,
        "task": ", ".join([probe.task, *counted]),
        "inputs": "text pairs" if paired else kinds[probe.modality],
        "columns": columns,
        "split": probe.split or "",
        "sample": sample,
        "fingerprint": probe.fingerprint,
    }
    lines = [f"{name:<12} {fact}" for name, fact in facts.items() if fact]
    return "\n".join([*lines, *(f"{'note':<12} {note}" for note in probe.notes), ""])


def _columns(probe: Probe) -> tuple[Column, Column]:
    if probe.task == "regression":
        return Column("quantile"), Column("value", right=True, show="{:g}".format)
    samples = Column("samples", right=True, show=count_text)
    if probe.task == "text":
        return Column("text", "LABEL TEXT", flexible=True), samples
    return Column(
        "class", "LABEL" if probe.task == "multi-label" else "CLASS", flexible=True
    ), samples


def _counts(probe: Probe) -> list[dict[str, Any]]:
    """Samples a class, label or text, or the quantiles of each target."""
    import numpy as np

    if probe.task == "regression":
        targets = probe.labels.reshape(probe.samples, -1)
        points = {"smallest": 0.0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "largest": 1.0}
        several = len(probe.label_names) > 1
        return [
            {
                "quantile": f"{target}: {name}" if several else name,
                "value": float(np.quantile(targets[:, number], point)),
            }
            for number, target in enumerate(probe.label_names)
            for name, point in points.items()
        ]
    if probe.task == "multi-label":
        counts = probe.labels.sum(axis=0)
    else:
        counts = np.bincount(probe.labels, minlength=len(probe.label_names))
    names = zip(probe.label_names, counts.tolist(), strict=True)
    if probe.task == "text":
        often = sorted(names, key=lambda each: -each[1])
        return [{"text": text, "samples": int(count)} for text, count in often]
    return [{"class": name, "samples": int(count)} for name, count in names]


def _examples(probe: Probe) -> list[dict[str, str]]:
    """A few samples from one end of the probe to the other."""
    count = min(_EXAMPLES, probe.samples)
    rows = [number * (probe.samples - 1) // max(count - 1, 1) for number in range(count)]
    return [{"label": _label(probe, row), "input": _input(probe, row)} for row in rows]


def _label(probe: Probe, row: int) -> str:
    label: Any = probe.labels[row]
    if probe.task in {"classification", "text"}:
        return _cut(str(probe.label_names[label]), _WIDTH)
    if probe.task == "multi-label":
        names = zip(probe.label_names, label, strict=True)
        return ", ".join(name for name, mark in names if mark) or "none"
    return ", ".join(f"{float(value):g}" for value in label.reshape(-1))


def _input(probe: Probe, row: int) -> str:
    value = probe.inputs[row]
    if probe.modality == "image":
        return str(value.name)
    if probe.modality == "features":
        return _cut(", ".join(f"{float(number):.3g}" for number in value[:8]), _WIDTH)
    if isinstance(value, str):
        return _cut(value, _WIDTH)
    return " | ".join(_cut(each, _WIDTH // 2) for each in value)


def _cut(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _document(
    probe: Probe, rows: list[dict[str, Any]], examples: list[dict[str, str]]
) -> ShownProbe | ShownTargets:
    import msgspec

    from zoo.probes import summary
    from zoo_cli.documents.measuring import ProbeColumns, ShownProbe, ShownTargets

    understood = ProbeColumns(**msgspec.structs.asdict(summary(probe)), columns=dict(probe.columns))
    if probe.task == "regression":
        return ShownTargets(probe=understood, targets=tuple(rows), examples=tuple(examples))
    return ShownProbe(probe=understood, labels=tuple(rows), examples=tuple(examples))
