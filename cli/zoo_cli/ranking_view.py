"""Rankings and their quality on a terminal: tables, and what qualifies them beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import asdict, replace

from zoo.render.quantities import duration_text, some
from zoo.render.table import ranking_columns, ranking_rows
from zoo.render.words import agreement_line, data_line, exclusions_line, short, verdict
from zoo_cli.output import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo.evaluation import Evaluation
    from zoo.types.explaining import Report
    from zoo.types.failure import Failure
    from zoo.types.ranking import Ranking
    from zoo_cli.output import Output


def show_ranking(
    output: Output,
    ranking: Ranking,
    limit: int | None = None,
    *,
    explained: bool = False,
    explanation: Report | None = None,
) -> None:
    """Print a ranking in the mode that was asked for; at most ``limit`` of its rows.

    Where it is ``explained``, the JSON has the explanation beside the ranking.
    """
    from zoo_cli.documents.measuring import ExplainedRanking

    shown = replace(ranking, ranking=ranking.ranking[:limit])
    if output.mode == "md":
        from zoo.render.text import markdown

        output.write(markdown(shown))
        _show_truth(output, ranking)
        return
    output.note(data_line(ranking.probe))
    if shown.ranking or output.machine:
        document: Ranking = shown
        if explained:
            document = ExplainedRanking(**asdict(shown), explanation=explanation)
        output.rows(ranking_columns(shown), ranking_rows(shown), document=document)
    hidden = len(ranking.ranking) - len(shown.ranking)
    output.note(f"... and {hidden} more" if hidden else "")
    _show_truth(output, ranking)
    _qualify(output, ranking)


def show_quality(
    output: Output, ranking: Ranking, truth: Path, where: Mapping[str, str] | None = None
) -> None:
    """Print how well the score, the prior and every estimator order models with known results.

    For people only: beside a ranking no machine mode prints it; ``zoo evaluate RUN TRUTH`` does.

    Raises:
        InputError: the results cannot be used.
    """
    from zoo.evaluation import evaluate
    from zoo.render.quality import missing_lines, quality_columns, quality_rows

    evaluation = evaluate(ranking, truth, where=where)
    title = f"Against {truth}:"
    columns, rows = quality_columns(evaluation), quality_rows(evaluation)
    output.rows(columns, rows, document=None, title=title)
    for line in missing_lines(evaluation):
        output.note(line)


def show_evaluation(output: Output, evaluation: Evaluation) -> None:
    """Print an evaluation in the mode that was asked for."""
    from zoo.render.quality import missing_lines, quality_columns, quality_rows

    output.rows(quality_columns(evaluation), quality_rows(evaluation), document=evaluation)
    for line in missing_lines(evaluation):
        output.note(line)


def _show_truth(output: Output, ranking: Ranking) -> None:
    """Print what leaders reached that were fine-tuned; in JSON they are part of the ranking."""
    if not ranking.truth:
        return
    ranks = {row.model: row.rank for row in ranking.ranking}
    columns = [
        Column("model", show=short),
        Column("rank", right=True),
        Column("accuracy", right=True, show="{:.3f}".format),
        Column("interval", title="95 %", right=True),
        Column("steps", right=True, priority=1),
        Column("seconds", title="TOOK", right=True, show=duration_text, priority=2),
        Column("folder", priority=3, flexible=True),
    ]
    rows = [
        {
            **msgspec.to_builtins(each),
            "rank": ranks[each.model],
            "interval": "{:.3f} to {:.3f}".format(*each.interval),
        }
        for each in ranking.truth
    ]
    title = f"Fine-tuned, judged on {some(ranking.truth[0].samples, 'held-out sample')}:"
    output.rows(columns, rows, document=None, title=title)


def _qualify(output: Output, ranking: Ranking) -> None:
    """Say everything that the table alone would hide."""
    output.success(verdict(ranking))
    if agreement_line(ranking):
        output.note(f"{agreement_line(ranking)}.")
    if ranking.excluded:
        output.note(f"{exclusions_line(ranking.excluded)}.")
    for warning in ranking.warnings:
        output.warn(warning)
    for failure in _together(ranking.failures):
        output.failure(failure)


def _together(failures: Sequence[Failure]) -> list[Failure]:
    """Say once what a plugin did wrong in the same way with several models."""
    alike: dict[Failure, list[Failure]] = {}
    for each in failures:
        key = replace(each, model=None) if each.plugin else each
        alike.setdefault(key, []).append(each)
    return [
        group[0] if len(group) == 1 else replace(key, model=f"{len(group)} models")
        for key, group in alike.items()
    ]
