"""An explanation on a terminal: claims under their topics, each with its level and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.render.columns import Column, cells, plain
from zoo.render.explanation_parts import (
    chosen_place,
    clean,
    credit_line,
    level_words,
    number_text,
    path_text,
    paths_of,
    sentence,
    short_names,
    told,
    topics,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo.types.explaining import Claim, Figure, Report

    Paint = Callable[[str, str], str]


_MARGIN = "  "
_GAP = 3
_MOST_PATHS = 8
_MOST_BARS = 12
_MOST_LAYERS = 24
NOTHING_UNKNOWN = "No reporter listed anything that it looked for and did not find."


def unpainted(text: str, role: str) -> str:
    """Leave a text as it is."""
    del role
    return text


def text(report: Report, width: int = 100, paint: Paint = unpainted) -> str:
    """Write an explanation for a terminal.

    Args:
        report: the explanation.
        width: cells of a line; only an id or a word that is longer stands out.
        paint: text and its role (``title``, ``heading``, ``tag``, ``warning``) -> the same text
            with what the terminal needs to show the role. Nothing is said by colour alone.
    """
    lines = [paint(line, "title") for line in wrapped(short_names(report.title, report), width)]
    for topic in topics(report):
        lines += ["", paint(topic.title, "heading")]
        for claim in topic.claims:
            lines += _claim(claim, report, width, paint)
        for figure in topic.figures:
            lines += [] if told(figure, topic) else _figure(figure, width, paint)
    lines += ["", paint("Not known", "heading")]
    for claim in report.unknown:
        lines += _claim(claim, report, width, paint)
    if not report.unknown:
        lines += [f"{_MARGIN}{line}" for line in wrapped(NOTHING_UNKNOWN, width - 2)]
    for failure in report.failures:
        said = f"Failed: {clean(failure)} {clean(failure.hint)}".rstrip()
        lines += ["", *(paint(line, "warning") for line in wrapped(said, width))]
    lines += [paint(line, "tag") for line in _credits(report, width)]
    return "\n".join(lines)


def claim_columns() -> list[Column]:
    """Columns of the claims as a table, for machine modes; the id is what ``-q`` prints."""
    names = ("id", "level", "tentative", "topic", "text", "evidence", "reporter", "models")
    return [Column(name, key=name == "id") for name in names]


def claim_rows(report: Report) -> list[dict[str, object]]:
    """One plain row a claim, what is not known last."""
    return [
        {
            "id": claim.id,
            "level": claim.level,
            "tentative": claim.tentative,
            "topic": claim.topic,
            "text": claim.text,
            "evidence": list(claim.evidence),
            "reporter": claim.reporter,
            "models": list(claim.models),
        }
        for claim in (*report.claims, *report.unknown)
    ]


def wrapped(text: str, width: int) -> list[str]:
    """Break a text between words into lines of so many cells; a longer word stays whole."""
    lines, line, taken = [], "", 0
    for word in text.split():
        wide = cells(word)
        if line and taken + 1 + wide > width:
            lines.append(line)
            line, taken = word, wide
        else:
            line, taken = (f"{line} {word}", taken + 1 + wide) if line else (word, wide)
    return [*lines, line] if line else lines


def _claim(claim: Claim, report: Report, width: int, paint: Paint) -> Iterator[str]:
    """The sentence, and the level and evidence at the right edge or, wrapped, below it."""
    lines = wrapped(sentence(claim, report), width - len(_MARGIN))
    tag = f"[{level_words(claim)} {' '.join(claim.evidence)}]"
    free = width - len(_MARGIN) - cells(lines[-1]) - len(tag)
    *before, last = lines
    for line in before:
        yield f"{_MARGIN}{line}"
    if free >= _GAP:
        yield f"{_MARGIN}{last}{' ' * free}{paint(tag, 'tag')}"
        return
    yield f"{_MARGIN}{last}"
    for line in wrapped(tag, width - 2 * len(_MARGIN)):
        yield f"{_MARGIN * 2}{paint(line, 'tag')}"


def _figure(figure: Figure, width: int, paint: Paint) -> Iterator[str]:
    drawn = list(_DRAWN[figure.kind](figure, width - 2 * len(_MARGIN)))
    title = wrapped(clean(figure.title), width - len(_MARGIN)) if drawn else []
    for line in title:
        yield f"{_MARGIN}{paint(line, 'tag')}"
    for line in drawn:
        yield f"{_MARGIN * 2}{line}" if line else ""


def _paths(figure: Figure, width: int) -> Iterator[str]:
    found = paths_of(figure)
    for path in found[:_MOST_PATHS]:
        lines = wrapped(path_text(path), width - len(_MARGIN))
        yield from (f"{_MARGIN if place else ''}{line}" for place, line in enumerate(lines))
    if len(found) > _MOST_PATHS:
        yield f"... and {len(found) - _MOST_PATHS} more; --html draws them all"


def _curve(figure: Figure, width: int) -> Iterator[str]:
    layers = [clean(each) for each in figure.data.get("layers", ())]
    series = figure.data.get("series", ())
    marks = [chosen_place(each, figure.data.get("layers", ())) for each in series]
    columns = [Column("layer", "layer")] + [
        Column(str(place), clean(each.get("name", "")), right=True)
        for place, each in enumerate(series)
    ]
    rows = []
    for index, layer in enumerate(layers):
        row = {"layer": layer}
        for place, each in enumerate(series):
            values = each.get("values", ())
            mark = " <" if marks[place] == index else "  " if marks[place] >= 0 else ""
            row[str(place)] = number_text(values[index] if index < len(values) else None) + mark
        rows.append(row)
    yield from _table(columns, rows, _MOST_LAYERS, width)


def _bars(figure: Figure, width: int) -> Iterator[str]:
    names = [clean(each) for each in figure.data.get("names", ())]
    columns = [Column("label", "class")] + [
        Column(str(place), name, right=True) for place, name in enumerate(names)
    ]
    rows = [
        {"label": clean(each.get("label", ""))}
        | {str(place): number_text(value) for place, value in enumerate(each.get("values", ()))}
        for each in figure.data.get("rows", ())
    ]
    yield from _table(columns, rows, _MOST_BARS, width)


def _images(figure: Figure, width: int) -> Iterator[str]:
    count = sum(len(each.get("images", ())) for each in figure.data.get("rows", ()))
    yield from wrapped(f"{count} pictures: --html shows them.", width)


def _table(
    columns: list[Column], rows: list[dict[str, str]], most: int, width: int
) -> Iterator[str]:
    """A small table; where it is wider than the terminal, a line or two a row."""
    lines = plain(columns, rows[:most]).splitlines() if rows else []
    if max(map(cells, lines), default=0) <= width:
        yield from lines
    else:
        for row in rows[:most]:
            said = ", ".join(f"{each.header} {each.text(row).strip()}" for each in columns[1:])
            for place, line in enumerate(wrapped(f"{columns[0].text(row)}: {said}", width - 2)):
                yield f"{_MARGIN if place else ''}{line}"
    if len(rows) > most:
        yield f"... and {len(rows) - most} more; --json has them all"


def _credits(report: Report, width: int) -> Iterator[str]:
    for place, graph in enumerate(report.graphs):
        if not place:
            yield ""
        yield from wrapped(f"From the graph {credit_line(graph)}", width)


_DRAWN = {"path": _paths, "curve": _curve, "bars": _bars, "images": _images}
