"""Alignment: which node of the graph a label means, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_explanation.alignment.automatic import guess
from zoo_explanation.alignment.choosing import by_choice, check_senses
from zoo_explanation.alignment.curated import by_table
from zoo_explanation.alignment.labels import background, meaningless
from zoo_explanation.alignment.lists import by_id, by_names
from zoo_explanation.alignment.values import IN_WORDS, Alignment, How

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo.types import LabelSpace
    from zoo_explanation.alignment.automatic import Encode
    from zoo_explanation.lexicon import Lexicon

__all__ = ["IN_WORDS", "Alignment", "How", "align", "ambiguous", "check_senses", "says_nothing"]


def align(
    space: LabelSpace,
    lexicon: Lexicon,
    *,
    senses: Mapping[str, str] | None = None,
    encode: Encode | None = None,
) -> list[Alignment]:
    """Find the node of every label, by what is surest.

    The person's choice; WordNet ids; lists of all names of a node; tables that come with the
    project; and at last the words alone, which nobody has confirmed.

    Args:
        space: whose labels.
        lexicon: of the graph.
        senses: label -> an IRI, a WordNet id, ``lemma#2``, or words of the gloss.
        encode: texts -> (N, E) of unit length, to compare glosses with.

    Returns:
        One a label, in their order.

    Raises:
        InputError: a sense that the label does not have.
    """
    found: dict[int, Alignment] = {
        place: Alignment(label=label, how="ignored")
        for place, label in enumerate(space.labels)
        if background(label)
    }
    for step in (
        by_names(space, lexicon),
        by_table(space, lexicon),
        by_id(space, lexicon),
        by_choice(space, lexicon, senses or {}),
    ):
        found |= step
    left = {place: each for place, each in enumerate(space.labels) if place not in found}
    numbers = {place: each for place, each in left.items() if meaningless(each)}
    found |= {place: Alignment(label=label, how="meaningless") for place, label in numbers.items()}
    words = {place: label for place, label in left.items() if place not in numbers}
    known = {place: each.node for place, each in found.items() if each.node is not None}
    found |= guess(words, known, lexicon, encode)
    return [found[place] for place in range(len(space.labels))]


def ambiguous(alignments: Iterable[Alignment]) -> list[Alignment]:
    """Give those with several senses of which none is clearly the likeliest."""
    return [each for each in alignments if not each.decided]


def says_nothing(alignments: Iterable[Alignment]) -> bool:
    """Whether the labels are numbers, all but a few."""
    each = [one for one in alignments if one.how != "ignored"]
    return bool(each) and sum(one.how == "meaningless" for one in each) >= 0.9 * len(each)
