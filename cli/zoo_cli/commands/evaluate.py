"""``zoo evaluate``: how well scores order models whose results are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.errors import ExitCode
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.ranking_view import show_evaluation

if TYPE_CHECKING:
    from zoo.types import Ranking
    from zoo_cli.context import Context


@zoo_command(
    "evaluate",
    examples=(
        "zoo evaluate scores.csv truth.csv",
        "zoo evaluate a1f3 truth.csv --where recipe=head --html quality.html",
        "zoo evaluate ranking.json truth.csv --json",
        "zoo evaluate a1f3",
    ),
)
@click.argument("scores", metavar="SCORES.csv|RANKING.json|RUN")
@click.argument("truth", metavar="TRUTH.csv", type=click.Path(path_type=Path), required=False)
@options.where
@options.seed
@options.html
def evaluate(
    context: Context,
    *,
    scores: str,
    truth: Path | None,
    where: dict[str, str],
    html_path: Path | None,
) -> int:
    """Measure how well scores order models whose results are known.

    SCORES.csv has a column `model` and one or more columns of scores; TRUTH.csv has `model` and
    `value`. A column `set` in either makes it several data sets. Higher is better everywhere. A
    run of `zoo recommend --finetune-top` knows the results of its leaders without TRUTH.csv.
    """
    from zoo.evaluation import evaluate as measure

    given = _given(context, scores)
    evaluation = measure(given, truth, where=where, seed=context.settings.seed)
    if html_path is not None:
        from zoo.render.quality import write_quality_html

        write_quality_html(evaluation, html_path, scores, str(truth or scores))
    show_evaluation(context.output, evaluation)
    return ExitCode.DONE


def _given(context: Context, scores: str) -> Path | Ranking:
    """Take a file for a file and everything else for the name of a run."""
    from zoo.runs import find_run

    path = Path(scores)
    if path.exists() or path.suffix.lower() in (".csv", ".json"):
        return path
    return find_run(context.settings.folder, scores).require_ranking()
