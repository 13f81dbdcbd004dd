"""``zoo explain``: why a checkpoint, in sentences that can each be traced to their evidence."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zoo.errors import InputError
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import data_options
from zoo_cli.question import check_page

if TYPE_CHECKING:
    from zoo.runs import Run
    from zoo.types import ProbeOptions, Ranking
    from zoo.types.explaining import Report
    from zoo_cli.context import Context

#: Options that only make sense for a run, and those that only make sense with ``--unseen``.
_OF_RUN = frozenset(("model", "against", "history", "maps"))
_OF_CLASS = frozenset(("data", "task", "label", "text", "image", "split", "probe_size"))
#: Options that ask for an explanation of their own; without them the last one is traced.
_ASKING = frozenset((*_OF_RUN, "senses", "encoder", "only", "assignments"))


def _parse_senses(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Turn ``label=sense`` into ``{label: sense}``; a label may hold ``=``."""
    del ctx, param
    found: dict[str, str] = {}
    for text in values:
        label, equals, sense = text.rpartition("=")
        if not (equals and label.strip() and sense.strip()):
            raise InputError(
                f"--sense {text!r} is not of the form LABEL=SENSE.", "--sense crane=bird"
            )
        found[label.strip()] = sense.strip()
    return found


@zoo_command(
    "explain",
    examples=(
        "zoo explain",
        "zoo explain a1f3 --model 2 --html why.html",
        "zoo explain a1f3 --model resnet-50 --against mobilenet_v2",
        "zoo explain a1f3 --evidence e3f2a91c04",
        "zoo explain a1f3 --sense crane=bird",
        "zoo explain ./classifier --unseen zebra --unseen okapi --data photos/",
    ),
)
@click.argument("subject", metavar="[RUN|MODEL]", required=False)
@options.option(
    "-m",
    "--model",
    "model",
    metavar="MODEL",
    default="",
    default_shown="the first",
    variable="ZOO_EXPLAIN_MODEL",
    help="Which model of the run: its reference, the last part of it, or its rank.",
)
@options.option(
    "--against",
    metavar="MODEL",
    default="",
    default_shown="the next best",
    variable="ZOO_AGAINST",
    help="What to compare it with, named in the same way.",
)
@options.option(
    "--evidence",
    metavar="ID",
    default="",
    default_shown="none",
    variable="ZOO_EVIDENCE",
    help="Show one piece of evidence, or what a claim rests on, and how to find it again.",
)
@options.option(
    "--unseen",
    metavar="CLASS",
    multiple=True,
    default_shown="none",
    variable="ZOO_UNSEEN",
    help="A class that MODEL never saw: what it would make of it, and why. Repeat it.",
)
@options.option(
    "--data",
    metavar="DATA",
    default="",
    default_shown="none",
    variable="ZOO_DATA",
    help="With --unseen: labelled samples to try it on.",
)
@options.option(
    "--sense",
    "senses",
    metavar="LABEL=SENSE",
    multiple=True,
    callback=_parse_senses,
    default_shown="asked where it matters",
    variable="ZOO_SENSE",
    help="Which sense of a label is meant. Repeat it.",
)
@options.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    default=None,
    default_shown="your own runs",
    variable="ZOO_HISTORY",
    help="Recorded transfers as well: source,target,value.",
)
@options.option(
    "--encoder",
    metavar="MODEL",
    default="",
    default_shown="none",
    variable="ZOO_ENCODER",
    help="A text checkpoint or label encoder, to match labels by what they mean.",
)
@options.option(
    "--no-maps",
    "maps",
    flag_value=False,
    default=True,
    type=bool,
    default_shown="off",
    variable="ZOO_MAPS",
    help="Leave out the attribution maps, which take a backward pass a sample.",
)
@options.option(
    "--only",
    metavar="REPORTER",
    multiple=True,
    default_shown="all that fit",
    variable="ZOO_ONLY",
    help="See `zoo plugins list --hook zoo_reporters`. Repeat it.",
)
@options.assignments
@data_options
@options.registry
@options.device
@options.runtime
@options.precision
@options.jobs
@options.timeout
@options.html
def explain(
    context: Context,
    *,
    subject: str | None,
    evidence: str,
    unseen: tuple[str, ...],
    data: str,
    probe: ProbeOptions,
    html_path: Path | None,
    **question: Any,
) -> int:
    """Say why a checkpoint stands where it does, or what it makes of a class it never saw.

    RUN is a run of `zoo recommend`, by its name or its last letters; without one, the newest.
    Every sentence says how sure it is - measured, known, supported or not known - and names its
    evidence, which --evidence shows. With --unseen the argument is a MODEL instead.
    """
    check_page(html_path)
    if unseen:
        report, ranking = (
            _of_class(context, subject, unseen, question, data=data, probe=probe),
            None,
        )
    else:
        report, ranking = _of_run(context, subject, evidence, question)
    if html_path is not None:
        from zoo.render.explanation_page import write_explanation_html

        write_explanation_html(report, html_path, ranking)
    return _shown(context, report, evidence, html_path)


