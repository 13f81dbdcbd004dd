"""An explanation as one page: no script, no request, light and dark, on screen and on paper."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from zoo.render.document import environment, grid, write_page
from zoo.render.explanation import NOTHING_UNKNOWN
from zoo.render.explanation_figures import bar_rows, curve_svg, path_svg, picture_rows
from zoo.render.explanation_parts import (
    LEVELS,
    cited_by,
    clean,
    credit_line,
    found_text,
    paths_of,
    sentence,
    short_names,
    topics,
)
from zoo.render.explanation_trace import check_command, names_of, triple_text, whole
from zoo.render.table import ranking_columns, ranking_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from zoo.types.explaining import Claim, Evidence, Figure, Report
    from zoo.types.ranking import Ranking


@dataclass(frozen=True)
class Page:
    """What the templates are given; everything in it is escaped but our own drawings."""

    report: Report
    title: str
    subtitle: str
    topics: list[dict[str, Any]]
    unknown: list[tuple[Claim, str]]
    evidence: list[dict[str, Any]]
    credits: list[str]
    provenance: list[tuple[str, str]]
    table: dict[str, Any] | None = None
    levels: dict[str, str] | None = None
    nothing_unknown: str = NOTHING_UNKNOWN


def explanation_html(report: Report, ranking: Ranking | None = None) -> str:
    """Write an explanation as one self-contained page, under its ranking where there is one."""
    template = environment().get_template("explanation.html.j2")
    page: str = template.render(page=page_of(report, ranking))
    return page


def write_explanation_html(
    report: Report, path: Path | str, ranking: Ranking | None = None
) -> None:
    """Write the page to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written there.
    """
    write_page(explanation_html(report, ranking), path)


def page_of(report: Report, ranking: Ranking | None = None) -> Page:
    """Make everything that the templates show of an explanation."""
    citing, names = cited_by(report), names_of(report.evidence)
    drawn = [
        {
            "title": topic.title,
            "claims": [(each, sentence(each, report)) for each in topic.claims],
            "figures": _grouped(
                _figure(each, f"figure-{place}-{number}")
                for number, each in enumerate(topic.figures)
            ),
        }
        for place, topic in enumerate(topics(report))
    ]
    return Page(
        report=report,
        title=short_names(report.title, report),
        subtitle=_subtitle(report),
        topics=drawn,
        unknown=[(each, sentence(each, report)) for each in report.unknown],
        evidence=[
            _row(each, citing.get(each.id, []), lambda iri: names.get(iri, ""))
            for each in report.evidence
        ],
        credits=[credit_line(each) for each in report.graphs],
        provenance=_provenance(report),
        table=grid(ranking_columns(ranking), ranking_rows(ranking)) if ranking else None,
        levels=LEVELS,
    )


def _grouped(figures: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Put neighbours of one kind together: paths stand side by side."""
    return [(kind, list(each)) for kind, each in groupby(figures, key=lambda each: each["kind"])]


def _figure(figure: Figure, name: str) -> dict[str, Any]:
    from markupsafe import Markup

    drawings: list[tuple[str, Any]] = []
    if figure.kind == "path":
        drawings = [
            (each.caption, Markup(path_svg(each, f"{name}-{place}", figure.description)))  # noqa: S704 -- ours, escaped
            for place, each in enumerate(paths_of(figure))
        ]
    elif figure.kind == "curve":
        drawings = [("", Markup(curve_svg(figure, name)))]  # noqa: S704 -- ours, escaped
    names, rows = bar_rows(figure) if figure.kind == "bars" else ([], [])
    return {
        "kind": figure.kind,
        "title": clean(figure.title),
        "description": clean(figure.description),
        "evidence": figure.evidence,
        "drawings": drawings,
        "names": names,
        "rows": picture_rows(figure) if figure.kind == "images" else rows,
    }


def _row(evidence: Evidence, citing: list[str], name_of: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": evidence.id,
        "kind": evidence.kind,
        "confirmed": evidence.confirmed,
        "about": clean(f"{evidence.subject}: {evidence.predicate}"),
        "found": found_text(evidence),
        "facts": [
            (clean(name).replace("_", " "), whole(value)) for name, value in evidence.object.items()
        ],
        "source": clean(evidence.source),
        "sha256": clean(evidence.sha256),
        "triples": [triple_text(each, name_of) for each in evidence.triples],
        "derived_from": evidence.derived_from,
        "check": check_command(evidence),
        "cited_by": citing,
    }


def _subtitle(report: Report) -> str:
    known = [
        f"run {report.run}" if report.run else "",
        clean(report.data),
        f"{len(report.claims)} claims",
        f"{len(report.evidence)} pieces of evidence",
    ]
    return ", ".join(each for each in known if each)


def _provenance(report: Report) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    facts = {
        "Run": report.run,
        "Model": report.model,
        "Compared with": report.against,
        "Data": report.data,
        "Seed": str(report.seed),
        "Versions": versions,
    }
    return [(name, clean(value)) for name, value in facts.items() if value]
