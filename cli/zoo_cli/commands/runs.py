"""``zoo runs``: what was asked before, and what came out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from zoo.errors import ExitCode
from zoo_cli import options
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.output import Column

if TYPE_CHECKING:
    from zoo.runs import Run
    from zoo.types import Ranking
    from zoo_cli.context import Context

runs = noun_group("runs", "List, show, compare and rerun past runs.")

_LINES = [
    Column("run"),
    Column("state"),
    Column("started", priority=2),
    Column("data", priority=1, flexible=True),
    Column("models", right=True, priority=3),
    Column("leader"),
]


@zoo_command("list", parent=runs, examples=("zoo runs list", "zoo runs list --json"))
@options.limit
def list_(context: Context, *, limit: int | None) -> int:
    """List runs, newest first."""
    from zoo.runs import list_runs
    from zoo_cli.documents.runs import RunList

    infos = [run.info for run in list_runs(context.settings.folder)][:limit]
    document = RunList(runs=tuple(infos))
    context.output.rows(_LINES, [msgspec.to_builtins(info) for info in infos], document=document)
    if not infos:
        context.output.hint("zoo recommend --demo makes the first one.")
    return ExitCode.DONE


@zoo_command("show", parent=runs, examples=("zoo runs show a1f3", "zoo runs show a1f3 --format md"))
@click.argument("run")
@options.limit
@options.html
def show(context: Context, *, run: str, limit: int | None, html_path: Path | None) -> int:
    """Show what a run was asked and what came out."""
    from zoo_cli.ranking_view import show_ranking

    ranking = _find(context, run).require_ranking()
    if html_path is not None:
        from zoo.render import write_html

        write_html(ranking, html_path)
    show_ranking(context.output, ranking, limit)
    return ExitCode.DONE


@zoo_command("rerun", parent=runs, examples=("zoo runs rerun a1f3",))
@click.argument("run")
@options.limit
@options.html
def rerun(context: Context, *, run: str, limit: int | None, html_path: Path | None) -> int:
    """Ask the same question again, as a new run; what is in the store is not measured again."""
    from zoo.pipeline import prepare
    from zoo.runs import start_run
    from zoo_cli.commands.recommend import answer

    request = _find(context, run).request
    prepared = prepare(request, context.settings, context.catalogue)
    again = start_run(context.settings.folder, request)
    return answer(context, again, prepared, limit, html_path)


@zoo_command("remove", parent=runs, examples=("zoo runs remove a1f3 b2c4 -y",))
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@options.yes
def remove(context: Context, *, names: tuple[str, ...], yes: bool) -> int:
    """Remove runs; features and scores stay in the store, see `zoo cache prune`."""
    from zoo_cli.documents.runs import RemovedRuns

    found = [_find(context, name) for name in names]
    listed = ", ".join(run.name for run in found)
    if not context.output.confirm(f"Remove {listed}?", yes=yes):
        return ExitCode.FAILED
    for run in found:
        run.remove()
    document = RemovedRuns(removed=tuple(run.name for run in found))
    context.output.value(document, f"Removed {listed}.")
    return ExitCode.DONE


@zoo_command(
    "compare",
    parent=runs,
    examples=("zoo runs compare a1f3 b2c4", "zoo runs compare a1f3 truth.csv"),
)
@click.argument("run")
@click.argument("other", metavar="RUN|TRUTH.csv")
@options.where
def compare(context: Context, *, run: str, other: str, where: dict[str, str]) -> int:
    """Compare a ranking with another one, or with measured results.

    TRUTH.csv has a column `model` and one column of results, higher is better; see `zoo evaluate`.
    """
    ranking = _find(context, run).require_ranking()
    if Path(other).suffix.lower() == ".csv":
        from zoo.evaluation import evaluate
        from zoo_cli.ranking_view import show_evaluation

        seed = context.settings.seed
        show_evaluation(context.output, evaluate(ranking, Path(other), where=where, seed=seed))
        return ExitCode.DONE
    return _side_by_side(context, ranking, _find(context, other).require_ranking())


def _side_by_side(context: Context, left: Ranking, right: Ranking) -> int:
    from zoo_cli.documents.runs import ComparedModel, ComparedRuns

    theirs = {row.model: row for row in right.ranking}
    models = []
    for row in left.ranking:
        other = theirs.pop(row.model, None)
        compared = ComparedModel(
            model=row.model,
            rank=row.rank,
            other=other.rank if other else None,
            score=row.score,
            other_score=other.score if other else None,
        )
        models.append(compared)
    models += [
        ComparedModel(model=row.model, other=row.rank, other_score=row.score)
        for row in theirs.values()
    ]
    if left.probe.fingerprint != right.probe.fingerprint:
        context.output.warn("the two runs saw different samples: compare ranks, not scores.")
    decimals = "{:.2f}".format
    columns = [
        Column("model"),
        Column("rank", title=left.run, right=True),
        Column("other", title=right.run, right=True),
        Column("score", right=True, show=decimals, priority=1),
        Column("other_score", right=True, show=decimals, priority=1),
    ]
    document = ComparedRuns(runs=(left.run, right.run), models=tuple(models))
    rows = [msgspec.to_builtins(each) for each in models]
    context.output.rows(columns, rows, document=document)
    return ExitCode.DONE


def _find(context: Context, name: str) -> Run:
    from zoo.runs import find_run

    return find_run(context.settings.folder, name)
