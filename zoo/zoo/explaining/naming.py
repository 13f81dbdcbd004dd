"""Which models of a ranking a person means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError, unknown_name
from zoo.score_tables import short_name

if TYPE_CHECKING:
    from zoo.types.ranking import Ranking


def choose(ranking: Ranking, model: str, against: str) -> tuple[str, str]:
    """Give the references of the model to explain and of the one to compare it with.

    Without a name the first is explained. It is compared with the one behind it; every other is
    compared with the first.

    Raises:
        InputError: no such model, several, or twice the same.
    """
    rows = ranking.ranking
    chosen = find(ranking, model) if model else rows[0].model
    if against:
        other = find(ranking, against)
        if other == chosen:
            raise InputError(f"{chosen} cannot be compared with itself.", "Name another --against.")
        return chosen, other
    return chosen, next((row.model for row in rows if row.model != chosen), "")


def find(ranking: Ranking, text: str) -> str:
    """Find a model by its reference, the last part of it, or its rank.

    Raises:
        InputError: nothing or several answer to it.
    """
    rows = ranking.ranking
    exact = [row.model for row in rows if row.model == text]
    if exact:
        return exact[0]
    if text.isdecimal():
        if 1 <= int(text) <= len(rows):
            return rows[int(text) - 1].model
        raise InputError(f"there is no model of rank {text}.", f"The last one is {len(rows)}.")
    named = [row.model for row in rows if text in (short_name(row.model), row.model.split("@")[0])]
    if len(named) > 1:
        raise InputError(
            f"{text!r} could be any of {', '.join(named)}.", "Type the whole reference."
        )
    if not named:
        known = [short_name(row.model) for row in rows]
        raise unknown_name("model of this run", text, known, "Its rank, such as 1, does as well.")
    return named[0]
