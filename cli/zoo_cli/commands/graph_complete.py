"""``zoo graph complete``, ``predictions`` and ``accept``: links that a model expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from zoo.errors import ExitCode, InputError
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.graph_view import opened_graph
from zoo_cli.output import Column
from zoo_cli.progress import listening
from zoo_cli.recipe_flags import method_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.completing.journey import CompletionReport
    from zoo.completing.predictions import Prediction
    from zoo_cli.context import Context


def _missing(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Take ``LABEL=gloss`` apart."""
    del ctx, param
    found = []
    for value in values:
        label, _, gloss = (part.strip() for part in value.partition("="))
        if not label:
            raise click.BadParameter(f"{value!r} has no name; type 'Bengal=a spotted cat'.")
        found.append((label, gloss))
    return tuple(dict.fromkeys(found))


@zoo_command(
    "complete",
    examples=(
        "zoo graph complete --around cat dog --missing 'Bengal=a breed of cat' -n 3",
        "zoo graph complete --around vehicle --relation hypernym --evaluate",
        "zoo graph complete --around cat --encoder ./all-MiniLM-L6-v2 --missing Sphynx --json",
    ),
)
@options.option(
    "--method",
    metavar="NAME",
    default="",
    default_shown="the first that is a default",
    variable="ZOO_COMPLETER",
    help="See `zoo plugins list --hook zoo_completers`.",
)
@method_options
@options.option(
    "--relation",
    "relations",
    metavar="NAME",
    multiple=True,
    default_shown="kinds and parts",
    variable="ZOO_RELATION",
    help="A relation to learn, such as hypernym or wn:mero_part. Repeat it.",
)
@options.option(
    "--around",
    metavar="TERM",
    multiple=True,
    default_shown="the whole graph",
    variable="ZOO_AROUND",
    help="Learn the neighbourhood of this node only. Repeat it.",
)
@options.option(
    "--missing",
    metavar="LABEL[=GLOSS]",
    multiple=True,
    callback=_missing,
    default_shown="none",
    variable="ZOO_MISSING",
    help="Something that the graph does not have: what is it a kind of? Repeat it.",
)
@options.option(
    "-n",
    "--limit",
    "count",
    metavar="N",
    type=click.IntRange(min=1),
    default=5,
    default_shown="5",
    variable="ZOO_LIMIT",
    help="Predictions for each --missing; without it, in all.",
)
@options.option(
    "--nodes",
    metavar="N",
    type=click.IntRange(min=2),
    default=3000,
    default_shown="3000",
    variable="ZOO_NODES",
    help="Most nodes to learn; the nearest to --around are taken.",
)
@options.option(
    "--encoder",
    metavar="MODEL",
    default="",
    default_shown="the words that texts share",
    variable="ZOO_ENCODER",
    help="A text checkpoint that reads names and glosses.",
)
@click.option("--evaluate", is_flag=True, help="Hold links out, and say how well they are found.")
@options.seed
def complete(
    context: Context, *, missing: tuple[tuple[str, str], ...], nodes: int, **asked: Any
) -> int:
    """Learn the links of a part of the graph, and say which ones it may lack.

    What is expected is stored as predicted, with its probability. It is no fact, and no query
    takes it for one, until `zoo graph accept` says so.
    """
    from zoo.completing.journey import Question
    from zoo.completing.journey import complete as answer
    from zoo.completing.tables import Missing

    absent = tuple(Missing(*each) for each in missing)
    question = Question(missing=absent, limit=nodes, **asked)
    with listening(context) as listener:
        report = answer(question, context.settings, context.catalogue, on_event=listener)
    for note in report.notes:
        context.output.note(note)
    _show(context, report.predictions, report)
    _judge(context, report)
    if report.predictions:
        context.output.note("Stored as predicted; none of it is a fact until it is accepted.")
        context.output.hint(f"zoo graph accept {report.predictions[0].id}")
    return ExitCode.DONE


@zoo_command(
    "predictions",
    examples=("zoo graph predictions", "zoo graph predictions Bengal --json"),
)
@click.argument("subject", required=False, default="")
@options.limit
def predictions(context: Context, *, subject: str, limit: int | None) -> int:
    """List what was predicted of SUBJECT, a name or an IRI, or of everything."""
    from zoo.completing.predictions import stored_predictions
    from zoo_cli.documents.graph import PredictionList

    with opened_graph(context) as opened:
        found = stored_predictions(opened, subject or None)[:limit]
    _show(context, found, PredictionList(predictions=tuple(found)))
    if not found:
        context.output.hint("zoo graph complete --around TERM --missing LABEL")
    return ExitCode.DONE


@zoo_command(
    "accept",
    examples=("zoo graph accept 3f2a91", "zoo graph accept 3f2a91 --by anna"),
)
@click.argument("prediction", metavar="ID")
@options.option(
    "--by",
    metavar="NAME",
    default="",
    default_shown="your user name",
    variable="ZOO_BY",
    help="Who says so; it is kept with the fact.",
)
def accept(context: Context, *, prediction: str, by: str) -> int:
    """Make a fact of a prediction, with who said so and the day."""
    from datetime import UTC, datetime

    from zoo.completing.predictions import accept as make_fact
    from zoo.completing.wording import sentence
    from zoo_cli.documents.graph import AcceptedPrediction

    today = datetime.now(UTC).date()
    who = by.strip() or _user()
    with opened_graph(context) as opened:
        found = make_fact(opened, prediction, by=who, on=today)
    document = AcceptedPrediction(accepted=found, by=who, on=today.isoformat())
    context.output.value(document, f"{sentence(found)} by {who} on {today}.", [found.id])
    return ExitCode.DONE


def _show(context: Context, found: Sequence[Prediction], document: Any) -> None:
    from zoo.completing.wording import score_text, sentence

    columns = (
        Column("id", key=True),
        Column("probability", "SCORE", right=True, show=score_text),
        Column("said", "PREDICTED", flexible=True),
    )
    rows = [{**msgspec.to_builtins(each), "said": sentence(each)} for each in found]
    context.output.rows(columns, rows, document=document)


def _judge(context: Context, report: CompletionReport) -> None:
    """Say how well held-out links were found."""
    metrics, kept = report.metrics, report.reliability
    if metrics is None or kept is None:
        return
    shown = (
        f"{name} {each.value:.3f} ({each.low:.3f} to {each.high:.3f})"
        for name, each in (
            ("MRR", metrics.mrr),
            ("hits@1", metrics.hits1),
            ("hits@10", metrics.hits10),
        )
    )
    context.output.note(
        f"{metrics.links} held-out links among {metrics.candidates:,} nodes: {', '.join(shown)}."
    )
    context.output.note(
        f"The likeliest answers claim {kept.claimed:.2f} on average; {kept.right:.2f} are right."
    )


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise InputError("nobody knows who you are.", "Add --by NAME.") from error
