"""An explanation as Markdown, in which labels and cards stay text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.render.columns import Column, markdown_table
from zoo.render.explanation import NOTHING_UNKNOWN
from zoo.render.explanation_parts import (
    LEVELS,
    Topic,
    cited_by,
    clean,
    credit_line,
    found_text,
    level_words,
    number_text,
    path_text,
    paths_of,
    sentence,
    short_names,
    told,
    topics,
)
from zoo.render.explanation_trace import check_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.explaining import Claim, Figure, Report

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$])")
#: As entities: a table escapes the backslash itself.
_CELL = {ord(each): f"&#{ord(each)};" for each in "&`*_{}[]~$#"}
_START = re.compile(r"^(\d+)([.)])|^([-+=>])")


def markdown(report: Report) -> str:
    """Write a whole explanation as GitHub Markdown."""
    sections = [f"# {escaped(short_names(report.title, report))}"]
    sections += [_topic(topic, report) for topic in topics(report)]
    unknown = [_claim(each, report) for each in report.unknown] or [f"* {NOTHING_UNKNOWN}"]
    sections.append("## Not known\n\n" + "\n".join(unknown))
    if report.failures:
        failed = [f"* {escaped(each)} {escaped(each.hint)}".rstrip() for each in report.failures]
        sections.append("## Failed\n\n" + "\n".join(failed))
    sections.append("## Evidence\n\n" + _evidence(report) + "\n" + _levels())
    if report.graphs:
        lines = [f"* {escaped(credit_line(each))}" for each in report.graphs]
        sections.append("## Graphs\n\n" + "\n".join(lines))
    sections.append(_provenance(report))
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def escaped(text: object) -> str:
    """Keep somebody else's text from becoming a heading, a link, HTML or a table."""
    plain = _SPECIAL.sub(r"\\\1", clean(text)).replace("&", "&amp;")
    plain = plain.replace("<", "&lt;").replace("://", "&#58;//").replace("www.", "www&#46;")
    return _START.sub(
        lambda found: rf"{found[1]}\{found[2]}" if found[1] else rf"\{found[3]}", plain
    )


def code(text: object) -> str:
    """Write a text as code, whatever back-ticks it holds."""
    plain = clean(text)
    longest = max((len(each) for each in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{space}{plain}{space}{fence}" if plain else ""


def _topic(topic: Topic, report: Report) -> str:
    lines = [_claim(each, report) for each in topic.claims]
    drawn = [each for each in topic.figures if not told(each, topic)]
    figures = [part for each in drawn if (part := _figure(each))]
    return "\n\n".join([f"## {escaped(topic.title)}", "\n".join(lines), *figures]).strip()


def _claim(claim: Claim, report: Report) -> str:
    ids = ", ".join(code(each) for each in claim.evidence)
    return f"* {escaped(sentence(claim, report))} *{level_words(claim)}* ({ids})"


def _figure(figure: Figure) -> str:
    drawn = "\n".join(_DRAWN[figure.kind](figure))
    return f"**{escaped(figure.title)}**\n\n{drawn}".rstrip() if drawn else ""


def _paths(figure: Figure) -> Iterator[str]:
    for path in paths_of(figure):
        caption = f"{escaped(path.caption)}: " if path.caption else ""
        yield f"* {caption}{code(path_text(path))}"


def _curve(figure: Figure) -> Iterator[str]:
    series = figure.data.get("series", ())
    columns = [Column("layer", "layer")] + [
        Column(str(place), escaped(each.get("name", "")), right=True)
        for place, each in enumerate(series)
    ]
    rows = [
        {"layer": clean(layer)}
        | {
            str(place): number_text(each["values"][index])
            for place, each in enumerate(series)
            if index < len(each.get("values", ()))
        }
        for index, layer in enumerate(figure.data.get("layers", ()))
    ]
    yield markdown_table(columns, _safe(rows))


def _bars(figure: Figure) -> Iterator[str]:
    columns = [Column("label", "class")] + [
        Column(str(place), escaped(name), right=True)
        for place, name in enumerate(figure.data.get("names", ()))
    ]
    rows = [
        {"label": clean(each.get("label", ""))}
        | {str(place): number_text(value) for place, value in enumerate(each.get("values", ()))}
        for each in figure.data.get("rows", ())
    ]
    yield markdown_table(columns, _safe(rows))


def _images(figure: Figure) -> Iterator[str]:
    yield f"{escaped(figure.description)} (`zoo explain --html` shows the pictures.)"


def _safe(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Escape what a table does not: it takes care of bars and of HTML itself."""
    return [{name: text.translate(_CELL) for name, text in row.items()} for row in rows]


def _evidence(report: Report) -> str:
    citing = cited_by(report)
    columns = [Column(each, each) for each in ("id", "kind", "about", "found", "source")]
    columns += [Column("cited", "cited by"), Column("check", "how to check")]
    rows = [
        {
            "id": each.id,
            "kind": each.kind if each.confirmed else f"{each.kind}, not confirmed",
            "about": clean(f"{each.subject}: {each.predicate}"),
            "found": found_text(each),
            "source": clean(each.source),
            "cited": ", ".join(citing.get(each.id, ())),
            "check": check_command(each),
        }
        for each in report.evidence
    ]
    return markdown_table(columns, _safe(rows))


def _levels() -> str:
    return "\n".join(f"* {name}: {meaning}" for name, meaning in LEVELS.items())


def _provenance(report: Report) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    facts = {
        "run": report.run,
        "model": report.model,
        "compared with": report.against,
        "data": report.data,
        "seed": str(report.seed),
        "versions": versions,
    }
    lines = [f"* {name}: {code(value)}" for name, value in facts.items() if value]
    return "## Provenance\n\n" + "\n".join(lines)


_DRAWN = {"path": _paths, "curve": _curve, "bars": _bars, "images": _images}
