"""A ranking as one page: no script, no request, light and dark, on screen and on paper."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from zoo.render.document import environment, grid, write_page
from zoo.render.plots import interval_plot, layer_plot
from zoo.render.table import (
    estimator_columns,
    estimator_rows,
    prior_columns,
    prior_rows,
    ranking_columns,
    ranking_rows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.types.explaining import Report
    from zoo.types.ranking import Ranking


def html(ranking: Ranking, explanation: Report | None = None) -> str:
    """Write a whole ranking, and why it is so, as one self-contained page."""
    from markupsafe import Markup

    from zoo.render.explanation_page import page_of

    # Only our own drawings are trusted; model names and cards are somebody else's text.
    plots = [Markup(plot) for plot in (interval_plot(ranking), layer_plot(ranking))]  # noqa: S704
    template = environment().get_template("report.html.j2")
    page: str = template.render(
        ranking=ranking,
        table=grid(ranking_columns(ranking), ranking_rows(ranking)),
        estimators=grid(estimator_columns(ranking), estimator_rows(ranking)),
        prior=grid(prior_columns(), prior_rows(ranking)),
        interval_plot=plots[0],
        layer_plot=plots[1],
        command=shlex.join(ranking.provenance.command),
        explanation=None if explanation is None else page_of(explanation),
    )
    return page


def write_html(ranking: Ranking, path: Path | str, explanation: Report | None = None) -> None:
    """Write the page to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written there.
    """
    write_page(html(ranking, explanation), path)
