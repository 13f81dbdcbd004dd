"""The agreement map: matrices on a terminal, heat maps on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.render.columns import Column
from zoo.render.document import environment, write_page
from zoo.render.drawing import ACCENT, INK, LINE, PAPER, figure_of, style, svg
from zoo.render.words import last_part, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.comparison import Agreement, AgreementMap

_MOST_NUMBERS = 16


def names_of(models: Sequence[str]) -> list[str]:
    """The last part of each reference where that is enough to tell them apart."""
    last = [last_part(model) for model in models]
    return [
        name if last.count(name) == 1 else short(model)
        for name, model in zip(last, models, strict=True)
    ]


def agreement_columns(models: Sequence[str]) -> list[Column]:
    """A number a model, and the mean over the others."""
    return [
        Column("number", "#", right=True),
        Column("model", key=True, cell=lambda row: str(row["name"]), style="bold"),
        *(
            Column(model, str(number), right=True, show="{:.2f}".format, priority=2)
            for number, model in enumerate(models, start=1)
        ),
        Column("mean", right=True, show="{:.2f}".format, priority=1),
    ]


def agreement_rows(one: Agreement, models: Sequence[str]) -> list[dict[str, Any]]:
    """One plain row a model."""
    names = names_of(models)
    return [
        {
            "number": index + 1,
            "name": names[index],
            "model": model,
            **dict(zip(models, one.matrix[index], strict=True)),
            "mean": one.mean[index],
        }
        for index, model in enumerate(models)
    ]


def verdict(found: AgreementMap) -> str:
    """Name the two that see the data most alike, and the one that sees it most differently."""
    one, names = found.agreement[0], names_of(found.models)
    pairs = {
        (first, second): value
        for first, row in enumerate(one.matrix)
        for second, value in enumerate(row)
        if first < second and value is not None
    }
    if not pairs:
        return f"{one.estimator} can tell nothing of these models ({one.note})."
    (first, second), value = max(pairs.items(), key=lambda item: item[1])
    text = f"Most alike in the eyes of {one.estimator}: {names[first]} and {names[second]}"
    text += f" ({value:.2f})."
    known = [(mean, names[index]) for index, mean in enumerate(one.mean) if mean is not None]
    if len(known) > 2:
        least, name = min(known)
        text += f" Most unlike the others: {name} ({least:.2f} on average)."
    return f"{text} This is agreement, not transferability."


def agreement_html(found: AgreementMap) -> str:
    """Write a map as one self-contained page."""
    from markupsafe import Markup

    # Only our own drawings are trusted; model names are somebody else's text.
    plots = [(Markup(heat_map(each, found.models)), each) for each in found.agreement]  # noqa: S704
    template = environment().get_template("agreement.html.j2")
    page: str = template.render(map=found, verdict=verdict(found), plots=plots)
    return page


def write_agreement_html(found: AgreementMap, path: Path | str) -> None:
    """Write the page to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written there.
    """
    write_page(agreement_html(found), path)


def heat_map(one: Agreement, models: Sequence[str]) -> str:
    """One estimator's matrix as SVG: the fuller the colour, the more alike."""
    names, count = names_of(models), len(models)
    others = [
        value
        for first, row in enumerate(one.matrix)
        for second, value in enumerate(row)
        if value is not None and first != second
    ]
    low, spread = (min(others), (max(others) - min(others)) or 1.0) if others else (0.0, 1.0)
    with style():
        side = min(0.75, 6.0 / count)
        figure = figure_of(8.0, 1.4 + side * count)
        # The page's letters are wider than the drawing knows.
        figure.get_layout_engine().set(rect=(0.05, 0, 0.95, 1))
        axes = figure.subplots()
        for row, values in enumerate(one.matrix):
            for column, value in enumerate(values):
                height = None if value is None else min(max((value - low) / spread, 0.0), 1.0)
                _cell(axes, row, column, value, height, numbers=count <= _MOST_NUMBERS)
        axes.set_xlim(-0.5, count - 0.5)
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.set_yticks(range(count), [f"{name}  {n}" for n, name in enumerate(names, start=1)])
        axes.set_xticks(range(count), [str(n + 1) for n in range(count)])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        title = f"Agreement of {count} models in the eyes of {one.estimator}"
        return svg(figure, f"map-{one.estimator}", title, _described(one, names))


def _cell(
    axes: Any, row: int, column: int, value: float | None, height: float | None, *, numbers: bool
) -> None:
    from matplotlib.patches import Rectangle

    itself = row == column
    shade = 0.0 if height is None or itself else 0.06 + 0.94 * height
    axes.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=ACCENT, alpha=shade, linewidth=0)
    )
    axes.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=LINE, linewidth=0.6)
    )
    if numbers:
        text = "-" if value is None else f"{value:.2f}"
        color = PAPER if shade > 0.55 else INK
        axes.text(column, row, text, ha="center", va="center", color=color)


def _described(one: Agreement, names: Sequence[str]) -> str:
    """Say in words what the map shows."""
    return "; ".join(
        f"{names[first]} and {names[second]}: {value:.2f}"
        for first, row in enumerate(one.matrix)
        for second, value in enumerate(row)
        if first < second and value is not None
    )
