"""``zoo models compare``: how alike models see the same data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import ExitCode, InputError
from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.data_options import data_options
from zoo_cli.question import check_page, request_of

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.comparison import AgreementMap
    from zoo.types import ProbeOptions
    from zoo_cli.context import Context

#: Pairs of samples are what is compared: more samples change little.
_SAMPLES = 200


@zoo_command(
    "compare",
    examples=(
        "zoo models compare hub:microsoft/resnet-18 ./mine --data photos/",
        "zoo models compare ./first ./second ./third --data reviews.csv -e rsa --html map.html",
    ),
)
@click.argument("names", metavar="MODEL MODEL...", nargs=-1)
@click.option("--data", metavar="DATA", required=True, help="What the models are to look at.")
@options.estimator
@options.assignments
@options.attribution
@data_options
@options.registry
@options.trust_remote_code
@options.device
@options.runtime
@options.precision
@options.jobs
@options.timeout
@options.html
def compare(
    context: Context,
    *,
    names: tuple[str, ...],
    data: str,
    probe: ProbeOptions,
    attribution: str,
    html_path: Path | None,
    **question: Any,
) -> int:
    """Map how alike models see the same data: agreement, not transferability.

    An estimator that compares a model with a reference makes the map; each that is named makes
    one of its own. None of them reads the labels. Models that agree are of little use beside each
    other, in an ensemble for instance.
    Of the data, 200 samples are taken unless --probe-size says otherwise.
    """
    from zoo.comparison import compare_models
    from zoo.render.agreement import write_agreement_html
    from zoo_cli.progress import listening

    if len(set(names)) < 2:
        raise InputError(
            f"a comparison needs at least 2 models, and there {_are(len(set(names)))} named.",
            "zoo models compare MODEL MODEL --data DATA",
        )
    check_page(html_path)
    if context.resolved.origins["probe_size"] == "default":
        probe = replace(probe, samples=_SAMPLES)
    request = request_of(context, data, models=names, probe=probe, **question)
    with listening(context) as listener:
        found = compare_models(
            request,
            context.settings,
            context.catalogue,
            attribution="" if attribution == "none" else attribution,
            on_event=listener,
        )
    if html_path is not None:
        write_agreement_html(found, html_path)
    _show(context, found, html_path)
    return ExitCode.PARTIAL if found.failures else ExitCode.DONE


def _show(context: Context, found: AgreementMap, html_path: Path | None) -> None:
    from zoo.render.agreement import agreement_columns, agreement_rows, verdict
    from zoo.render.words import data_line, exclusions_line

    output = context.output
    output.note(data_line(found.probe))
    for number, one in enumerate(found.agreement):
        output.rows(
            agreement_columns(found.models),
            agreement_rows(one, found.models),
            document=found if number == 0 else None,
            title=f"Agreement in the eyes of {one.estimator}",
        )
        output.note(f"{one.estimator}: {one.note}." if one.note else "")
    output.success(verdict(found))
    if found.excluded:
        output.note(f"{exclusions_line(found.excluded)}.")
    if html_path is not None:
        output.note(f"Page: {html_path}")
    for failure in found.failures:
        output.failure(failure)


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count or 'none'}"
