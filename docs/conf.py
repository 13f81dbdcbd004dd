"""Sphinx: ``make site`` makes a web site of the same pages; it asks the network for nothing.

The pages stay plain Markdown, so that a code host shows them as they are. What a site needs beside
is made of them here: the navigation of the links in ``index.md``, a copy of each file that a page
links to and that is no page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import zoo

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Zoo"
author = "the authors of Zoo"
copyright = f"{author}; Apache-2.0"  # noqa: A001 -- Sphinx's name
version = release = zoo.__version__
extensions = ["myst_parser"]
exclude_patterns = ["images"]
highlight_language = "none"
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"Zoo {version}"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]

_HERE = Path(__file__).parent
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_PAGE = re.compile(r"\]\(([\w/-]+)\.md\)")
_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)(?:#[^)]*)?\)")


def setup(app: Sphinx) -> None:
    """Let Sphinx hand over each page before it is read."""
    app.connect("source-read", _complete)


def _complete(app: Sphinx, name: str, source: list[str]) -> None:
    del app
    if name == "index":
        source[0] += "".join(_navigation(source[0]))
    folder = (_HERE / name).parent
    source[0] = _LINK.sub(lambda link: _download(link, folder), source[0])


def _navigation(text: str) -> list[str]:
    """Make a list of pages of every section's links."""
    _, *parts = _SECTION.split(text)
    return [
        f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n"
        + "\n".join(_PAGE.findall(body))
        + "\n```\n"
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def _download(link: re.Match[str], folder: Path) -> str:
    """Turn a link that leaves the documentation into a copy of the file."""
    if (folder / link[2]).resolve().is_relative_to(_HERE):
        return link[0]
    text = " ".join(link[1].replace("`", "").split())
    return f"{{download}}`{text} <{link[2]}>`"
