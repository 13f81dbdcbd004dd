"""Accuracy against steps and against FLOPs, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from growing.table import SMALL
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_COLOURS = {
    "grown": "#0072b2",
    "grown, rate / 10": "#56b4e9",
    "grown, a third of the steps": "#0072b2",
    "padded": "#e69f00",
    "scratch": "#d55e00",
    "scratch, a third of the steps": "#d55e00",
    "scratch, total compute": "#cc79a7",
}
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw two panels a task: means over the seeds, and the range of them."""
    tasks = list(dict.fromkeys(run["task"] for run in results["runs"]))
    with mpl.rc_context(_STYLE):
        size = (9.5, 0.7 + 2.9 * len(tasks))
        figure = Figure(figsize=size, layout="constrained", dpi=120)
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(tasks), 2, squeeze=False)
        for (left, right), task in zip(panels, tasks, strict=True):
            runs = [run for run in results["runs"] if run["task"] == task]
            _task(left, right, runs)
            left.set_title(results["titles"].get(task, task))
            right.set_title("the small network's FLOPs included")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, format="png", metadata={"Software": None})


def _task(left: Any, right: Any, runs: Sequence[Mapping[str, Any]]) -> None:
    small = [run for run in runs if run["arm"] == SMALL]
    accuracy = 100 * float(np.mean([run["accuracy"][-1] for run in small]))
    before = small[0]["flops"] * small[0]["at"][-1]
    for panel in (left, right):
        panel.axhline(accuracy, color="#777777", linewidth=0.8, linestyle=":", label="small, final")
        panel.set_ylabel("accuracy, %")
    for arm, colour in _COLOURS.items():
        mine = [run for run in runs if run["arm"] == arm]
        if not mine:
            continue
        curves = 100 * np.asarray([run["accuracy"] for run in mine])
        at = np.asarray(mine[0]["at"])
        spent = at * mine[0]["flops"] + (0 if arm.startswith("scratch") else before)
        line = "--" if "third" in arm else "-"
        for panel, where in ((left, at), (right, spent / 1e9)):
            panel.plot(where, curves.mean(0), line, color=colour, linewidth=1.3, label=arm)
            panel.fill_between(where, curves.min(0), curves.max(0), color=colour, alpha=0.12, lw=0)
    left.set_xlabel("steps")
    right.set_xlabel("GFLOPs")
