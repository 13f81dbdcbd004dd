"""Figures of an explanation as inline SVG: chains of kinds, and curves over layers.

Drawn by hand, so that they have the page's own fonts and colours and stay readable on a telephone.
"""

from __future__ import annotations

import base64
import binascii
import textwrap
from typing import TYPE_CHECKING, Any

from zoo.render.drawing import ACCENT, LINE, MUTED, figure_of, style, svg
from zoo.render.explanation_parts import Path, chosen_place, clean, number_text, path_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Figure

_WIDTH, _GAP, _LINE, _PADDING, _BETWEEN = 360, 14, 15, 8, 34
_LETTER = 6.9
_MOST_LINES = 3
_MOST_TICKS = 26
_PNG = b"\x89PNG\r\n\x1a\n"


def path_svg(path: Path, name: str, description: str = "") -> str:
    """Draw a chain of nodes: two chains that meet at the top, or one that is read downwards.

    Args:
        path: what to draw.
        name: of the element, unique in the page.
        description: what it shows, in words; the chain follows.
    """
    from markupsafe import escape

    placed = _placed(path)
    height = max(box.bottom for box in placed) + 2
    words = f"{clean(description)} {_described(path)}".strip()
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" class="chain"',
        f' style="max-width:{_WIDTH}px" aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{escape(path.caption or "Path")}</title>',
        f'<desc id="{name}-desc">{escape(words)}</desc>',
        *(_edge(placed, place, path) for place in range(len(path.links))),
        *(_node(box, ends=place in (0, len(placed) - 1)) for place, box in enumerate(placed)),
        "</svg>",
    ]
    return "".join(parts)


