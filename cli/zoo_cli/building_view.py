"""What a command that makes a model shows: the plan before, the comparison after."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import ExitCode
from zoo.render.quantities import count_text, duration_text, parameters_text, size_text, some
from zoo.render.words import short
from zoo_cli.output import Column, Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.building.plan import Plan, PlannedNetwork, PlannedPair
    from zoo.types.built import BuiltModel
    from zoo_cli.context import Context

_LABEL = 14
_ALONE = {"joint": "accuracy"}
_SHOWN_LABELS = 5


def show_plan(output: Output, plan: Plan) -> None:
    """Print a plan as the answer to ``--dry-run``."""
    from zoo_cli.documents.building import BuildingPlan

    text = "\n".join(plan_lines(plan))
    output.value(BuildingPlan(**msgspec.structs.asdict(plan)), text, ids=[plan.method])
    _remark(output, plan)
    output.note("Nothing was fetched, trained or written. Remove --dry-run to start.")


def announce_plan(output: Output, plan: Plan) -> None:
    """Say the plan before the work."""
    for line in plan_lines(plan):
        output.note(line)
    _remark(output, plan)


def plan_lines(plan: Plan) -> list[str]:
    """Put a plan into words, one aspect a line."""
    networks = [*plan.teachers, *([plan.student] if plan.student else [])]
    cells = [_cells(each, teacher=each in plan.teachers) for each in networks]
    return [*_aligned(cells), *(f"{name:<{_LABEL}}{text}" for name, text in _aspects(plan) if text)]


def show_built(output: Output, built: BuiltModel) -> None:
    """Print the student beside everything that it is compared with, and what follows from it."""
    rows = [_row(name, values) for name, values in _models(built.metrics)]
    if not built.teachers:  # nobody's labels are joined
        rows = [{_ALONE.get(name, name): each for name, each in row.items()} for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in row if name != "model"))
    columns = [
        Column("model", key=True),
        *(Column(name, name.upper(), right=True, show="{:.3f}".format) for name in names),
    ]
    whole = [{"model": row["model"], **{name: row.get(name) for name in names}} for row in rows]
    if rows or output.machine:
        output.rows(columns, whole, document=built)
    for note in built.notes:
        output.note(note)


def conclude(output: Output, built: BuiltModel) -> int:
    """Say what was written and what to type next; give the exit code."""
    place = place_of(built.folder)
    if built.interrupted:
        steps = f"after {some(built.steps, 'step')}" if built.steps else "before the first step"
        output.warn(f"stopped {steps}; what was done is kept.")
        output.hint(resume_command(built.folder))
        return ExitCode.INTERRUPTED
    facts = [
        size_text(built.bytes),
        f"{parameters_text(built.parameters)} parameters" if built.parameters else "",
        some(len(built.labels), "label") if built.labels else "",
        duration_text(built.seconds),
        f"{size_text(built.peak_bytes)} of memory at most" if built.peak_bytes else "",
    ]
    output.success(f"Wrote {built.folder}: {', '.join(filter(None, facts))}")
    for failure in built.failures:
        output.warn(failure)
    if built.parameters:
        use = f"zoo predict {place} DATA" if built.labels else f"zoo recommend DATA -m {place}"
        output.hint(f"{use} | zoo registry add {place} --registry FILE")
    return ExitCode.PARTIAL if built.failures else ExitCode.DONE


@contextmanager
def resumable(context: Context, folder: str) -> Iterator[None]:
    """Where the block is interrupted with something to go on from, say how to."""
    try:
        yield
    except KeyboardInterrupt:
        from zoo.building.place import TRAINING

        place = Path(folder).expanduser()
        if (place / TRAINING).is_dir():
            context.invocation.resume = resume_command(folder)
        elif not (place / "config.json").exists():
            context.invocation.parting = "nothing had been made yet, and nothing is left."
        raise


def resume_command(folder: str) -> str:
    """Say how to go on with a folder."""
    return f"zoo resume {shlex.quote(folder)}"


def place_of(folder: str) -> str:
    """Write a folder so that it is taken for one everywhere."""
    return shlex.quote(folder if folder.startswith((".", "/", "~")) else f"./{folder}")


def _aspects(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "labels", plan.labels + _shared(plan.shared)
    held = f", {count_text(plan.held_out)} of them held out for judging" if plan.held_out else ""
    yield "data", plan.data and f"{plan.data}{held}"
    yield "evaluation", plan.evaluation
    yield "head", plan.head
    yield "method", _method(plan)
    yield from _pairing(plan)
    beside = f"{parameters_text(plan.extras)} {_BESIDE}"
    if plan.command == "amalgamate":
        yield "compared on", plan.grid and f"{plan.grid}, {beside}"
    else:
        yield "beside it", beside if plan.extras else ""
    weights = ", ".join(f"{name} {weight:g}" for name, weight in plan.weights.items())
    yield "losses", weights
    if plan.steps:
        epochs = f"{plan.epochs:g} epoch{'s' * (plan.epochs != 1)}"
        course = f"{some(plan.steps, 'step')} of {plan.batch}, {epochs}"
        yield "training", f"{course} ({plan.preset}) on {plan.device}"
    yield "teachers say", plan.cache
    yield (
        "baseline",
        f"soft targets{' and labels' * ('labels' in plan.weights)} alone, trained beside it "
        "(--no-compare leaves it out)"
        if plan.compare
        else "",
    )
    yield "cost", _cost(plan)
    yield "folder", plan.folder


def _method(plan: Plan) -> str:
    said = f"{plan.method}: {plan.why}"
    if not plan.targets:
        return said
    distilled = plan.command == "distill"
    targets = f"temperature {plan.temperature:g}" if distilled else f"targets {plan.targets}"
    return f"{said}; {targets}"


def _pairing(plan: Plan) -> Iterator[tuple[str, str]]:
    """Tabulate where every method looks; one depth of an amalgamation stands with the networks."""
    if len(plan.pairing) < 1 + (plan.command == "amalgamate"):
        return
    many = len(plan.teachers) > 1
    rows = [
        (each.method, f"{each.student} {each.student_shape}", _met(each, named=many))
        for each in plan.pairing
    ]
    head, *lines = _aligned([("METHOD", "STUDENT", "TEACHERS" if many else "TEACHER"), *rows])
    yield "stages", head
    yield from (("", line) for line in lines)


def _met(pair: PlannedPair, *, named: bool) -> str:
    met = zip(pair.aliases, pair.teachers, pair.teacher_shapes, strict=True)
    taps = (f"{f'{alias} ' * named}{tap} {shape}" for alias, tap, shape in met)
    return ", ".join(taps) or "(the student alone)"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


_BESIDE = "parameters trained beside the student and thrown away"


def _cost(plan: Plan) -> str:
    costs = plan.estimates
    parts = [
        f"{size_text(costs.download)} to download" if costs.download else "nothing to download",
        f"{size_text(costs.disk)} on disk" if costs.disk else "",
        f"{size_text(costs.memory)} of memory" if costs.memory else "",
        f"about {duration_text(costs.seconds)}" if costs.seconds else "",
    ]
    return ", ".join(filter(None, parts))


def _shared(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN_LABELS} more" if len(names) > _SHOWN_LABELS else ""
    return f" ({', '.join(names[:_SHOWN_LABELS])}{more})"


def _cells(network: PlannedNetwork, *, teacher: bool) -> tuple[str, ...]:
    shape = f"[{','.join(map(str, network.shape))}]" if network.shape else ""
    word = "classes" if teacher else "outputs"
    start = "" if teacher or network.initial == "pretrained" else " from random weights"
    return (
        f"teacher {network.alias}" if teacher else network.alias,
        f"{short(network.model)}{start}",
        parameters_text(network.parameters),
        f"{network.classes} {word}" if network.classes else "no head",
        f"{network.size}px" if network.size else "",
        f"{network.tap} {shape}".strip(),
        network.license or "no licence named",
    )


def _models(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every model that was judged, the student first."""
    for name in ("student", "start", "kd", "ensemble"):
        if metrics.get(name):
            yield name, metrics[name]
    for alias, values in metrics.get("teachers", {}).items():
        yield f"teacher {alias}", values


def _row(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a judgement: shares and numbers by a name that fits a column."""
    row: dict[str, Any] = {"model": name}
    for key, value in values.items():
        if isinstance(value, dict) and "value" in value:
            row[key] = value["value"]
        elif isinstance(value, dict):
            word = {"tasks": "task", "agreements": "agrees with"}.get(key, key)
            row |= {f"{word} {alias}": each["value"] for alias, each in value.items()}
        elif isinstance(value, int | float):
            row[key] = value
    return row


def _remark(output: Output, plan: Plan) -> None:
    for note in plan.notes:
        output.note(note)
    for warning in plan.warnings:
        output.warn(warning)
