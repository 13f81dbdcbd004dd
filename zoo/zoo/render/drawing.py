"""Inline SVG: matplotlib's drawing, the page's own colours and fonts."""

from __future__ import annotations

import io
import re
from typing import Any

#: Stand-ins that are replaced by the page's variables, so that the dark scheme fits as well.
INK, LINE, ACCENT, MUTED, PAPER = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {INK: "ink", LINE: "line", ACCENT: "accent", MUTED: "muted", PAPER: "paper"}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "zoo",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def style() -> Any:
    """Give the context that figures are drawn in."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def figure_of(width: float, height: float) -> Any:
    """Make a figure of so many inches, without a window."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    return figure


def svg(figure: Any, name: str, title: str, description: str) -> str:
    """Write a figure as an SVG element that can stand in a page beside others."""
    from markupsafe import escape

    for axes in figure.axes:
        axes.patch.set_visible(False)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font(-family|-size|-weight|-style)?: [^;\"]*DejaVu[^;\"]*;? ?", "", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var(--{variable})")
    head, tail = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return (
        f'{head} role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{tail}'
    )