def curve_svg(figure: Figure, name: str) -> str:
    """Draw a value over the layers, one line a model, with the layer that was chosen."""
    layers = [clean(each) for each in figure.data.get("layers", ())]
    series = [each for each in figure.data.get("series", ()) if _known(each.get("values", ()))]
    if not layers or not series:
        return ""
    with style():
        drawing = figure_of(7.2, 3.0)
        axes = drawing.subplots()
        for place, each in enumerate(series):
            _line(axes, each, layers, first=not place)
        step = max(1, -(-len(layers) // _MOST_TICKS))
        ticks = range(0, len(layers), step)
        names = [_unmarked(layers[each]) for each in ticks]
        axes.set_xticks(ticks, names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, len(layers) - 0.5)
        axes.margins(y=0.22)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        if len(series) > 1:
            axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2)
        return svg(drawing, name, clean(figure.title), clean(figure.description))


def bar_rows(figure: Figure) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of the models, and each row's label with the length and text of every bar."""
    names = [clean(each) for each in figure.data.get("names", ())]
    rows = figure.data.get("rows", ())
    known = [value for row in rows for value in _known(row.get("values", ()))]
    longest = max((abs(each) for each in known), default=0.0) or 1.0
    longest = 1.0 if longest <= 1.0 < 1.6 * longest else longest
    return names, [
        {
            "label": clean(row.get("label", "")),
            "bars": [
                {
                    "text": number_text(value),
                    "length": 0.0 if value is None else round(100 * abs(value) / longest, 1),
                    "negative": value is not None and value < 0,
                }
                for value in row.get("values", ())
            ],
        }
        for row in rows
    ]


def picture_rows(figure: Figure) -> list[dict[str, Any]]:
    """Caption and pictures of each row; only what really is PNG, as data URIs."""
    return [
        {
            "caption": clean(row.get("caption", "")),
            "images": [
                {"uri": uri, "alt": clean(each.get("alt", ""))}
                for each in row.get("images", ())
                if (uri := _uri(each.get("png", "")))
            ],
        }
        for row in figure.data.get("rows", ())
    ]


class _Box:
    """A node where it stands."""

    def __init__(self, words: str, left: int, top: int, width: int) -> None:
        most = int((width - 2 * _PADDING) / _LETTER)
        self.words = words
        self.lines = textwrap.wrap(
            words, most, max_lines=_MOST_LINES, placeholder=" \u2026", break_long_words=True
        ) or [""]
        self.left, self.top, self.width = left, top, width
        self.height = _height(len(self.lines))

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


def _placed(path: Path) -> list[_Box]:
    """Give every node its place, in the order of the chain."""
    turn = path.top
    if turn is None or not 0 < turn < len(path.nodes) - 1:
        nodes = path.nodes if turn is None or turn == 0 else path.nodes[::-1]
        boxes = _column(nodes, left=50, top=1, width=_WIDTH - 100)
        return boxes if nodes is path.nodes else boxes[::-1]
    half = (_WIDTH - _GAP) // 2
    (peak,) = _column(path.nodes[turn : turn + 1], left=70, top=1, width=_WIDTH - 140)
    below = peak.bottom + _BETWEEN
    up = _column(path.nodes[:turn][::-1], left=1, top=below, width=half)
    down = _column(path.nodes[turn + 1 :], left=half + _GAP - 1, top=below, width=half)
    return [*up[::-1], peak, *down]


def _column(nodes: Sequence[str], *, left: int, top: int, width: int) -> list[_Box]:
    boxes = []
    for node in nodes:
        boxes.append(_Box(node, left, top, width))
        top = boxes[-1].bottom + _BETWEEN
    return boxes


def _height(lines: int) -> int:
    return lines * _LINE + 2 * _PADDING - 2


def _node(box: _Box, *, ends: bool) -> str:
    from markupsafe import escape

    kind = "end" if ends else "step"
    lines = "".join(
        f'<tspan x="{box.middle:g}" y="{box.top + _PADDING + 11 + place * _LINE}">'
        f"{escape(line)}</tspan>"
        for place, line in enumerate(box.lines)
    )
    return (
        f'<g class="{kind}"><title>{escape(box.words)}</title>'
        f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="7"/>'
        f'<text text-anchor="middle">{lines}</text></g>'
    )


def _edge(boxes: Sequence[_Box], place: int, path: Path) -> str:
    """Draw a line between neighbours, its words beside it, its arrow the way that they read."""
    from markupsafe import escape

    above, below = sorted((boxes[place], boxes[place + 1]), key=lambda box: box.top)
    x, head, tail = below.middle, above.bottom, below.top
    y, sign = (head, 1) if _upwards(path, place) else (tail, -1)
    anchor, shift = ("end", -8) if x > _WIDTH / 2 else ("start", 8)
    words = path.links[place]
    return (
        f'<path class="edge" d="M{x:g} {head} V{tail}"/>'
        f'<path class="tip" d="M{x:g} {y} l-4 {7 * sign} h8 z"/>'
        f'<text class="link" x="{x + shift:g}" y="{(head + tail) / 2 + 4:g}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def _upwards(path: Path, place: int) -> bool:
    """Whether the words of a link read from the lower node to the upper."""
    if path.top is None or place < path.top:
        return path.top is not None
    return path.links[place] in ("", *path.links[: path.top]) or path.top == 0


def _described(path: Path) -> str:
    if not any(path.links):
        return path_text(path)
    words = [path.nodes[0]]
    for link, node in zip(path.links, path.nodes[1:], strict=True):
        words += [link or "-", node]
    return " / ".join(words)


def _line(axes: Any, series: Any, layers: Sequence[str], *, first: bool) -> None:
    known = [
        (place, float(value))
        for place, value in enumerate(series["values"][: len(layers)])
        if value is not None
    ]
    places, heights = zip(*known, strict=True)
    color = ACCENT if first else MUTED
    look = {"linestyle": "-" if first else "--", "marker": "." if first else "s"}
    label = _unmarked(clean(series.get("name", "")))
    axes.plot(places, heights, color=color, linewidth=1.5, markersize=5, label=label, **look)
    chosen = chosen_place(series, layers)
    if chosen in places:
        height = heights[places.index(chosen)]
        axes.plot(chosen, height, "o", color=color, markersize=9, markerfacecolor="none")
        side = "left" if chosen == 0 else "right" if chosen == len(layers) - 1 else "center"
        axes.annotate(
            _unmarked(layers[chosen]),
            (chosen, height),
            xytext=(0, 9 if first else -15),
            textcoords="offset points",
            ha=side,
            color=color,
        )


def _unmarked(text: str) -> str:
    """Keep the drawing from reading a dollar as mathematics, or a leading line as no name."""
    return text.replace("$", r"\$").lstrip("_")


def _known(values: Sequence[Any]) -> list[float]:
    return [float(each) for each in values if each is not None]


def _uri(encoded: object) -> str:
    try:
        content = base64.b64decode(str(encoded), validate=True)
    except (binascii.Error, ValueError):
        return ""
    if not content.startswith(_PNG):
        return ""
    return "data:image/png;base64," + base64.b64encode(content).decode()
