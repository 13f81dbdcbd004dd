"""A ranking, written down: terminal tables, one HTML page, Markdown."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.render.page import html, write_html
    from zoo.render.text import markdown

__all__ = ["html", "markdown", "write_html"]

_HOMES = {
    "html": "zoo.render.page",
    "write_html": "zoo.render.page",
    "markdown": "zoo.render.text",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo.render' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
