"""A ranking as one page: no script, no request, light and dark, on screen and on paper."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.render import quantities, words
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
    from collections.abc import Mapping, Sequence

    from zoo.render.columns import Column
    from zoo.types.ranking import Ranking


def html(ranking: Ranking) -> str:
    """Write a whole ranking as one self-contained page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("zoo.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Only our own drawings are trusted; model names and cards are somebody else's text.
    plots = [Markup(plot) for plot in (interval_plot(ranking), layer_plot(ranking))]  # noqa: S704
    return environment.get_template("report.html.j2").render(
        ranking=ranking,
        table=_table(ranking_columns(ranking), ranking_rows(ranking)),
        estimators=_table(estimator_columns(ranking), estimator_rows(ranking)),
        prior=_table(prior_columns(), prior_rows(ranking)),
        interval_plot=plots[0],
        layer_plot=plots[1],
        command=shlex.join(ranking.provenance.command),
        words=words,
        duration_text=quantities.duration_text,
    )


def write_html(ranking: Ranking, path: Path | str) -> None:
    """Write the page to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written there.
    """
    path = Path(path)
    page = html(ranking)
    try:
        write_atomically(path, page.encode())
    except OSError as error:
        raise InputError(f"the page {path} cannot be written: {error.strerror}.") from error


def _table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Texts of a table, and the CSS class of each column."""
    kinds = ["number" if each.right else "long" if each.elastic else "" for each in columns]
    titles = [
        each.header.capitalize() if each.header.isupper() else each.header for each in columns
    ]
    keys = [each.key for each in columns]
    return {
        "columns": list(zip(titles, kinds, strict=True)),
        "rows": [
            list(zip([each.text(row) for each in columns], kinds, keys, strict=True))
            for row in rows
        ],
    }
