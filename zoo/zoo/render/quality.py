"""What scores are worth beside measured results: tables, and a page with scatter plots."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.evaluation import MEASURES, STATIC
from zoo.render.columns import Column
from zoo.render.document import environment, grid, write_page
from zoo.render.drawing import ACCENT, LINE, MUTED, figure_of, style, svg
from zoo.render.words import last_part, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.evaluation import Evaluation, Missing, Points, Quality

_TITLES = {"weighted_tau": "TAU_W", "tau_b": "TAU_B"}
_PRIORITIES = {
    "weighted_tau": 0, "p": 2, "tau_b": 4, "pearson": 5,
    "rel@1": 6, "rel@3": 7, "regret@1": 1, "regret@3": 3,
}  # fmt: skip
#: What the columns mean, for people.
LEGEND = (
    ("tau_w", "Kendall's tau, mistakes at the top counting most: 1 is the same order, 0 is chance"),
    ("p", "how often shuffled results reach this tau_w"),
    ("tau_b", "Kendall's tau, every pair counting the same"),
    ("pearson", "linear correlation"),
    ("rel@k", "the best result among the k highest scores, as a share of the best of all"),
    ("regret@k", "what is lost by trying only the k highest scores, in units of the results"),
    (STATIC, "the order of the models on the other data sets: no score is looked at"),
)
_MOST_PANELS = 12
_PANELS_WIDE = 3
_MOST_NAMES = 12


def quality_columns(evaluation: Evaluation) -> list[Column]:
    """Columns of the table; the data set is shown where there are several."""
    columns = [Column("by", key=True, style="bold")]
    if len({each.set for each in evaluation.quality}) > 1:
        columns.insert(0, Column("set"))
    return [
        *columns,
        Column("models", right=True, priority=8),
        *(
            Column(
                name,
                _TITLES.get(name, ""),
                right=True,
                show=_chance if name == "p" else _number,
                priority=place,
            )
            for name, place in _PRIORITIES.items()
        ),
    ]


def quality_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One plain row a data set and column, the means last; undefined measures are None."""
    means = [(each, f"mean of {each.sets}") for each in evaluation.means]
    return [_row(each, name) for each, name in [*((q, q.set) for q in evaluation.quality), *means]]


def missing_lines(evaluation: Evaluation) -> list[str]:
    """Say what could not be compared."""
    compared = [each for each in evaluation.missing if each.set not in evaluation.skipped]
    lines = [line for each in compared for line in _missing(each)]
    if evaluation.skipped:
        names = ", ".join(evaluation.skipped)
        lines.append(f"Left out, fewer than two models in common: {names}.")
    return lines


def quality_html(evaluation: Evaluation, scores: str, truth: str) -> str:
    """Write an evaluation as one self-contained page.

    Args:
        evaluation: what was measured.
        scores: where the scores come from, for the title.
        truth: where the results come from.
    """
    from markupsafe import Markup

    # Only our own drawings are trusted; names of models and columns are somebody else's text.
    plots = [(by, Markup(scatter_plot(evaluation, by))) for by in _columns(evaluation)]  # noqa: S704
    page: str = (
        environment()
        .get_template("quality.html.j2")
        .render(
            evaluation=evaluation,
            scores=short(scores),
            truth=truth,
            table=grid(quality_columns(evaluation), quality_rows(evaluation)),
            legend=LEGEND,
            missing=missing_lines(evaluation),
            plots=plots,
        )
    )
    return page


def write_quality_html(evaluation: Evaluation, path: Path | str, scores: str, truth: str) -> None:
    """Write the page to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written there.
    """
    write_page(quality_html(evaluation, scores, truth), path)


def scatter_plot(evaluation: Evaluation, by: str) -> str:
    """One column's scores against the results, one panel a data set."""
    points = [each for each in evaluation.points if each.by == by][:_MOST_PANELS]
    quality = {each.set: each for each in evaluation.quality if each.by == by}
    wide = min(_PANELS_WIDE, len(points))
    tall = -(-len(points) // wide)
    with style():
        figure = figure_of(8.0, 3.6 if len(points) == 1 else 0.3 + 2.1 * tall)
        panels = figure.subplots(tall, wide, squeeze=False).ravel()
        for axes, each in zip(panels, points, strict=False):
            _panel(axes, each, quality[each.set], named=len(points) == 1)
        for axes in panels[len(points) :]:
            axes.set_visible(False)
        for axes in panels[::wide]:
            axes.set_ylabel("result")
        number = _columns(evaluation).index(by)
        title = f"{by} against the results"
        return svg(figure, f"scatter-{number}", title, _described(points, quality))


def _columns(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(each.by for each in evaluation.quality))


def _panel(axes: Any, points: Points, quality: Quality, *, named: bool) -> None:
    axes.plot(points.scores, points.results, "o", color=ACCENT, markersize=5, alpha=0.8)
    if named and len(points.models) <= _MOST_NAMES:
        for model, *position in zip(points.models, points.scores, points.results, strict=True):
            axes.annotate(
                _plain(last_part(model)),
                position,
                xytext=(5, 3),
                textcoords="offset points",
                color=MUTED,
                fontsize=8,
            )
    tau = f"tau_w {_number(quality.weighted_tau)}"
    axes.set_title(_plain(f"{points.set}  {tau}".strip()), loc="left", fontsize=9)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.12, y=0.12)


def _plain(text: str) -> str:
    """Keep a name from being read as mathematics."""
    return text.replace("$", r"\$")


def _described(points: Sequence[Points], quality: dict[str, Quality]) -> str:
    return "; ".join(
        f"{each.set or 'results'}: {len(each.models)} models, "
        f"weighted tau {_number(quality[each.set].weighted_tau)}"
        for each in points
    )


def _row(quality: Quality, name: str) -> dict[str, Any]:
    values = msgspec.to_builtins(quality)
    return {
        "set": name,
        "by": quality.by,
        "models": quality.models,
        **{key: None if _undefined(values[key]) else values[key] for key in MEASURES},
    }


def _undefined(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _chance(value: float) -> str:
    return "<0.001" if value < 0.001 else _number(value)


def _missing(missing: Missing) -> list[str]:
    where = f" ({missing.set})" if missing.set else ""
    return [
        f"Without {what}{where}: {', '.join(short(model) for model in models)}."
        for what, models in (
            ("a score", missing.without_score),
            ("a result", missing.without_result),
        )
        if models
    ]
