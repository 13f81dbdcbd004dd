"""Bytes, seconds and scores as people write them."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size_text(count: float | None) -> str:
    """``438 MB``: decimal units, as disks and the Hub count."""
    if count is None:
        return "-"
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 1 if unit and value < 9.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def duration_text(seconds: float | None) -> str:
    """``0.4 s``, ``18 s``, ``14 min``, ``2 h 05 min``."""
    if seconds is None:
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def count_text(count: int | None) -> str:
    """``4 812``: thousands apart, whatever the locale."""
    return "-" if count is None else f"{count:,}".replace(",", " ")


def parameters_text(count: int | None) -> str:
    """``86M``: how model cards give the number of weights."""
    if count is None:
        return "-"
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            value = count / limit
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return str(count)


def some(count: int, noun: str) -> str:
    """``1 model``, ``3 models``, ``2 families``."""
    if count != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("ly") else f"{noun}s"
    return f"{count_text(count)} {noun}"
