"""What a sentence may say: its numbers and names, and the words that name a cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zoo.types.explaining import Evidence

_CAUSAL = re.compile(
    r"\b(because|caus\w+|due to|thanks to|therefore|hence|leads? to|led to|results? in|"
    r"resulted in|explains? why|makes? it|owing to|thus|drives?|driven by)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])[-\u2212+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
#: Not what stands between two apostrophes, as in one model's and another's.
_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")


def causal_word(text: str) -> str:
    """Give the first word that names a cause; empty for none."""
    found = _CAUSAL.search(text)
    return found[0] if found else ""


def listed(names: Sequence[Any], last: str = "and") -> str:
    """Write ``a, b and c``."""
    words = [str(each) for each in names]
    return (
        f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
    )


def names_in(evidence: Iterable[Evidence]) -> set[str]:
    """Every text that evidence holds."""
    return {
        text
        for each in evidence
        for text in (each.subject, each.predicate, *_leaves(each.object, str))
    }


def numbers_in(evidence: Iterable[Evidence]) -> set[float]:
    """Every number that evidence holds."""
    return {float(number) for each in evidence for number in _leaves(each.object, (int, float))}


def unsupported(text: str, evidence: Sequence[Evidence]) -> list[str]:
    """Find numbers and quoted names of a finished sentence that its evidence does not hold.

    What the evidence holds as a text is taken out first, longest first: a digit in a model's name
    is no number. A number may be rounded.
    """
    rest = text
    for name in sorted(names_in(evidence), key=len, reverse=True):
        if name.strip() and name in rest:
            rest = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", rest)
    known = numbers_in(evidence)
    wrong = [found[0] for found in _NUMBER.finditer(rest) if not _rounded(found[0], known)]
    return wrong + [found[1] for found in _QUOTED.finditer(rest) if found[1].strip()]


def _rounded(text: str, known: Iterable[float]) -> bool:
    plain = text.replace(",", "").replace("\u2212", "-").lower()
    value = float(plain)
    mantissa, _, exponent = plain.partition("e")
    decimals = len(mantissa.partition(".")[2])
    step = 10.0 ** ((int(exponent) if exponent else 0) - decimals)
    return any(abs(each - value) <= step * (0.5 + 1e-9) for each in known)


def _leaves(value: Any, kind: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        return
    if isinstance(value, kind):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each, kind)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each, kind)
