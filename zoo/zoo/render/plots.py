"""The plots of a ranking."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zoo.render.drawing import ACCENT as _ACCENT
from zoo.render.drawing import LINE as _LINE
from zoo.render.drawing import MUTED as _MUTED
from zoo.render.drawing import PAPER as _PAPER
from zoo.render.drawing import figure_of as _figure
from zoo.render.drawing import style as _style
from zoo.render.drawing import svg as _svg
from zoo.render.words import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.ranking import Ranking, RankingRow

_MOST_ROWS = 40
_MOST_PANELS = 12
_PANELS_WIDE = 3


def interval_plot(ranking: Ranking) -> str:
    """Score and 95 % interval of each model, best on top; hollow marks are ties with the first."""
    rows = ranking.ranking[:_MOST_ROWS]
    with _style():
        figure = _figure(8.0, 0.75 + 0.27 * len(rows))
        axes = figure.subplots()
        for index, row in enumerate(rows):
            _interval(axes, index, row, first=rows[0])
        axes.set_yticks(range(len(rows)), [f"{short(row.model)}  {row.rank}" for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("score: expected share of the other models that it beats")
        axes.grid(axis="x", color=_LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        title = "Score and 95 % interval of each model"
        return _svg(figure, "intervals", title, _described(rows))


def layer_plot(ranking: Ranking) -> str:
    """One panel a model: the score of each layer, and the one that was chosen."""
    rows = [row for row in ranking.ranking if len(row.layers) > 1][:_MOST_PANELS]
    if not rows:
        return ""
    wide = min(_PANELS_WIDE, len(rows))
    tall = -(-len(rows) // wide)
    with _style():
        figure = _figure(8.0, 0.3 + 1.75 * tall)
        panels = figure.subplots(tall, wide, sharey=True, squeeze=False).ravel()
        for axes, row in zip(panels, rows, strict=False):
            _panel(axes, row)
        for axes in panels[len(rows) :]:
            axes.set_visible(False)
        for axes in panels[::wide]:
            axes.set_ylabel("score")
        chosen = "; ".join(f"{short(row.model)}: best layer {row.layer}" for row in rows)
        return _svg(figure, "layers", "Score of each layer, model by model", chosen)


def _interval(axes: Any, index: int, row: RankingRow, *, first: RankingRow) -> None:
    leading = row is first
    tied = row.model in first.tied_with
    color = _ACCENT if leading or tied else _MUTED
    axes.plot(row.interval, (index, index), color=color, linewidth=2, solid_capstyle="butt")
    axes.plot(
        row.score,
        index,
        "o" if leading or tied else "s",
        color=color,
        markerfacecolor=_PAPER if tied else color,
        markersize=6,
        markeredgewidth=1.5,
    )


def _panel(axes: Any, row: RankingRow) -> None:
    scores = [each.score for each in row.layers]
    names = [each.layer for each in row.layers]
    axes.plot(range(len(scores)), scores, color=_MUTED, linewidth=1.5, marker=".", markersize=5)
    if row.layer in names:
        best = names.index(row.layer)
        axes.plot(best, scores[best], "o", color=_ACCENT, markersize=7)
        right = best > len(names) / 2
        axes.annotate(
            row.layer,
            (best, scores[best]),
            xytext=(-7 if right else 7, 4),
            textcoords="offset points",
            ha="right" if right else "left",
            color=_ACCENT,
        )
    axes.set_title(f"{row.rank}  {_fitting(short(row.model))}", loc="left", fontsize=9)
    axes.set_xticks((0, len(names) - 1), ("first", "last"))
    axes.margins(x=0.08, y=0.25)
    axes.grid(axis="y", color=_LINE, linewidth=0.6)


def _fitting(model: str, width: int = 28) -> str:
    """Leave out where a model comes from, then its beginning, when the whole name is too long."""
    name = model if len(model) <= width else re.split(r"[/:]", model)[-1]
    return name if len(name) <= width else "\u2026" + name[1 - width :]


def _described(rows: Sequence[RankingRow]) -> str:
    """Say in words what the interval plot shows."""
    return "; ".join(
        f"{row.rank}. {short(row.model)}: {row.score:.2f}, "
        f"interval {row.interval[0]:.2f} to {row.interval[1]:.2f}"
        for row in rows
    )
