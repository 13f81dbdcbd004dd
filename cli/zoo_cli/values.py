"""What people type as the values of options: lists in files, assignments, conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError

if TYPE_CHECKING:
    import click

#: What is meant by everything that a recipe does not say.
PRESETS = ("paper", "balanced", "quick")


def expand_lists(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Replace each ``@file.txt`` by the lines of that file; ``#`` starts a comment line."""
    del ctx
    found: list[str] = []
    for value in values:
        if not value.startswith("@"):
            found.append(value)
            continue
        path = Path(value[1:])
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise InputError(
                f"the list {value!r} of {param.opts[0]} cannot be read: {reason}.",
                "@FILE names a text file with one value a line.",
            ) from error
        found += [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
    return tuple(found)


def parse_assignments(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """Turn ``name.option=value`` into ``{name: {option: value}}``; numbers and booleans too."""
    found: dict[str, dict[str, Any]] = {}
    for text in expand_lists(ctx, param, values):
        left, equals, value = text.partition("=")
        name, dot, option = left.strip().rpartition(".")
        if not (equals and dot and name and option):
            raise InputError(
                f"--set {text!r} is not of the form name.option=value.",
                "--set logme.refinements=30",
            )
        found.setdefault(name, {})[option] = literal(value.strip())
    return found


def parse_conditions(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Turn ``column=value`` into ``{column: value}``."""
    del ctx
    found: dict[str, str] = {}
    for text in values:
        column, equals, value = text.partition("=")
        if not (equals and column.strip()):
            raise InputError(
                f"{param.opts[0]} {text!r} is not of the form COLUMN=VALUE.", "--where recipe=head"
            )
        found[column.strip()] = value.strip()
    return found


def literal(text: str) -> Any:
    """Read numbers, booleans and lists as what they are; everything else is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
