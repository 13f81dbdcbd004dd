"""Whether a finished report says more than its evidence: counted, sentence by sentence."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from zoo.explaining.ledger import NEEDED, UNSURE
from zoo.explaining.wording import causal_word, names_in, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zoo.types.explaining import Claim, Evidence, Report


def unsupported_claims(report: Report) -> list[str]:
    """Find every sentence of a report that says more than it can show.

    Returns:
        One sentence a fault, which begins with the id of the claim or evidence and a colon, or
        with ``figure N:``. None: every claim cites evidence that is there and of the kind that its
        level needs, holds its numbers and its names, and names no cause.
    """
    held = {each.id: each for each in report.evidence}
    return [*_claims(report, held), *_figures(report, held), *_evidence(report, held)]


def _claims(report: Report, held: Mapping[str, Evidence]) -> Iterator[str]:
    said = (*report.claims, *report.unknown)
    for claim in said:
        for fault in claim_faults(claim, held):
            yield f"{claim.id}: {fault}."
    for repeated in _repeated(claim.id for claim in said):
        yield f"{repeated}: two claims have this id."
    for claim in report.claims:
        if claim.level == "not known":
            yield f"{claim.id}: what is not known stands among what is."
    for claim in report.unknown:
        if claim.level != "not known":
            yield f"{claim.id}: a claim stands among what is not known."


def claim_faults(claim: Claim, held: Mapping[str, Evidence]) -> Iterator[str]:
    """Say what is wrong with one sentence, given all evidence by id; without full stops."""
    if not claim.evidence:
        yield f"{claim.text!r} cites nothing"
    if missing := [each for each in claim.evidence if each not in held]:
        yield f"{claim.text!r} cites {missing[0]}, which there is not"
        return
    cited = [held[each] for each in claim.evidence]
    if wrong := unsupported(claim.text, cited):
        yield f"{claim.text!r} says {wrong[0]!r}, which is in none of its evidence"
    if claim.level not in NEEDED:
        yield f"there is no level {claim.level!r}"
    elif not any(each.kind in NEEDED[claim.level] for each in cited):
        kinds = ", ".join(sorted({each.kind for each in cited}))
        yield f"{claim.text!r} is said to be {claim.level}, and rests on {kinds} alone"
    if claim.level != "not known" and any(each.kind in UNSURE for each in cited):
        yield f"{claim.text!r} is said to be {claim.level}, and rests on what is only expected"
    if claim.tentative is all(each.confirmed for each in cited):
        words = "is not marked" if not claim.tentative else "is marked"
        yield f"{claim.text!r} {words} as resting on a guess"
    word = _cause(claim.text, cited)
    if word and not any(each.kind == "ablation" for each in cited):
        yield f"{claim.text!r} names a cause ({word!r}), and nothing was taken away"
    if control_characters(claim.text):
        yield f"{claim.text!r} has control characters"
    if claim.prefers and claim.prefers not in claim.models:
        yield f"{claim.text!r} prefers {claim.prefers}, which is none of the models it is about"


def _cause(text: str, cited: list[Evidence]) -> str:
    """Give the word of the sentence itself that names a cause; a class may be called one."""
    for name in sorted(names_in(cited), key=len, reverse=True):
        if causal_word(name):
            text = text.replace(name, " ")
    return causal_word(text)


def _figures(report: Report, held: Mapping[str, Evidence]) -> Iterator[str]:
    for number, figure in enumerate(report.figures, start=1):
        missing = [each for each in figure.evidence if each not in held]
        if missing or not figure.evidence:
            named = ", ".join(missing) or "nothing"
            yield f"figure {number}: it cites {named}, which there is not."
        if not figure.description.strip():
            yield f"figure {number}: {figure.title!r} has no words for those who do not see it."
        if control_characters(figure.title + figure.description):
            yield f"figure {number}: {figure.title!r} has control characters."


def _evidence(report: Report, held: Mapping[str, Evidence]) -> Iterator[str]:
    for repeated in _repeated(each.id for each in report.evidence):
        yield f"{repeated}: two pieces of evidence have this id."
    for each in report.evidence:
        if missing := [id_ for id_ in each.derived_from if id_ not in held]:
            yield f"{each.id}: it was computed from {missing[0]}, which there is not."
        if not each.source:
            yield f"{each.id}: it does not say where {each.predicate!r} was read."


def _repeated(ids: Iterator[str]) -> list[str]:
    return [each for each, count in Counter(ids).items() if count > 1]


def control_characters(text: str) -> str:
    """Give the characters of a text that a terminal or a page would obey instead of showing."""
    if text.isprintable():
        return ""
    return "".join(
        each
        for each in text
        if unicodedata.category(each) in ("Cc", "Cs", "Co", "Zl", "Zp") or each in _DIRECTIONS
    )


#: Marks that turn the direction of what follows: text would read as something else.
_DIRECTIONS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
