"""What the runs say together: means over seeds, differences to the baseline, and a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from amalgamating.summary import paired
from distilling.lessons import GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_NORMAL = 1.959963984540054
_HEADS = (
    "method",
    "accuracy",
    "less its baseline",
    "time of a step, kd = 1",
    "over bare",
    "passes: teacher, student",
    "kept beside the student",
    "peak of a step",
)


def difference(mine: str, other: str) -> dict[str, float]:
    """Compare two students on the same images: by how much one is right more often, at 95 %.

    Args:
        mine: a character an image, 1 where it is right.
        other: that of the other student.
    """
    values = np.asarray(list(mine), dtype=int) - np.asarray(list(other), dtype=int)
    half = _NORMAL * float(values.std()) / len(values) ** 0.5
    mean = float(values.mean())
    return {"value": mean, "low": mean - half, "high": mean + half}


def summarise(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put the seeds together: a row a student and method."""
    rows = []
    for student in dict.fromkeys(run["student"] for run in runs):
        for name, group in GROUPS.items():
            mine = [r for r in runs if (r["student"], r["group"]) == (student, name)]
            for method in group.methods if mine else ():
                row = _row([run["right"] for run in mine], method, group.baseline(method))
                rows.append({"student": student, "group": name, "method": method, **row})
    return rows


def _row(answers: Sequence[Mapping[str, str]], method: str, baseline: str) -> dict[str, Any]:
    if any(method not in each for each in answers):
        return {}
    values = [each[method].count("1") / len(each[method]) for each in answers]
    row: dict[str, Any] = {
        "mean": float(np.mean(values)),
        "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "seeds": len(values),
    }
    if method != baseline:
        row["difference"] = paired([difference(each[method], each[baseline]) for each in answers])
    return row


def tables(results: Mapping[str, Any]) -> str:
    """Give a table a student."""
    parts = []
    for student in dict.fromkeys(row["student"] for row in results["summary"]):
        rows = [row for row in results["summary"] if row["student"] == student]
        costs = results["costs"].get(student, {})
        parts += [f"### MobileNetV1 → {student}", ""]
        parts += [f"| {' | '.join(_HEADS)} |", "|---|" + "--:|" * (len(_HEADS) - 1)]
        for alias, share in results["teachers"].items():
            parts.append(f"| *{alias}* | {100 * share:.1f} |" + " - |" * (len(_HEADS) - 2))
        parts += [_line(row, costs.get(row["method"])) for row in rows]
        bare = ", ".join(f"{name} {value:.1f} ms" for name, value in _steps(rows, costs))
        parts += ["", f"A step of the baselines: {bare}.", ""]
    return "\n".join(parts)


def _steps(rows: Sequence[Mapping[str, Any]], costs: Mapping[str, Any]) -> list[tuple[str, float]]:
    names = dict.fromkeys(next(iter(GROUPS[row["group"]].methods)) for row in rows)
    return [(name, costs[name]["milliseconds"]) for name in names if name in costs]


def _line(row: Mapping[str, Any], cost: Mapping[str, Any] | None) -> str:
    if "mean" not in row:
        return f"| {row['method']} |" + " - |" * (len(_HEADS) - 1)
    spread = "" if row["deviation"] is None else f" ± {100 * row['deviation']:.1f}"
    cells = [row["method"], f"{100 * row['mean']:.1f}{spread}", _points(row.get("difference"))]
    if cost is None:
        cells += ["-"] * 5
    else:
        passes = ", ".join(f"{each:g}" for each in cost["passes"])
        cells += [f"{cost['times']:.2f}", f"{100 * cost['overhead']:+.0f} %", passes]
        cells += [_megabytes(cost["kept"]), _megabytes(cost["peak"])]
    return f"| {' | '.join(cells)} |"


def _points(each: Mapping[str, float] | None) -> str:
    if each is None:
        return ""
    value, low, high = (100 * each[name] for name in ("value", "low", "high"))
    text = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def write(results: Mapping[str, Any], path: Path) -> None:
    """Write the numbers, and the table beside them."""
    runs = [{**run, "right": _counted(run["right"])} for run in results["runs"]]
    path.write_text(json.dumps({**results, "runs": runs}, indent=1) + "\n")
    text = tables(results)
    path.with_suffix(".md").write_text(text)
    print(text)


def _counted(answers: Mapping[str, str]) -> dict[str, int]:
    return {name: each.count("1") for name, each in answers.items()}
