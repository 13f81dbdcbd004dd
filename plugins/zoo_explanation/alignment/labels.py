"""Labels as words: what is split, stripped, and says nothing at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo_explanation.lexicon.nodes import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NUMBERED = re.compile(r"(?:label|class|category)?[ _-]*\d+", re.IGNORECASE)
_SECOND = re.compile(r"\s*\(\d+\)$")
_BRACKETS = re.compile(r"\s*\(([^()]*)\)$")
_BACKGROUND = frozenset(("background", "__background__"))


def spaced(label: str) -> str:
    """Write ``lawn_mower`` and ``AnnualCrop`` as words; capitals stay."""
    return " ".join(_CAMEL.sub(" ", label).replace("_", " ").split())


def key(label: str) -> str:
    """Give the form by which labels are equal."""
    return folded(spaced(label))


def meaningless(label: str) -> bool:
    """Whether it is a number, such as ``LABEL_3`` or ``17``."""
    return _NUMBERED.fullmatch(label.strip()) is not None


def background(label: str) -> bool:
    """Whether it stands for everything that is no class."""
    return label.strip().casefold() in _BACKGROUND


def names_of(label: str) -> list[str]:
    """Split ``tench, Tinca tinca`` and ``Aramus guarauna (Limpkin)`` into names."""
    label = _SECOND.sub("", label)
    bracket = _BRACKETS.search(label)
    if bracket:
        label = f"{label[: bracket.start()]}, {bracket[1]}"
    return [name for part in label.split(",") if (name := " ".join(part.replace("_", " ").split()))]


def singulars(text: str) -> Iterator[str]:
    """Guess what a plural is of."""
    if text.endswith("ies"):
        yield f"{text[:-3]}y"
    if text.endswith("es"):
        yield text[:-2]
    if text.endswith("s") and not text.endswith("ss"):
        yield text[:-1]
