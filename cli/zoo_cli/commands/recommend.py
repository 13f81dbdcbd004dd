"""``zoo recommend``: which checkpoints to start from, for the person's own data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zoo.errors import ExitCode, ZooError
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import data_options
from zoo_cli.quantities import DURATION, SIZE
from zoo_cli.question import check_page, request_of
from zoo_cli.values import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.pipeline import Prepared
    from zoo.plan import Plan
    from zoo.runs import Request, Run
    from zoo.types import Ranking
    from zoo.types.explaining import Report
    from zoo_cli.context import Context


#: Options that make up the question, which ``--resume`` takes from the run.
_QUESTION = frozenset(
    ("registry", "models", "estimators", "assignments", "task", "label", "text", "image", "split")
) | frozenset(
    ("probe_size", "seed", "layers", "max_size", "licenses", "budget", "trust_remote_code")
) | {
    *("permutations", "folds", "label_encoders", "reference", "pretext"),
    *("finetune_top", "finetune_preset"),
}  # fmt: skip


@zoo_command(
    "recommend",
    examples=(
        "zoo recommend --demo",
        "zoo recommend photos/ --dry-run",
        "zoo recommend reviews.csv --label stars -n 5 --html report.html",
        "zoo recommend photos/ --budget 10m",
        "zoo recommend photos/ -e rsa -e dds --reference hub:org/trained",
        "zoo recommend photos/ -m org/name -m ./my-checkpoint --layers all",
        "zoo recommend photos/ --truth finetuned.csv",
        "zoo recommend unlabelled/ --pretext exemplar",
        "zoo recommend photos/ --finetune-top 2",
        "zoo recommend photos/ --explain --html report.html",
        "zoo recommend --resume a1f3",
    ),
)
@click.argument("data", required=False)
@click.option("--demo", is_flag=True, help="Rank the packaged models on the packaged data.")
@options.registry
@options.model
@options.estimator
@options.assignments
@options.label_encoder
@options.reference_model
@data_options
@options.option(
    "--pretext",
    metavar="NAME",
    default="",
    default_shown="labels are read",
    variable="ZOO_PRETEXT",
    help="Images without labels: rank by a task made of them, such as exemplar.",
)
@options.option(
    "--layers",
    type=click.Choice(("last", "all")),
    default="last",
    default_shown="last",
    variable="ZOO_LAYERS",
    help="Score the penultimate layer, or every layer and name the one to cut at.",
)
@options.option(
    "--max-size",
    type=SIZE,
    metavar="SIZE",
    default_shown="none",
    variable="ZOO_MAX_SIZE",
    help="Leave out larger checkpoints: 500MB, 2GB.",
)
@options.option(
    "--license",
    "licenses",
    multiple=True,
    metavar="ID",
    default_shown="any",
    variable="ZOO_LICENSE",
    help="Keep only models of this licence, as their cards name it. Repeat it.",
)
@options.option(
    "--budget",
    type=DURATION,
    metavar="TIME",
    default_shown="none",
    variable="ZOO_BUDGET",
    help="Race for 90s, 10m or 2h: few samples first, more for the leaders.",
)
@options.option(
    "--trust-remote-code",
    multiple=True,
    metavar="MODEL",
    default_shown="none",
    variable="ZOO_TRUST_REMOTE_CODE",
    help="Let this one checkpoint run its own code. Repeat it.",
)
@options.device
@options.runtime
@options.precision
@options.jobs
@options.permutations
@options.folds
@options.timeout
@options.limit
@options.dry_run
@options.html
@options.option(
    "--truth",
    "truth_path",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    default=None,
    default_shown="none",
    variable="ZOO_TRUTH",
    help="Fine-tuned results that you have: say how well the order agrees with them.",
)
@options.where
@options.option(
    "--finetune-top",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    default_shown="0",
    variable="ZOO_FINETUNE_TOP",
    help="Then fine-tune the first N on the same data, and record what they reach.",
)
@options.option(
    "--finetune-preset",
    type=click.Choice(PRESETS),
    default="quick",
    default_shown="quick",
    variable="ZOO_FINETUNE_PRESET",
    help="How long to fine-tune them: see `zoo finetune`.",
)
@options.option(
    "--explain",
    is_flag=True,
    default_shown="off",
    variable="ZOO_EXPLAIN",
    help="Then say why, as `zoo explain` does; it is in the page and in the JSON as well.",
)
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run; see `zoo runs list`.")
def recommend(
    context: Context,
    *,
    data: str | None,
    demo: bool,
    resume: str | None,
    limit: int | None,
    dry_run: bool,
    html_path: Path | None,
    truth_path: Path | None,
    where: dict[str, str],
    explain: bool,
    **question: Any,
) -> int:
    """Rank models for your data.

    DATA is a folder of images, a file of texts, a data set folder or an id of the Hub. No model
    is trained: each is run once over a sample, and several estimators judge how well a new head
    would do on its features.
    """
    from zoo.pipeline import prepare
    from zoo.runs import find_run, start_run

    if sum((data is not None, demo, resume is not None)) != 1:
        raise click.UsageError("Give DATA, --demo or --resume RUN: one of them.")
    if resume is not None:
        _refuse_new_question()
    check_page(html_path)
    _check_truth(truth_path, where)
    home = context.settings.folder
    run = find_run(home, resume) if resume is not None else None
    request = run.request if run else _request(context, data or "demo", demo=demo, **question)
    prepared = prepare(request, context.settings, context.catalogue)
    if dry_run:
        return _show_plan(context, prepared.plan)
    run = run or start_run(home, request)
    return answer(
        context,
        run,
        prepared,
        limit,
        html_path,
        truth_path=truth_path,
        where=where,
        explain=explain,
    )


def answer(
    context: Context,
    run: Run,
    prepared: Prepared,
    limit: int | None,
    html_path: Path | None,
    *,
    truth_path: Path | None = None,
    where: Mapping[str, str] | None = None,
    explain: bool = False,
) -> int:
    """Carry a run out, print its ranking, explain it if asked, and say what to do next."""
    from zoo.api import carry_out
    from zoo_cli.explain_view import show_explanation
    from zoo_cli.progress import listening
    from zoo_cli.ranking_view import show_quality, show_ranking

    context.invocation.resume = _resume_command(context, run)
    with listening(context) as listener:
        ranking = carry_out(run, prepared, context.settings, context.catalogue, on_event=listener)
    context.invocation.resume = ""
    report = _explained(context, run) if explain and ranking.ranking else None
    if html_path is not None:
        from zoo.render import write_html

        write_html(ranking, html_path, report)
    show_ranking(context.output, ranking, limit, explained=explain, explanation=report)
    if truth_path is not None:
        show_quality(context.output, ranking, truth_path, where)
    if report is not None:
        show_explanation(context.output, report)
    _say_next(context, ranking, html_path)
    code = exit_code(ranking)
    unsaid = explain and (report is None or report.failures)
    return ExitCode.PARTIAL if unsaid and code == ExitCode.DONE else code


def _explained(context: Context, run: Run) -> Report | None:
    """Say why the first of a run is the first; what goes wrong costs nobody the ranking."""
    from zoo.explaining.journey import explain_run
    from zoo.types import Failure
    from zoo_cli.explain_view import keep
    from zoo_cli.progress import listening

    try:
        with listening(context) as listener:
            report = explain_run(run, context.settings, context.catalogue, on_event=listener)
        keep(run, report)
    except ZooError as error:
        context.output.failure(Failure.of(error, stage="explain", model=run.name))
        return None
    return report


def exit_code(ranking: Ranking) -> int:
    """Say how a ranking ends a command."""
    if not ranking.ranking:
        return ExitCode.FAILED if ranking.failures else ExitCode.NOTHING
    return ExitCode.PARTIAL if ranking.failures else ExitCode.DONE


def _request(
    context: Context,
    data: str,
    *,
    demo: bool,
    models: tuple[str, ...],
    budget: float | None,
    max_size: float | None,
    **rest: Any,
) -> Request:
    if demo and not models:
        from zoo.embedded import names

        models = tuple(f"embedded:{name}" for name in names())
    return request_of(
        context,
        data,
        models=models,
        budget=budget or 0.0,
        max_size=None if max_size is None else int(max_size),
        **rest,
    )


def _refuse_new_question() -> None:
    """A run that goes on answers its own question; an option that would change it is a mistake."""
    given = click.get_current_context()
    typed = [
        parameter
        for parameter in given.command.params
        if isinstance(parameter, click.Option)
        and parameter.name in _QUESTION
        and given.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if typed:
        listed = ", ".join(parameter.opts[-1] for parameter in typed)
        raise click.UsageError(
            f"--resume goes on with the question of that run; {listed} would ask another one."
        )


def _resume_command(context: Context, run: Run) -> str:
    """Repeat the flags that say how to run; what was asked is in the run."""
    words = ["zoo", "recommend", "--resume", run.name]
    for name in ("device", "runtime", "precision", "jobs", "timeout", "offline"):
        if context.resolved.origins[name] == "flag":
            value = getattr(context.settings, name)
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return shlex.join(words)


def _check_truth(path: Path | None, where: Mapping[str, str]) -> None:
    """Find out before the work that the results cannot be used."""
    if path is None:
        if where:
            raise click.UsageError("--where picks rows of --truth FILE.csv, which is not given.")
        return
    from zoo.score_tables import read_truth

    read_truth(path, where)


def _show_plan(context: Context, plan: Plan) -> int:
    from zoo_cli.plan_view import show_plan

    show_plan(context.output, plan)
    return ExitCode.PARTIAL if plan.failures else ExitCode.DONE


def _say_next(context: Context, ranking: Ranking, html_path: Path | None) -> None:
    short = ranking.run.rpartition("-")[2]
    page = f" Page: {shlex.quote(str(html_path))}." if html_path else ""
    ways = [f"zoo explain {short}"] if ranking.ranking else []
    ways.append(f"zoo runs show {short} --html report.html")
    context.output.note(f"Run {ranking.run} saved.{page} Next: {' | '.join(ways)}")
