"""Docstrings as Markdown."""

from __future__ import annotations

import inspect
import re
from typing import Any

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")
_ENTRY = re.compile(r"    (\S[^:]*): (.+)")


def documented(struct: type) -> dict[str, str]:
    """Read ``Attributes:`` of a docstring: name -> text, in order."""
    entries = _sections(inspect.getdoc(struct) or "").get("Attributes", {})
    return {name: text.rstrip(".") for name, text in entries.items()}


def first_line(thing: Any) -> str:
    """Give the first sentence of a docstring."""
    return markdown_text((inspect.getdoc(thing) or "").partition("\n")[0])


def prose(thing: Any) -> list[str]:
    """Give a docstring without its sections."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(thing) or "").splitlines():
        if _SECTION.fullmatch(line):
            break
        if inside and line and not line.startswith(" "):
            lines[-1:] = ["```", ""]
            inside = False
        if line == "::":
            lines.append("```py")
            inside = True
        elif not (inside and lines[-1] == "```py" and not line):
            lines.append(line.removeprefix("    ") if inside else markdown_text(line))
    while lines and not lines[-1]:
        lines.pop()
    return [*lines, "```"] if inside else lines


def sections(thing: Any) -> list[str]:
    """Give Args, Raises and the like as lists; Attributes have tables of their own."""
    lines: list[str] = []
    for title, entries in _sections(inspect.getdoc(thing) or "").items():
        if title == "Attributes" or not entries:
            continue
        lines += ["", f"{title}:", ""]
        lines += [f"* `{name}`: {text}" if name else f"* {text}" for name, text in entries.items()]
    return lines


def markdown_text(text: str) -> str:
    """Write what reStructuredText marks as Markdown does."""
    return _ROLE.sub(lambda found: f"``{found[1].rpartition('.')[2]}``", text).replace("``", "`")


def _sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    entries: dict[str, str] = {}
    for line in text.splitlines():
        if title := _SECTION.fullmatch(line):
            entries = found.setdefault(title[1], {})
        elif line and not line.startswith(" "):
            entries = {}
        elif entry := _ENTRY.fullmatch(line):
            entries[entry[1]] = entry[2]
        elif line.strip() and entries:
            entries[list(entries)[-1]] += f" {line.strip()}"
        elif line.strip():
            entries[""] = line.strip()
    return {
        title: {name: markdown_text(each) for name, each in entries.items()}
        for title, entries in found.items()
    }
