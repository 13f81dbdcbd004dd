"""What a seen and an unseen class have in common, in sentences that cite their triples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_explanation.facts import drawn, source_of, way
from zoo_explanation.shown import clean
from zoo_explanation.zero_shot.attributes import (
    Attribute,
    attributes_of,
    by_predicate,
    check_query,
    merged,
    rules,
)
from zoo_explanation.zero_shot.links import plain, words_of, words_of_predicate
from zoo_explanation.zero_shot.patterns import Found, entities, patterns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Evidence, Triple
    from zoo_explanation.zero_shot.prepared import Head

_VALUES, _RULES, _PATTERNS = 6, 6, 6


def say_paths(
    head: Head,
    label: str,
    node: int,
    seen: Sequence[int],
    of: Evidence | None,
) -> list[int]:
    """Say of what kind an unseen class and some seen ones are; give the places that have one."""
    lexicon, ledger = head.lexicon, head.case.ledger
    ways, shown, told = [], [], []
    for place in seen:
        other, name = head.nodes[place], head.name(place)
        path = lexicon.path(node, other)
        if path is None:
            continue
        told.append(place)
        fact = way(head.case, lexicon, path, seen=name)
        if of is None or fact is None:
            continue
        said = {"label": label, "seen": name, "shared": lexicon.name(path.top)}
        sentence = "'{label}' and '{seen}', a class of the head, are both of the kind '{shared}'."
        if path.top in (node, other):
            del said["shared"]
            sentence = (
                "'{seen}', a class of the head, is a kind of '{label}'."
                if path.top == node
                else "'{label}' is a kind of '{seen}', a class of the head."
            )
        ledger.claim("known", sentence, fact, of, models=(head.case.model,), **said)
        ways.append(drawn(lexicon, path, f"{label} and {name}"))
        shown.append(fact)
    if ways:
        ledger.figure(
            "path",
            f"From {label} to classes of the head",
            "; ".join(" - ".join(each["nodes"]) for each in ways),
            *shown,
            paths=ways,
        )
    return told


def say_attributes(
    head: Head, label: str, node: int, seen: Sequence[int], of: Evidence | None
) -> set[Attribute]:
    """Say what the rules {seen} => {unseen} rest on; give the attributes that were said."""
    known = {place: attributes_of(head.graph, head.lexicon, head.nodes[place]) for place in seen}
    ours = attributes_of(head.graph, head.lexicon, node)
    said: set[Attribute] = set()
    for rule in merged(rules({**known, -1: ours}, -1))[:_RULES]:
        names = tuple(head.name(place) for place in rule.seen)
        for predicate, objects in by_predicate(rule.attributes).items():
            attributes = [(predicate, each) for each in objects[:_VALUES]]
            rests: list[Triple] = []
            for each in attributes:
                rests += ours[each]
                rests += [triple for place in rule.seen for triple in known[place][each]]
            values = tuple(clean(words_of(head.graph, each)) for _, each in attributes)
            words = clean(words_of_predicate(head.graph, predicate))
            facts: dict[str, Any] = {"unseen": label, "seen": names, "values": values}
            facts["said"] = words
            shares: dict[str, Any] = {"support": rule.support, "confidence": rule.confidence}
            fact = head.case.ledger.observe(
                "fact",
                label,
                "attributes in common",
                source=source_of(head.graph),
                triples=dict.fromkeys(rests),
                check=check_query(
                    head.lexicon.iri(node), head.lexicon.iri(head.nodes[rule.seen[0]]), predicate
                ),
                **facts,
                **shares,
            )
            head.case.ledger.claim(
                "known",
                "The graph says of '{unseen}' and of {seen}, or of the kinds they belong to: "
                "{said} {values} (as a rule from each of them: support {support:.2f}, "
                "confidence {confidence:.2f}).",
                fact,
                of,
                models=(head.case.model,),
                **facts,
                **shares,
            )
            said.update(attributes)
    return said


def say_patterns(
    head: Head,
    label: str,
    node: int,
    seen: Sequence[int],
    said: set[Attribute],
    *,
    of: Evidence | None,
) -> None:
    """Say which triples link an unseen class with seen ones outside the hierarchy."""
    ours = entities(head.graph, head.lexicon, node)
    for place in seen:
        theirs = entities(head.graph, head.lexicon, head.nodes[place])
        for found in patterns(head.graph, ours, theirs)[:_PATTERNS]:
            if found.triples[0][1:] not in said:
                _say(head, label, place, found, of)


def _say(head: Head, label: str, place: int, found: Found, of: Evidence | None) -> None:
    slots = _slots(head, label, place, found)
    fact = head.case.ledger.observe(
        "fact",
        label,
        f"triples: {found.pattern}",
        source=source_of(head.graph),
        triples=found.triples,
        check=f"ASK {{ {' . '.join(' '.join(each) for each in found.triples)} }}",
        confirmed=not found.named,
        seen=head.name(place),
        **slots,
    )
    head.case.ledger.claim(
        "known", _SENTENCES[_form(found)], fact, of, models=(head.case.model,), **slots
    )


_SENTENCES = {
    "direct": "The graph links '{first}' to '{last}' by '{link}'.",
    "shared": "The graph links both '{first}' and '{last}' to '{middle}', by '{link}'.",
    "shared otherwise": "The graph links '{first}' to '{middle}' by '{link}', and '{last}' to it "
    "by '{other}'.",
    "steps": "The graph links '{first}' to '{middle}' by '{link}', and '{middle}' to '{last}' by "
    "'{other}'.",
}


def _form(found: Found) -> str:
    if found.pattern in ("seen to unseen", "unseen to seen"):
        return "direct"
    if found.pattern == "two steps":
        return "steps"
    same = plain(found.triples[0][1]) == plain(found.triples[1][1])
    return "shared" if same else "shared otherwise"


def _slots(head: Head, label: str, place: int, found: Found) -> dict[str, Any]:
    """Name the ends by the classes, as their triples have them, and the links by their words."""
    one, other, seen = found.triples[0], found.triples[-1], head.name(place)
    form = _form(found)
    slots: dict[str, Any] = {"link": clean(words_of_predicate(head.graph, one[1]))}
    if form == "direct":
        ends = (seen, label) if found.pattern == "seen to unseen" else (label, seen)
        return {**slots, "first": ends[0], "last": ends[1]}
    slots |= {"first": label, "last": seen, "middle": clean(words_of(head.graph, one[2]))}
    if form == "steps":
        ours = {f"<{each}>" for each in entities(head.graph, head.lexicon, head.nodes[place])}
        if one[0] in ours:
            slots |= {"first": seen, "last": label}
    if form != "shared":
        slots["other"] = clean(words_of_predicate(head.graph, other[1]))
    return slots
