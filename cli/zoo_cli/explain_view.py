"""Explanations on a terminal, and the last one of a run, kept so that it can be traced."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from zoo.errors import ExitCode, ZooError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo.runs import Run
    from zoo.types.explaining import Report
    from zoo_cli.context import Context
    from zoo_cli.output import Output

_KEPT = "explanation.json"
_WIDEST, _NARROWEST = 100, 40
_STYLES = {
    "title": {"bold": True},
    "heading": {"fg": "cyan", "bold": True},
    "tag": {"dim": True},
    "dim": {"dim": True},
    "warning": {"fg": "yellow"},
}


def show_report(output: Output, report: Report) -> None:
    """Print an explanation in the mode that was asked for."""
    from zoo.render.explanation import claim_columns, claim_rows

    if output.machine:
        output.rows(claim_columns(), claim_rows(report), document=report)
        for failure in report.failures:
            output.failure(failure)
    else:
        show_explanation(output, report)


def show_explanation(output: Output, report: Report) -> None:
    """Print an explanation for people; nothing in a machine's mode."""
    if output.machine:
        return
    if output.mode == "md":
        from zoo.render.explanation_markdown import markdown

        output.write(markdown(report))
        return
    from zoo.render.explanation import text

    output.line(text(report, _width(), painter(output)))


def ask_senses(output: Output, report: Report) -> dict[str, str]:
    """Ask which sense is meant where a label has several and nothing decides: label -> IRI.

    Nobody is asked without a terminal, or where a program reads the answer: the report says itself
    what was taken.
    """
    if output.machine or output.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return {}
    chosen = {}
    for each in report.evidence:
        found = each.object
        if each.kind == "alignment" and found.get("undecided"):
            senses = [(found["iri"], found["sense"], found["gloss"])]
            senses += [(one["iri"], one["sense"], one["gloss"]) for one in found["alternatives"]]
            output.note(f"What does {found['label']!r} mean?")
            for number, (_, name, gloss) in enumerate(senses, start=1):
                output.note(f"  {number}  {name}: {gloss}" if gloss else f"  {number}  {name}")
            number = click.prompt(
                "Number", type=click.IntRange(1, len(senses)), default=1, err=True
            )
            chosen[each.subject] = senses[number - 1][0]
    return chosen


def show_trace(context: Context, report: Report, name: str) -> int:
    """Print one claim or piece of evidence, and all that it rests on.

    Raises:
        UnknownNameError: the explanation has nothing of that id.
    """
    from zoo.render.explanation_trace import trace, trace_text

    found = trace(report, name)
    ids = [each.id for each in found.evidence]
    with _names(context) as name_of:
        said = trace_text(found, report, name_of, painter(context.output))
    context.output.value(found, said, ids)
    return ExitCode.DONE


def exit_code(report: Report) -> int:
    """Say how an explanation ends a command."""
    if report.failures:
        return ExitCode.PARTIAL
    return ExitCode.DONE if report.claims else ExitCode.NOTHING


def keep(run: Run, report: Report) -> None:
    """Keep an explanation in the folder of its run, in place of the one before."""
    from zoo.files import write_atomically

    write_atomically(run.folder / _KEPT, msgspec.json.encode(report))


def kept(run: Run) -> Report | None:
    """Give the last explanation of a run; None without one that can be read."""
    from zoo.types.explaining import Report

    try:
        return msgspec.json.decode((run.folder / _KEPT).read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError):
        return None


def trace_hint(report: Report) -> str:
    """Say how the first sentence of an explanation is traced."""
    first = next(iter(report.claims or report.unknown), None)
    if first is None or not report.run:
        return ""
    return f"zoo explain {report.run.rpartition('-')[2]} --evidence {first.evidence[0]}"


def painter(output: Output) -> Callable[[str, str], str]:
    """Give what styles a text by its role, where standard output takes colour."""
    if not output.color(output.stream):
        return lambda text, _: text
    return lambda text, role: click.style(text, **_STYLES[role])  # type: ignore[arg-type]


@contextmanager
def _names(context: Context) -> Iterator[Callable[[str], str] | None]:
    """Name the nodes of the graph, where there is one and nobody else holds it."""
    from zoo.graph import open_graph

    with ExitStack() as stack:
        try:
            folder = context.settings.folder
            graph = stack.enter_context(open_graph(folder, create=False, wait=1.0))
        except ZooError:
            yield None
        else:
            yield graph.name_of


def _width() -> int:
    return min(max(shutil.get_terminal_size((_WIDEST, 24)).columns, _NARROWEST), _WIDEST)
