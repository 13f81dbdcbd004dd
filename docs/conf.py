"""Sphinx: ``sphinx-build -W docs build/docs`` makes the same pages as a web site."""

from __future__ import annotations

project = "Zoo"
extensions = ["myst_parser"]
html_theme = "furo"
exclude_patterns = ["images"]
myst_heading_anchors = 3
