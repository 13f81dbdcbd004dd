"""What every page shares: templates, tables, and writing it whole or not at all."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.render import quantities, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.render.columns import Column


def environment() -> Any:
    """Open the templates; what they are given is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("zoo.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(
        words=words, duration_text=quantities.duration_text, joined=shlex.join, len=len
    )
    return found


def grid(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Texts of a table, and the CSS class of each column."""
    kinds = ["number" if each.right else "long" if each.elastic else "" for each in columns]
    titles = [
        each.header.capitalize() if each.header.isupper() else each.header for each in columns
    ]
    keys = [each.key for each in columns]
    return {
        "columns": list(zip(titles, kinds, strict=True)),
        "rows": [
            list(zip([each.text(row) for each in columns], kinds, keys, strict=True))
            for row in rows
        ],
    }


def write_page(page: str, path: Path | str) -> None:
    """Write a page to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written there.
    """
    path = Path(path)
    try:
        write_atomically(path, page.encode())
    except OSError as error:
        raise InputError(f"the page {path} cannot be written: {error.strerror}.") from error
