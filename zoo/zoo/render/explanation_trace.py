"""One claim or one piece of evidence, followed down to what it rests on."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import unknown_name
from zoo.graph.terms import NAMES, PREFIXES
from zoo.render.explanation_parts import (
    clean,
    iri_in,
    level_words,
    literal_in,
    rests_on,
    sentence,
)
from zoo.types.explaining import Claim, Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zoo.types.explaining import Report, Triple

_QUERY = re.compile(r"\s*(SELECT|ASK|CONSTRUCT|DESCRIBE|PREFIX|BASE)\b", re.IGNORECASE)
_INDENT = "   "


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What ``zoo explain --evidence`` prints: also its JSON.

    Attributes:
        claim: that was asked for; None where it was a piece of evidence.
        evidence: what it cites, or what was asked for; then all that this was derived from.
        cited_by: claims that cite what was asked for.
    """

    asked: str
    run: str = ""
    claim: Claim | None = None
    evidence: tuple[Evidence, ...] = ()
    cited_by: tuple[Claim, ...] = ()
    schema_version: int = 1


def trace(report: Report, name: str) -> Trace:
    """Find a piece of evidence, or what a claim rests on, by its id.

    Raises:
        UnknownNameError: the explanation has nothing of that id.
    """
    claims = {each.id: each for each in (*report.claims, *report.unknown)}
    if name in claims:
        found = rests_on(report, claims[name].evidence)
        return Trace(asked=name, run=report.run, claim=claims[name], evidence=tuple(found))
    evidence = {each.id: each for each in report.evidence}
    if name not in evidence:
        error = unknown_name("evidence or claim", name, (*claims, *evidence))
        error.message = error.message.partition(" Available:")[0]
        again = f"zoo explain {report.run} --json" if report.run else "the same with --json"
        error.hint = f"{again} lists every claim and every piece of evidence."
        raise error
    citing = tuple(each for each in claims.values() if name in each.evidence)
    found = rests_on(report, [name])
    return Trace(asked=name, run=report.run, evidence=tuple(found), cited_by=citing)


def trace_text(
    found: Trace,
    report: Report,
    name_of: Callable[[str], str] | None = None,
    paint: Callable[[str, str], str] = lambda text, _: text,
) -> str:
    """Write a trace as a tree: level, what was found, where, and how to find it again.

    Args:
        found: of :func:`trace`.
        report: that it was found in.
        name_of: IRI -> name to show, where a graph is open.
        paint: text and role (``title``, ``dim``) -> text for a terminal.
    """
    lines: list[str] = []
    if found.claim is not None:
        lines += [paint(sentence(found.claim, report), "title")]
        lines += [f"{found.claim.id}: {level_words(found.claim)}", ""]
        roots = found.claim.evidence
    else:
        roots = (found.asked,)
    names = names_of(found.evidence)

    def name(iri: str) -> str:
        return names.get(iri) or (name_of(iri) if name_of else "")

    tree = _Tree({each.id: each for each in found.evidence}, name, paint)
    for root in roots:
        lines += tree.lines(root)
    for claim in found.cited_by:
        said = f"cited by {claim.id} ({level_words(claim)}): {sentence(claim, report)}"
        lines.append(paint(said, "dim"))
    return "\n".join(lines).rstrip()


def check_command(evidence: Evidence) -> str:
    """What to type to find a piece of evidence again; empty where nothing is known."""
    if _QUERY.match(evidence.check):
        return f"zoo graph query {shlex.quote(' '.join(evidence.check.split()))}"
    if evidence.check:
        return clean(evidence.check)
    if evidence.triples:
        parts = " . ".join(" ".join(triple) for triple in evidence.triples)
        return f"zoo graph query {shlex.quote(f'ASK {{ {parts} }}')}"
    return ""


def triple_text(triple: Triple, name: Callable[[str], str] = lambda _: "") -> str:
    """Write a triple with prefixes and, where they are known, with the names of its nodes."""
    subject, predicate, object_ = triple
    return f"{_term(subject, name)} {_term(predicate, lambda _: '')} {_term(object_, name)}"


def whole(value: Any) -> str:
    """Everything that a piece of evidence holds under one name, unrounded."""
    if isinstance(value, str):
        return clean(value)
    return clean(msgspec.json.encode(value, order="sorted").decode())


@dataclass(frozen=True)
class _Tree:
    """Evidence by id, how to show it, and what has been shown."""

    known: dict[str, Evidence]
    name_of: Callable[[str], str]
    paint: Callable[[str, str], str]
    told: set[str] = field(default_factory=set)

    def lines(self, name: str, depth: int = 0) -> Iterator[str]:
        """Show one piece of evidence and, further in, what it was derived from."""
        margin = _INDENT * depth
        if name in self.told or name not in self.known:
            where = "see above" if name in self.told else "not in this explanation"
            yield f"{margin}{name}: {where}"
            return
        self.told.add(name)
        evidence = self.known[name]
        guess = "" if evidence.confirmed else ", not confirmed"
        what = f"{clean(evidence.predicate)} of {clean(evidence.subject)}"
        yield f"{margin}{self.paint(name, 'title')}  {evidence.kind}{guess}: {what}"
        for line in _facts(evidence, self.name_of):
            yield f"{margin}{_INDENT}{line}"
        if evidence.derived_from:
            yield f"{margin}{_INDENT}derived from"
        for each in evidence.derived_from:
            yield from self.lines(each, depth + 2)
        if not depth:
            yield ""


def _facts(evidence: Evidence, name_of: Callable[[str], str]) -> Iterator[str]:
    for key, value in evidence.object.items():
        yield f"{clean(key).replace('_', ' ')}: {whole(value)}"
    if evidence.source:
        yield f"source: {clean(evidence.source)}"
    if evidence.sha256:
        yield f"sha256: {clean(evidence.sha256)}"
    for triple in evidence.triples:
        yield f"triple: {triple_text(triple, name_of)}"
    command = check_command(evidence)
    if command:
        yield f"check: {command}"


def _term(term: str, name_of: Callable[[str], str]) -> str:
    literal = literal_in(term)
    if literal is not None:
        return f"'{clean(literal)}'"
    iri = iri_in(term)
    if not iri:
        return clean(term)
    short = clean(shortened(iri))
    named = clean(name_of(iri))
    return f"{named} ({short})" if named and named not in short else short


def shortened(iri: str) -> str:
    """Write an IRI with the longest prefix that queries know, else its last part."""
    fitting = [(len(base), name, base) for name, base in PREFIXES.items() if iri.startswith(base)]
    if fitting:
        _, name, base = max(fitting)
        return f"{name}:{iri.removeprefix(base)}"
    return re.split(r"[/#]", iri.rstrip("/#"))[-1] or iri


def names_of(evidence: Iterable[Evidence]) -> dict[str, str]:
    """Names that the evidence itself gives to nodes."""
    return {
        iri_in(subject): literal_in(object_) or ""
        for each in evidence
        for subject, predicate, object_ in each.triples
        if iri_in(predicate) in NAMES
    }
