"""Sizes and durations as people type them: ``500MB``, ``30d``."""

from __future__ import annotations

import re
from typing import Any

import click

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_BYTES = {"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9}
_BYTES |= {"t": 1e12, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SECONDS |= {"d": 86400.0, "w": 7 * 86400.0}


class _Quantity(click.ParamType[float]):
    """A number with a unit."""

    units: dict[str, float]
    example: str

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the text, or say which texts can be read."""
        if isinstance(value, (int, float)):
            return float(value)
        match = _NUMBER.fullmatch(value.strip())
        if not match or match[2].lower() not in self.units:
            self.fail(f"{value!r} is no {self.name}; write it like {self.example}.", param, ctx)
        return float(match[1]) * self.units[match[2].lower()]


class _Size(_Quantity):
    """Bytes: ``500MB``, ``1.5 GB``, ``2GiB``."""

    name = "size"
    units = _BYTES
    example = "500MB or 2GiB"


class _Duration(_Quantity):
    """Seconds: ``90s``, ``10m``, ``2h``, ``30d``."""

    name = "duration"
    units = _SECONDS
    example = "90s, 10m, 2h or 30d"


SIZE = _Size()
DURATION = _Duration()
