"""The table of promises in ``docs/plugins.md``: every check of every kit, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.testing.kit import Check


def promises() -> str:
    """Tabulate name and promise of every check: those of all kinds first, then kind by kind."""
    from zoo.testing.kit import KITS, kit_of
    from zoo.testing.manners import MANNERS, TARGET

    lines = ["| kind | check | what is promised |", "|---|---|---|"]
    lines += _rows("every kind", (TARGET, *MANNERS))
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for noun in KITS:
        asked = tuple((each.name, each.promise) for each in kit_of(noun).checks)
        alike.setdefault(asked, []).append(noun)
    for nouns in alike.values():
        kinds = ", ".join(noun.replace("_", " ") for noun in nouns)
        lines += _rows(kinds, kit_of(nouns[0]).checks)
    return "\n".join(lines)


def _rows(kinds: str, checks: Iterable[Check]) -> list[str]:
    """Write the kind once, beside the first of its checks."""
    return [
        f"| {'' if number else kinds} | `{each.name}` | {each.promise} |"
        for number, each in enumerate(checks)
    ]
