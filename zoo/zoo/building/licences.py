"""Which licence a model may carry that was made from others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Permissive licences, each asking at least what those before it ask.
_PERMISSIVE = (
    "cc0-1.0",
    "unlicense",
    "mit",
    "isc",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsd",
    "apache-2.0",
    "cc-by-4.0",
)


def joint_licence(licences: Mapping[str, str | None]) -> tuple[str, str]:
    """Choose the licence of what was made from several models.

    Args:
        licences: alias -> identifier, as a card of the Hub gives it; None where nobody knows.

    Returns:
        The identifier, ``other`` where no single one can be right; and why, as sentences.
    """
    if not licences:
        return "other", "No weights of others went into it: its licence is yours to choose."
    unknown = [alias for alias, licence in licences.items() if not licence]
    known = {alias: licence.casefold() for alias, licence in licences.items() if licence}
    if unknown:
        said = f"The licence of {', '.join(unknown)} is not known"
        return "other", f"{said}: ask its authors before you pass this model on.{_rest(known)}"
    found = sorted(set(known.values()))
    if len(found) == 1:
        return found[0], f"All of its sources carry {found[0]}."
    listed = _listed(known)
    if all(licence in _PERMISSIVE for licence in found):
        strictest = max(found, key=_PERMISSIVE.index)
        return strictest, f"Its sources carry {listed}; {strictest} asks the most of them."
    return "other", f"Its sources carry {listed}: the terms of every one of them apply together."


def _rest(known: Mapping[str, str]) -> str:
    return f" The others carry {_listed(known)}." if known else ""


def _listed(known: Mapping[str, str]) -> str:
    return ", ".join(f"{licence} ({alias})" for alias, licence in known.items())
