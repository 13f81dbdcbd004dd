"""What a label was taken for, and how that was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: ``id``, ``names``, ``order``, ``chosen`` and ``curated`` are certain; ``word``, ``plural``,
#: ``compound`` and ``head`` are guesses; the others found nothing.
How = Literal[
    "id",
    "names",
    "order",
    "chosen",
    "curated",
    "word",
    "plural",
    "compound",
    "head",
    "absent",
    "meaningless",
    "ignored",
]

#: How it was found, for a person.
IN_WORDS: dict[How, str] = {
    "id": "its WordNet id",
    "names": "all of its names",
    "order": "its names, and its place in the order of the ids",
    "chosen": "your choice",
    "curated": "a table that comes with Zoo",
    "word": "its name",
    "plural": "its name without the plural",
    "compound": "its name without the kind it ends with",
    "head": "the last words of its name, so a kind of it at best",
    "absent": "nothing of that name",
    "meaningless": "a number, which says nothing",
    "ignored": "no class of its own",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """One label and the node it was taken for.

    Attributes:
        label: as the label space has it.
        node: of the lexicon; None where nothing was found.
        how: by what.
        confirmed: False for a guess that nobody has confirmed.
        alternatives: what else the label may mean, the likeliest first.
        similarity: of its gloss with the label among the others, where an encoder compared them.
        decided: False where the best of several senses is hardly better than the next.
    """

    label: str
    node: int | None = None
    how: How = "absent"
    confirmed: bool = True
    alternatives: tuple[int, ...] = ()
    similarity: float | None = None
    decided: bool = True

    @property
    def broader(self) -> bool:
        """Whether the node is a kind that the label's class belongs to, not the class."""
        return self.how == "head"
