"""What the runs say together: means over seeds with intervals, as numbers and as a table."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_NORMAL = 1.959963984540054
#: 97.5 % points of Student's t by degrees of freedom.
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
_WHO = {"student": "CFL", "kd": "KD"}
_ORDER = ("teacher", "ensemble", "kd", "student")
_SHORT = {
    "joint accuracy": "joint",
    "accuracy inside the blocks": "inside",
    "agreement with the ensemble": "agreement",
    "accuracy on its own task": "own task",
}


def interval(values: Sequence[float], samples: int) -> dict[str, float]:
    """Give the mean over seeds, with a 95 % interval over test samples and seeds.

    The half-widths of both, binomial over the samples and Student's t over the seeds, are added in
    quadrature; with one seed only the samples count.

    Args:
        values: a share each seed.
        samples: test images behind each.
    """
    mean = float(np.mean(values))
    half = _NORMAL**2 * mean * (1 - mean) / samples
    return _around(mean, math.sqrt(half + _over_seeds(values) ** 2), len(values))


def paired(differences: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Give the mean difference of two students over seeds, with its 95 % interval.

    Args:
        differences: of each seed, with its own paired interval over the test samples.
    """
    values = [each["value"] for each in differences]
    over_samples = float(np.mean([(each["high"] - each["low"]) / 2 for each in differences]))
    half = math.hypot(over_samples, _over_seeds(values))
    return _around(float(np.mean(values)), half, len(values))


def _over_seeds(values: Sequence[float]) -> float:
    count = len(values)
    if count < 2:
        return 0.0
    quantile = _T.get(count - 1, _NORMAL)
    return quantile * float(np.std(values, ddof=1)) / math.sqrt(count)


def _around(mean: float, half: float, seeds: int) -> dict[str, float]:
    return {"value": mean, "low": mean - half, "high": mean + half, "seeds": seeds}


def summarise(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put the seeds of every setting together: a row a model."""
    groups: dict[tuple[int, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for run in runs:
        groups[run["teachers"], run["preset"], run["targets"]].append(run)
    rows: list[dict[str, Any]] = []
    for (teachers, preset, targets), group in groups.items():
        shared = {"teachers": teachers, "preset": preset, "targets": targets}
        first = group[0]["metrics"]
        asked = {"ensemble": first["ensemble"]} | {
            f"teacher {alias}": each for alias, each in first["teachers"].items()
        }
        rows += [{**shared, "who": who, **_judged([each])} for who, each in asked.items()]
        for who in _WHO:
            judged = _judged([run["metrics"][who] for run in group])
            rows.append({**shared, "who": who, **judged})
        rows[-2] |= {"differences": _differences(group)}
        rows[-2] |= {"seconds": float(np.mean([run["seconds"] for run in group]))}
    return rows


def _judged(judgements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("joint", "inside", "agreement"):
        shares = [each[name] for each in judgements if name in each]
        if shares:
            values = [each["value"] for each in shares]
            found[name] = interval(values, shares[0]["samples"])
    tasks = judgements[0].get("tasks", {})
    found["tasks"] = {
        alias: interval([each["tasks"][alias]["value"] for each in judgements], task["samples"])
        for alias, task in tasks.items()
    }
    return found


def _differences(group: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Pair the published student with everybody it was compared with."""
    found = defaultdict(list)
    for run in group:
        for each in run["metrics"]["differences"]:
            found[each["against"], each["of"]].append(each)
    return [{"against": who, "of": what, **paired(each)} for (who, what), each in found.items()]


def write(results: Mapping[str, Any], path: Path) -> None:
    """Write the numbers, and the table beside them."""
    path.write_text(json.dumps(results, indent=1) + "\n")
    text = tables(results["summary"])
    path.with_suffix(".md").write_text(text)
    print(text)


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Give a table a number of teachers, and the differences below it."""
    parts = []
    for count in sorted({row["teachers"] for row in rows}):
        mine = [row for row in rows if row["teachers"] == count]
        aliases = list(next(row for row in mine if row["who"] == "ensemble")["tasks"])
        parts += [*_accuracies(mine, aliases), "", *_compared(mine), ""]
    return "\n".join(parts)


def _accuracies(rows: Sequence[Mapping[str, Any]], aliases: Sequence[str]) -> list[str]:
    lines = [
        "| model | targets | joint | inside the blocks | " + " | ".join(aliases) + " |",
        "|---|---|---|---|" + "---|" * len(aliases),
    ]
    seen = set()
    for row in sorted(rows, key=lambda each: _ORDER.index(each["who"].partition(" ")[0])):
        teacher = row["who"].startswith("teacher")
        name = _WHO.get(row["who"], row["who"])
        name += " (preset paper)" if row["preset"] == "paper" and row["who"] in _WHO else ""
        cells = [name, "" if teacher else row["targets"]]
        if tuple(cells) in seen:  # the teachers are the same in every setting
            continue
        seen.add(tuple(cells))
        cells += [_cell(row.get("joint")), _cell(row.get("inside"))]
        cells += [_cell(row["tasks"].get(alias)) for alias in aliases]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _compared(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say by how many points CFL is above the others, with the interval."""
    compared = [row for row in rows if row.get("differences")]
    heads = dict.fromkeys(
        (each["against"], each["of"]) for row in compared for each in row["differences"]
    )
    lines = [
        "| CFL less | " + " | ".join(f"{who}: {_SHORT.get(of, of)}" for who, of in heads) + " |",
        "|---|" + "--:|" * len(heads),
    ]
    for row in compared:
        found = {(each["against"], each["of"]): each for each in row["differences"]}
        kind = row["targets"] + (" (preset paper)" if row["preset"] == "paper" else "")
        cells = [_points(found.get(head)) for head in heads]
        lines.append("| " + " | ".join([kind, *cells]) + " |")
    return lines


def _points(each: Mapping[str, float] | None) -> str:
    if each is None:
        return "-"
    value, low, high = (100 * each[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def _cell(share: Mapping[str, float] | None) -> str:
    if share is None:
        return "-"
    half = (share["high"] - share["low"]) / 2
    return f"{100 * share['value']:.1f} ± {100 * half:.1f}"
