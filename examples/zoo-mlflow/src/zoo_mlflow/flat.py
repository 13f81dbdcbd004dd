"""Nested documents as the flat names and numbers that MLflow keeps."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FORBIDDEN = re.compile(r"[^\w\-. ]")


def leaves(document: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Give everything that is no object or list, with a dotted name: ``schedule.epochs``."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from leaves(value, joined(name, str(key)))
    elif isinstance(document, list | tuple):
        for number, value in enumerate(document):
            yield from leaves(value, joined(name, str(number)))
    else:
        yield name, document


def numbers(document: object, name: str = "") -> Iterator[tuple[str, float]]:
    """Give the finite numbers alone."""
    for key, value in leaves(document, name):
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if math.isfinite(value):
            yield key, float(value)


def joined(*parts: str) -> str:
    """Join names with dots, in the letters that MLflow takes."""
    return ".".join(_FORBIDDEN.sub("_", each) for each in parts if each)[:250]
