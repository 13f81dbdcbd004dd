"""Where to cut one checkpoint: a table layer by layer, a curve, and a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.render.columns import Column
from zoo.render.document import environment, grid, write_page
from zoo.render.drawing import ACCENT, LINE, MUTED, figure_of, style, svg
from zoo.render.table import estimator_text
from zoo.render.words import last_part
from zoo.types.ranking import EstimatorCell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from zoo.layers import LayerReport, Similarity

_BAR = 20
_BLOCK = "\u2588"
_PARTS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"


def layer_columns(report: LayerReport) -> list[Column]:
    """Columns of the table; those of the estimators go first when the terminal is narrow."""
    estimators = dict.fromkeys(name for row in report.layers for name in row.estimators)
    similar = dict.fromkeys(name for row in report.layers for name in row.similarity)
    target = target_of(report)
    columns = [
        Column("layer", key=True, style="bold"),
        Column("dimension", "WIDTH", right=True, priority=2),
    ]
    if any(row.score is not None for row in report.layers):
        columns.append(Column("score", right=True, show="{:.2f}".format))
    return [
        *columns,
        Column("height", " ", cell=lambda row: bar(row["height"]), priority=1),
        *(Column(name, name, right=True, cell=_cell_of(name), priority=4) for name in estimators),
        *(
            Column(
                _like(name), f"{name}: like {target}", right=True, show="{:.3f}".format, priority=3
            )
            for name in similar
        ),
        Column("note", "", cell=lambda row: str(row["note"])),
    ]


def layer_rows(report: LayerReport) -> list[dict[str, Any]]:
    """One plain row a layer, in the order of the forward pass."""
    return [
        {
            "layer": row.layer,
            "dimension": row.dimension,
            "score": row.score,
            "height": height,
            "note": _note(report, row.layer),
            **{name: cell.value for name, cell in row.estimators.items()},
            **{f"{name}_z": cell.z for name, cell in row.estimators.items()},
            **{f"{name}_saturated": cell.saturated for name, cell in row.estimators.items()},
            **{_like(name): each.value for name, each in row.similarity.items()},
        }
        for row, height in zip(report.layers, curve(report), strict=True)
    ]


def curve(report: LayerReport) -> list[float | None]:
    """Height of each layer from 0 to 1: the consensus, else the first similarity, stretched."""
    if any(row.score is not None for row in report.layers):
        return [row.score for row in report.layers]
    first = next((name for row in report.layers for name in row.similarity), "")
    values = [_value(row.similarity.get(first)) for row in report.layers]
    known = [value for value in values if value is not None]
    if not known:
        return list(values)
    low, spread = min(known), (max(known) - min(known)) or 1.0
    return [None if value is None else (value - low) / spread for value in values]


def bar(height: float | None, width: int = _BAR) -> str:
    """A bar of eighths of a character; empty for None."""
    if height is None:
        return ""
    eighths = round(8 * width * min(max(height, 0.0), 1.0))
    return (_BLOCK * (eighths // 8) + _PARTS[eighths % 8]).rstrip()


def target_of(report: LayerReport) -> str:
    """Name what the layers are compared with, as people say it."""
    model, _, layer = report.against.rpartition(":")
    if model != report.model:
        return f"{last_part(model)}:{layer}" if model else last_part(report.against)
    return "its head" if layer == "logits" else f"its {layer}"


def verdict(report: LayerReport) -> str:
    """Say where to cut, and which layer is most like the reference."""
    usual = "" if report.cut_at == report.default_layer else f", not at {report.default_layer}"
    by = "" if report.chosen_by == "consensus" else f" (by {report.chosen_by} alone)"
    sentences = [f"Cut {last_part(report.model)} at {report.cut_at}{usual}{by}."]
    for name in dict.fromkeys(name for row in report.layers for name in row.similarity):
        values = {row.layer: _value(row.similarity.get(name)) for row in report.layers}
        known = {layer: value for layer, value in values.items() if value is not None}
        # A layer beside itself says nothing, nor does another with the same output.
        itself = known.get(report.against.removeprefix(f"{report.model}:"), float("inf"))
        known = {layer: value for layer, value in known.items() if value < itself - 1e-9}
        if known:
            best = max(known, key=lambda layer: known[layer])
            sentences.append(f"Most like {target_of(report)} ({name}): {best}, {known[best]:.2f}.")
    return " ".join(sentences)


def layer_html(report: LayerReport) -> str:
    """Write a report as one self-contained page."""
    from markupsafe import Markup

    columns = [each for each in layer_columns(report) if each.name != "height"]
    template = environment().get_template("layers.html.j2")
    page: str = template.render(
        report=report,
        verdict=verdict(report),
        target=target_of(report),
        table=grid(columns, layer_rows(report)),
        curve_plot=Markup(curve_plot(report)),  # noqa: S704 -- our own drawing
        similar_plot=Markup(similarity_plot(report)),  # noqa: S704 -- our own drawing
    )
    return page


def write_layer_html(report: LayerReport, path: Path | str) -> None:
    """Write the page to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written there.
    """
    write_page(layer_html(report), path)


def curve_plot(report: LayerReport) -> str:
    """The consensus of each layer as SVG, with the layer to cut at; empty without one."""
    values = [row.score for row in report.layers]
    if all(value is None for value in values):
        return ""
    with style():
        figure = figure_of(8.0, 2.8)
        axes = figure.subplots()
        _line(axes, report, values)
        axes.set_ylabel("score among the layers")
        axes.set_ylim(-0.05, 1.12)
        described = _described(report, values)
        return svg(figure, "curve", f"Score of each layer of {last_part(report.model)}", described)


def similarity_plot(report: LayerReport) -> str:
    """How like the reference each layer is, one panel an estimator; empty without one."""
    names = list(dict.fromkeys(name for row in report.layers for name in row.similarity))
    columns = {name: [_value(row.similarity.get(name)) for row in report.layers] for name in names}
    columns = {
        name: values
        for name, values in columns.items()
        if any(value is not None for value in values)
    }
    if not columns:
        return ""
    with style():
        figure = figure_of(8.0, 2.4 * len(columns))
        panels = figure.subplots(len(columns), 1, squeeze=False).ravel()
        for axes, (name, values) in zip(panels, columns.items(), strict=True):
            _line(axes, report, values)
            axes.set_ylabel(name)
            axes.margins(y=0.25)
        described = "; ".join(f"{n}: {_described(report, v)}" for n, v in columns.items())
        return svg(figure, "similar", f"Likeness to {target_of(report)}", described)


def _line(axes: Any, report: LayerReport, values: list[float | None]) -> None:
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    places, heights = zip(*known, strict=True)
    axes.plot(places, heights, color=MUTED, linewidth=1.5, marker=".", markersize=6)
    layers = [row.layer for row in report.layers]
    chosen = layers.index(report.cut_at) if report.cut_at in layers else -1
    if chosen in places:
        height = heights[places.index(chosen)]
        axes.plot(chosen, height, "o", color=ACCENT, markersize=8)
        axes.annotate(
            report.cut_at,
            (chosen, height),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center" if 0 < chosen < len(layers) - 1 else "left" if chosen == 0 else "right",
            color=ACCENT,
        )
    axes.set_xticks(range(len(layers)), layers, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def _described(report: LayerReport, values: list[float | None]) -> str:
    return ", ".join(
        f"{row.layer} {value:.2f}"
        for row, value in zip(report.layers, values, strict=True)
        if value is not None
    )


def _note(report: LayerReport, layer: str) -> str:
    if layer == report.cut_at:
        return "<- cut here"
    return "the usual layer" if layer == report.default_layer else ""


def _value(similarity: Similarity | None) -> float | None:
    return None if similarity is None else similarity.value


def _cell_of(name: str) -> Callable[[Mapping[str, Any]], str]:
    def text(row: Mapping[str, Any]) -> str:
        if row.get(name) is None:
            return "-"
        z, saturated = row[f"{name}_z"], row[f"{name}_saturated"]
        return estimator_text(EstimatorCell(value=row[name], z=z, saturated=saturated))

    return text


def _like(name: str) -> str:
    return f"like_{name}"
