"""What the runs say together: steps and FLOPs until an accuracy is reached, and tables of it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SMALL, SCRATCH = "small", "scratch"
_HEADS = (
    "network",
    "peak rate",
    "steps",
    "accuracy at step 0",
    "final accuracy",
    "steps to the small network's accuracy",
    "times fewer than scratch",
    "FLOPs",
    "with the small network's",
    "steps to scratch's final accuracy",
    "FLOPs",
    "with the small network's",
)
_COSTS = (
    "checkpoint",
    "parameters",
    "load",
    "save",
    "save the larger",
    "grow",
    "over load + save",
    "over load + save the larger",
    "peak memory over both networks",
    "tensors while growing",
)


def reached(run: Mapping[str, Any], accuracy: float) -> int | None:
    """Give the first step after 0 at which a network was judged this good; None: never."""
    pairs = zip(run["at"], run["accuracy"], strict=True)
    return next((at for at, found in pairs if at and found >= accuracy), None)


def summarise(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put the seeds together: a row a task and arm."""
    rows = []
    for task in dict.fromkeys(run["task"] for run in runs):
        mine = [run for run in runs if run["task"] == task]
        known = {(run["arm"], run["seed"]): run for run in mine}
        for arm in dict.fromkeys(run["arm"] for run in mine):
            seeds = [
                run["seed"] for run in mine if run["arm"] == arm and (SMALL, run["seed"]) in known
            ]
            if seeds:
                rows.append({"task": task, "arm": arm, **_row(known, arm, seeds)})
    return rows


def _row(
    known: Mapping[tuple[str, int], Mapping[str, Any]], arm: str, seeds: Sequence[int]
) -> dict[str, Any]:
    own = [known[arm, seed] for seed in seeds]
    small = [known[SMALL, seed] for seed in seeds]
    scratch = [known.get((SCRATCH, seed)) for seed in seeds]
    before = [0 if arm == SMALL or _alone(arm) else _spent(each) for each in small]
    row: dict[str, Any] = {
        "seeds": list(seeds),
        "parameters": own[0]["parameters"],
        "flops": own[0]["flops"],
        "rate": own[0]["rate"],
        "steps": own[0]["at"][-1],
        "start": [run["accuracy"][0] for run in own],
        "final": [run["accuracy"][-1] for run in own],
        "difference": [run["difference"] for run in own],
        "to small": [
            reached(run, each["accuracy"][-1]) for run, each in zip(own, small, strict=True)
        ],
        "to scratch": [
            reached(run, each["accuracy"][-1]) if each else None
            for run, each in zip(own, scratch, strict=True)
        ],
        "before": before,
    }
    return row


def _alone(arm: str) -> bool:
    return arm.startswith(SCRATCH)


def _spent(run: Mapping[str, Any]) -> int:
    return int(run["flops"] * run["at"][-1])


def middle(steps: Sequence[int | None]) -> float | None:
    """Give the median, where never is later than all; None where it is never."""
    found = statistics.median_high([float("inf") if each is None else each for each in steps])
    return None if found == float("inf") else found


def tables(results: Mapping[str, Any]) -> str:
    """Give a table a task, and one of what growing costs."""
    parts: list[str] = []
    for task in dict.fromkeys(row["task"] for row in results.get("summary", ())):
        rows = [row for row in results["summary"] if row["task"] == task]
        parts += [f"### {results['titles'].get(task, task)}", "", *_table(rows), ""]
    if results.get("costs"):
        parts += ["### What growing costs", "", *_costs(results["costs"]), ""]
    return "\n".join(parts).rstrip()


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"| {' | '.join(_HEADS)} |", "|---|" + "--:|" * (len(_HEADS) - 1)]
    scratch = next((middle(row["to small"]) for row in rows if row["arm"] == SCRATCH), None)
    lines += [_line(row, scratch) for row in rows]
    sizes = {row["arm"]: row for row in rows}
    larger = next((row for row in rows if row["arm"] != SMALL), rows[0])
    said = [
        f"{name} {row['parameters']:,} parameters, {_flops(row['flops'])}FLOPs a step"
        for name, row in (("Small:", sizes.get(SMALL, rows[0])), ("larger:", larger))
    ]
    lines += ["", "; ".join(said) + "."]
    differences = [each for row in rows for each in row["difference"] if each is not None]
    if differences:
        lines += [
            "",
            f"Largest max abs difference of a logit at the start: {max(differences):.1e}.",
        ]
    return lines


def _line(row: Mapping[str, Any], scratch: float | None) -> str:
    cells = [row["arm"] if row["arm"] != SMALL else "*small*", f"{row['rate']:g}"]
    cells += [str(row["steps"]), _spread(row["start"]), _spread(row["final"])]
    for what in ("to small", "to scratch"):
        steps = row[what]
        half = middle(steps)
        if row["arm"] == SMALL and what == "to small":
            cells += ["-"] * 4
            continue
        cells.append("-" if half is None else f"{half:g} [{_listed(steps)}]")
        if what == "to small":
            cells.append(f"{scratch / half:.1f}" if scratch and half else "-")
        own = None if half is None else half * row["flops"]
        cells.append("-" if own is None else _flops(own))
        cells.append("-" if own is None else _flops(own + statistics.median(row["before"])))
    return f"| {' | '.join(cells)} |"


def _listed(steps: Sequence[int | None]) -> str:
    return ", ".join("never" if each is None else str(each) for each in steps)


def _spread(values: Sequence[float]) -> str:
    mean = f"{100 * statistics.mean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _flops(count: float) -> str:
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:g} "


def _costs(costs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"| {' | '.join(_COSTS)} |", "|---|" + "--:|" * (len(_COSTS) - 1)]
    for each in costs:
        if "why" in each:
            lines.append(f"| {each['name']} | {each['why']} |" + " |" * (len(_COSTS) - 2))
            continue
        took = each["seconds"]
        cells = [f"{each['name']} ({each['growth']})"]
        cells.append(f"{_millions(each['parameters'])} → {_millions(each['larger'])}")
        cells += [f"{took[name]:.2f} s" for name in ("load", "save", "save larger", "grow")]
        cells += [f"{each['times']:.1f}", f"{each['times larger']:.1f}"]
        cells.append(f"{each['peak']:.2f}" if each["peak"] else "-")
        cells.append(f"{each['tensors']:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f}M"


def of(path: str | Path) -> str:
    """Give the tables of a file of results, for the documentation."""
    return tables(json.loads(Path(path).read_text()))
