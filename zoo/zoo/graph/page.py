"""The neighbourhood of a node as a self-contained page with one drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from zoo.graph.neighbourhood import Branch, Neighbourhood, Node

_WIDTH, _ROW, _INDENT, _LEFT = 640, 30, 26, 8
_LETTER = 7.8
_WIDE = 12.0

#: Level, name, link upwards: a kind of, or a part of; whether it is the node itself.
_Row = tuple[int, str, str, bool]


def write_page(found: Neighbourhood, path: Path) -> None:
    """Write the page, whole or not at all; every text of the graph is escaped.

    Raises:
        InputError: it cannot be written there.
    """
    from markupsafe import Markup

    from zoo.render.document import environment, write_page

    template = environment().get_template("neighbourhood.html.j2")
    write_page(template.render(found=found, drawing=Markup(drawing(found))), path)  # noqa: S704 -- drawing() escapes


def drawing(found: Neighbourhood) -> str:
    """Draw the shortest chain down to the node, and what stands below it, as SVG."""
    from markupsafe import escape

    rows = list(_rows(found))
    height = len(rows) * _ROW + 10
    width = max([_WIDTH, *(_right(row) for row in rows)])
    parts = [
        f'<svg viewBox="0 0 {width:g} {height}" role="img" class="chain"',
        ' aria-labelledby="drawing-title drawing-desc">',
        f'<title id="drawing-title">{escape(found.node.name)}</title>',
        f'<desc id="drawing-desc">{escape(_described(found))}</desc>',
        *(_edge(rows, place) for place in range(1, len(rows))),
        *(_box(row, place) for place, row in enumerate(rows)),
        "</svg>",
    ]
    return "".join(parts)


def _rows(found: Neighbourhood) -> Iterator[_Row]:
    chain: Sequence[Node] = min(found.broader, key=len, default=())
    for level, node in enumerate(chain):
        yield level, node.name, "kind", False
    level = len(chain)
    yield level, found.node.name, "kind", True
    for part in found.parts:
        yield level + 1, part.name, "part", False
    yield from _branches(found.narrower, found.more, level + 1)


def _branches(branches: Sequence[Branch], more: int, level: int) -> Iterator[_Row]:
    for branch in branches:
        yield level, branch.node.name, "kind", False
        if branch.below:
            yield from _branches(branch.below, branch.more, level + 1)
    if more:
        yield level, f"{more} more", "more", False


def _cut(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:59]}\u2026"


def _room(name: str) -> float:
    """Estimate how wide a name is; whatever font the reader has, an m is no i."""
    return sum(_WIDE if each in "mwMWQOG@%" else _LETTER for each in _cut(name))


def _right(row: _Row) -> float:
    return _LEFT + row[0] * _INDENT + _room(row[1]) + 120


def _box(row: _Row, place: int) -> str:
    from markupsafe import escape

    level, name, kind, chosen = row
    left, top, width = _LEFT + level * _INDENT, place * _ROW + 5, _room(name) + 18
    words = {"part": "part", "more": ""}.get(kind, "")
    beside = (
        f'<text class="link" x="{left + width + 8:g}" y="{top + 15}">{words}</text>'
        if words
        else ""
    )
    frame = (
        ""
        if kind == "more"
        else f'<rect x="{left}" y="{top}" width="{width:g}" height="22" rx="6"/>'
    )
    return (
        f'<g class="{"end" if chosen else "step"}">{frame}'
        f'<text x="{left + 9}" y="{top + 15}">{escape(_cut(name))}</text>{beside}</g>'
    )


def _edge(rows: Sequence[_Row], place: int) -> str:
    """Draw from the nearest row above that stands one level higher."""
    level = rows[place][0]
    above = next((each for each in range(place - 1, -1, -1) if rows[each][0] < level), None)
    if above is None:
        return ""
    x, start = _LEFT + rows[above][0] * _INDENT + 10, above * _ROW + 27
    end, right = place * _ROW + 16, _LEFT + level * _INDENT
    return f'<path class="edge" d="M{x} {start} V{end} H{right}"/>'


def _described(found: Neighbourhood) -> str:
    chain = [node.name for node in min(found.broader, key=len, default=())]
    kinds = [branch.node.name for branch in found.narrower]
    said = [
        f"From the most general kind: {', '.join([*chain, found.node.name])}.",
        f"Kinds of it: {', '.join(kinds)}." if kinds else "",
        f"Parts: {', '.join(node.name for node in found.parts)}." if found.parts else "",
    ]
    return " ".join(each for each in said if each)
