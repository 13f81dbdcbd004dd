"""The losses of a training as a picture and as a few numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.building.card import LossLine
from zoo.files import replacing
from zoo.training.journal import read_journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

#: Wong's palette, which people who see fewer colours can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_INK, _GRID, _MUTED = "#24292f", "#e4e7eb", "#6e7781"
#: A log axis where a loss falls or rises by so much.
_WIDE = 8.0
_POINTS = 400
_TENTH = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Journal:
    """The lines of ``training.jsonl``, column by column.

    Attributes:
        steps: (N,) optimiser steps.
        losses: name, such as ``student.mmd`` -> (N,) float64, NaN where a line lacks it.
        rates: group of parameters -> (N,) learning rates.
    """

    steps: npt.NDArray[np.float64]
    losses: Mapping[str, npt.NDArray[np.float64]]
    rates: Mapping[str, npt.NDArray[np.float64]]


def read(path: Path) -> Journal:
    """Read a journal: every loss as a person should see it."""
    lines = read_journal(path)
    return Journal(
        steps=np.array([line.step for line in lines], dtype=np.float64),
        losses=_columns([line.visible() for line in lines]),
        rates=_columns([line.rates for line in lines]),
    )


def loss_lines(journal: Journal, weights: Mapping[str, float]) -> tuple[LossLine, ...]:
    """Sum up each loss: the mean of its first and of its last tenth.

    Args:
        journal: of the whole training.
        weights: name, such as ``student.mmd`` -> weight.
    """
    found = []
    for name, values in journal.losses.items():
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        part = max(1, len(known) // _TENTH)
        found.append(
            LossLine(
                name=name,
                first=float(known[:part].mean()),
                last=float(known[-part:].mean()),
                weight=weights.get(name),
            )
        )
    return tuple(found)


def draw(journal: Journal, path: Path, *, warmup: float = 0.0, title: str = "") -> None:
    """Draw one panel a loss and one for the learning rates, as PNG, whole or not at all.

    Args:
        journal: with at least one loss.
        path: the file.
        warmup: share of the steps over which the weights of a method's losses rise.
        title: above everything.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = panels_of(journal)
    count = len(panels) + bool(journal.rates)
    wide = 2 if count == 4 else min(3, count)
    tall = -(-count // wide)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(1.2 + 3.6 * wide, 0.9 + 2.5 * tall), layout="constrained", dpi=120)
        FigureCanvasAgg(figure)
        axes = list(figure.subplots(tall, wide, squeeze=False).ravel())
        colours = _colours_of(journal)
        for panel, (name, series) in zip(axes, panels.items(), strict=False):
            _draw_losses(panel, name, journal, series, colours)
        if journal.rates:
            _draw_rates(axes[len(panels)], journal)
        for panel in axes[count:]:
            panel.set_visible(False)
        for panel in axes[:count]:
            _finish(panel, journal, warmup)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        _legend(figure, colours)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})


_STYLE = {
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}


def panels_of(journal: Journal) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Loss -> learner -> values: what two learners have in common is compared in one panel."""
    panels: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
    for name, values in journal.losses.items():
        learner, _, loss = name.partition(".")
        panels.setdefault(loss, {})[learner] = values
    return panels


def _colours_of(journal: Journal) -> dict[str, str]:
    learners = dict.fromkeys(name.partition(".")[0] for name in journal.losses)
    return {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(learners)}


def _draw_losses(
    axes: Any,
    name: str,
    journal: Journal,
    series: Mapping[str, npt.NDArray[np.float64]],
    colours: Mapping[str, str],
) -> None:
    everything = []
    for learner, values in series.items():
        known = np.isfinite(values)
        steps, losses = journal.steps[known], values[known]
        if not len(losses):
            continue
        smooth = _smoothed(losses)
        shade = {"color": colours[learner], "linewidth": 0.6, "alpha": 0.25}
        if len(losses) > _TENTH:
            axes.plot(*_thinned(steps, losses), **shade)
        marker = "o" if len(losses) == 1 else ""
        axes.plot(
            *_thinned(steps, smooth),
            color=colours[learner],
            linewidth=1.6,
            marker=marker,
            label=learner or "loss",
        )
        everything.append(smooth)
    axes.set_title(name)
    axes.set_ylabel("loss")
    _scale(axes, everything)


def _draw_rates(axes: Any, journal: Journal) -> None:
    for number, (name, values) in enumerate(journal.rates.items()):
        style = ("-", "--", ":", "-.")[number % 4]
        known = np.isfinite(values)
        axes.plot(journal.steps[known], values[known], style, color=_INK, label=name, linewidth=1.3)
    axes.set_title("learning rate")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    axes.set_ylim(bottom=0)
    if len(journal.rates) > 1:
        axes.legend(frameon=False, fontsize=8, handlelength=2.5)


def _finish(axes: Any, journal: Journal, warmup: float) -> None:
    axes.set_xlabel("step")
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    last = float(journal.steps[-1])
    axes.set_xlim(0, max(last, 1.0))
    if warmup:
        axes.axvline(warmup * last, color=_MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
        axes.annotate(
            "warm-up ends",
            (warmup * last, 0.98),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            va="top",
            color=_MUTED,
            fontsize=7.5,
        )


def _legend(figure: Any, colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, linewidth=1.6) for colour in colours.values()]
    if len(handles) > 1:
        names = [name or "loss" for name in colours]
        figure.legend(
            handles, names, loc="outside upper right", ncols=len(names), frameon=False, fontsize=9
        )


def _scale(axes: Any, series: Sequence[npt.NDArray[np.float64]]) -> None:
    if not series:
        return
    low = min(float(values.min()) for values in series)
    high = max(float(values.max()) for values in series)
    if low > 0 and high / low > _WIDE:
        axes.set_yscale("log")


def _smoothed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Moving mean over about a fiftieth of the steps, without a lag at either end."""
    width = max(1, len(values) // 50) | 1
    if width == 1:
        return values
    padded = np.pad(values, width // 2, mode="edge")
    smooth: npt.NDArray[np.float64] = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    return smooth


def _thinned(
    steps: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Keep the picture small; the last point stays."""
    stride = max(1, math.ceil(len(steps) / _POINTS))
    chosen = np.unique(np.append(np.arange(0, len(steps), stride), len(steps) - 1))
    return steps[chosen], values[chosen]


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, npt.NDArray[np.float64]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}