def _shown(context: Context, report: Report, evidence: str, html_path: Path | None) -> int:
    from zoo_cli.explain_view import exit_code, show_report, show_trace, trace_hint

    if evidence:
        return show_trace(context, report, evidence)
    show_report(context.output, report)
    if html_path is not None:
        context.output.note(f"Page: {html_path}")
    if not report.claims:
        context.output.note("Nothing can be said but what is not known.")
    context.output.hint(trace_hint(report))
    return exit_code(report)


def _of_run(
    context: Context, name: str | None, evidence: str, question: dict[str, Any]
) -> tuple[Report, Ranking]:
    from zoo.events import ignore
    from zoo.explaining.history import read_history
    from zoo.explaining.journey import explain_run
    from zoo_cli.explain_view import ask_senses, keep, kept
    from zoo_cli.progress import listening

    _refuse(_OF_CLASS, "says what --unseen is tried on; a run has data of its own")
    run = _run(context, name)
    ranking = run.require_ranking()
    if evidence and not _typed(_ASKING):
        last = kept(run)
        if last is not None:
            return last, ranking
    history = question.pop("history")
    question["history"] = read_history(history) if history is not None else ()
    question["options"] = question.pop("assignments")
    with listening(context) as listener:
        explain = partial(
            explain_run, run, context.settings, context.catalogue, on_event=listener, **question
        )
        report = explain()
    if chosen := ask_senses(context.output, report):
        report = explain(senses=question["senses"] | chosen, on_event=ignore)
    keep(run, report)
    return report, ranking


def _of_class(
    context: Context,
    model: str | None,
    unseen: tuple[str, ...],
    question: dict[str, Any],
    **data: Any,
) -> Report:
    from zoo.explaining.journey import explain_class
    from zoo_cli.progress import listening

    if model is None:
        raise click.UsageError(
            "--unseen asks what a model makes of a class: name it, as in "
            f"zoo explain ./classifier --unseen {unseen[0]}."
        )
    _refuse(_OF_RUN, "asks about a run, and --unseen about a model")
    with listening(context) as listener:
        return explain_class(
            model,
            unseen,
            context.settings,
            context.catalogue,
            senses=question["senses"],
            encoder=question["encoder"],
            only=question["only"],
            options=question["assignments"],
            on_event=listener,
            **data,
        )


def _run(context: Context, name: str | None) -> Run:
    """Find the run that was named, else the newest."""
    from zoo.runs import find_run, newest_run

    if name is not None:
        return find_run(context.settings.folder, name)
    run = newest_run(context.settings.folder)
    context.output.note(f"The newest run: {run.name}.")
    return run


def _typed(names: frozenset[str]) -> list[str]:
    """Options among these that were given on the command line, as people spell them."""
    given = click.get_current_context()
    return [
        parameter.opts[-1]
        for parameter in given.command.params
        if isinstance(parameter, click.Option)
        and (parameter.name in names)
        and given.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]


def _refuse(names: frozenset[str], why: str) -> None:
    typed = _typed(names)
    if typed:
        raise click.UsageError(f"{', '.join(typed)} {why}.")
