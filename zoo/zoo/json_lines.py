"""Find the line of a value in a JSON text, so that a message can point at it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Count the line, from 1, on which the value at ``path`` starts in a valid JSON text.

    A step that does not exist ends the walk at the value that should have had it.
    """
    position = _skip(text, 0)
    for step in path:
        member = _member(text, position, step)
        if member is None:
            break
        position = member
    return text.count("\n", 0, position) + 1


def parse_path(dotted: str) -> tuple[str | int, ...]:
    """Split ``$.models[3].bytes`` as msgspec writes it into ``("models", 3, "bytes")``."""
    steps = _STEP.finditer(dotted.removeprefix("$"))
    return tuple(int(step[2]) if step[2] else step[1] for step in steps if step[1] or step[2])


def _member(text: str, position: int, step: str | int) -> int | None:
    is_object = text[position] == "{"
    if text[position] not in "{[" or is_object != isinstance(step, str):
        return None
    position = _skip(text, position + 1)
    index = 0
    while text[position] not in "}]":
        key: str | int = index
        start = position
        if is_object:
            key, end = _DECODER.raw_decode(text, position)
            position = _skip(text, _skip(text, end) + 1)
        if key == step:
            return start if is_object and text[position] not in "{[" else position
        _, end = _DECODER.raw_decode(text, position)
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
        index += 1
    return None


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position
