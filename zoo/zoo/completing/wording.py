"""Predictions in words that nobody takes for facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.completing.tables import relation_name
from zoo.graph.terms import BROADER, PARTS

if TYPE_CHECKING:
    from zoo.completing.predictions import Prediction

_LIKELY = 0.5


def sentence(each: Prediction) -> str:
    """Say one prediction with its probability, and that nobody has confirmed it."""
    likely = each.probability >= _LIKELY
    if each.relation in BROADER:
        verb = "is probably a kind of" if likely else "may be a kind of"
    elif each.relation in PARTS:
        verb = "probably has as a part:" if likely else "may have as a part:"
    else:
        how = "is probably linked by" if likely else "may be linked by"
        verb = f"{how} {relation_name(each.relation)!r} to"
    state = "accepted" if each.accepted else "unconfirmed"
    return (
        f"{each.label!r} {verb} {each.object_label}, score {score_text(each.probability)}, {state}"
    )


def score_text(probability: float) -> str:
    """Show a probability with two digits, and never as certain."""
    if probability < 0.005:
        return "under .01"
    if probability >= 0.995:
        return "over .99"
    return f"{probability:.2f}".removeprefix("0")
