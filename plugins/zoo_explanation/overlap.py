"""The overlap of a person's classes with those that the models were trained on, by a graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.errors import NotApplicable
from zoo_explanation.alignment import check_senses
from zoo_explanation.facts import fact_graphs
from zoo_explanation.lexicon import lexicon_of
from zoo_explanation.overlap_evidence import Known, known_space, shown, single
from zoo_explanation.overlap_names import by_names_alone, no_names
from zoo_explanation.overlap_paths import nearest_classes, parts_in_common
from zoo_explanation.overlap_unknown import not_known
from zoo_explanation.ranked import distinct, recorded
from zoo_explanation.relations import KINDS, overlap
from zoo_explanation.shown import short_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case
    from zoo_explanation.relations import Kind

#: As many classes are named as examples.
_EXAMPLES = 3
#: Up to so many classes, each one's match stands behind the counts.
_EVERY = 200
#: Fewer deviations from chance than these are none.
_BEYOND_CHANCE = 2.0

_OF_KIND: dict[Kind, str] = {
    "narrower": "a narrower kind",
    "broader": "a broader class",
    "close": "a close relative",
    "loose": "something of the same general kind alone",
    "general": "nothing of the same kind, but for the most general ones",
}


class Overlap:
    """Says which of the person's classes a model was trained on, and what stands nearest."""

    def report(self, case: Case) -> None:
        """Relate ``case.target`` to the classes of ``case.model`` and ``case.against``.

        Raises:
            NotApplicable: the person's classes have no names.
            InputError: a sense that the person chose is none.
        """
        if not case.target.labels:
            raise NotApplicable("your classes have no names, so their overlap is not known")
        check_senses(case.senses, (case.target, *case.spaces.values()))
        names = short_names((case.model, case.against))
        named = {model: name for model, name in names.items() if model in case.spaces}
        no_names(case, [name for model, name in names.items() if model not in named])
        lexicon = lexicon_of(case.graph) if case.graph is not None else None
        if lexicon is None or not len(lexicon):
            by_names_alone(case, named)
            return
        target = known_space(case, case.target, lexicon, "your classes", "")
        models = [
            known_space(case, case.spaces[model], lexicon, name, model)
            for model, name in named.items()
        ]
        if any(each.node is not None for each in target.found):
            models = [
                each
                if each.meaningless or all(one.node is None for one in each.found)
                else replace(
                    each, overlap=overlap(target.found, each.found, lexicon, seed=case.seed)
                )
                for each in models
            ]
            _related(case, target, [each for each in models if each.overlap is not None])
        not_known(case, target, models[:1] if _alike(models) else models)


def _related(case: Case, target: Known, models: Sequence[Known]) -> None:
    every = [
        single(case, target, place)
        for place, each in enumerate(target.found)
        if each.node is not None and len(target.found) <= _EVERY
    ]
    _chosen(case, target)
    told = models[:1] if _alike(models) else models
    if len(told) < len(models):
        _not_told_apart(case, models)
    counts = [_counted(case, target, each, every) for each in told]
    _coverage(case, target, told, counts)
    for known, evidence in zip(told, counts, strict=True):
        _others(case, known, evidence)
        _chance(case, known, evidence)
    if len(told) > 1:
        _disagreement(case, told, counts)
    nearest_classes(case, target, told)
    parts_in_common(case, target, told)


def _alike(models: Sequence[Known]) -> bool:
    return len({each.space.labels for each in models}) < len(models)


def _not_told_apart(case: Case, models: Sequence[Known]) -> None:
    a, b = models[:2]
    case.ledger.claim(
        "known",
        "{a} and {b} were trained on the same {classes} classes: what is said here of {a} holds "
        "for {b} as well, and the overlap cannot tell the two apart.",
        a.whole,
        b.whole,
        models=(a.model, b.model),
        a=a.name,
        b=b.name,
        classes=sum(each.how != "ignored" for each in a.found),
    )


def _counted(
    case: Case, target: Known, known: Known, every: Sequence[Evidence | None]
) -> Evidence | None:
    """Record the relations of all classes with those of one model."""
    assert known.overlap is not None
    found = known.overlap
    examples = {
        kind: [
            shown(each.label)
            if kind in ("same", "general")
            else f"{shown(known.space.labels[each.source])} for {shown(each.label)}"
            for each in found.relations
            if each.kind == kind
        ]
        for kind in ("same", *_OF_KIND)
    }
    numbers: dict[str, Any] = {"lin": found.lin, "draws": found.draws}
    if found.chance is not None and found.z is not None:
        numbers |= {"chance": found.chance[0], "deviation": found.chance[1], "z": found.z}
        numbers["distance"] = abs(found.z)
    return case.ledger.derive(
        "fact",
        known.model,
        "overlap with your classes",
        [target.whole, known.whole, *every],
        check=f"zoo explain {case.ranking.run}" if case.ranking is not None else "",
        name=known.name,
        classes=len(target.found),
        counts={kind: found.counts.get(kind, 0) for kind in KINDS},
        examples=examples,
        new_percent=100 * found.new,
        obsolete_percent=100 * found.obsolete,
        invariant_percent=100 * found.invariant,
        graphs=fact_graphs(case.graph),
        seed=case.seed,
        **numbers,
    )


def _coverage(
    case: Case, target: Known, models: Sequence[Known], counts: Sequence[Evidence | None]
) -> None:
    """Say how many of the classes are training classes, for both models in one sentence."""
    order = sorted(range(len(models)), key=lambda each: not _same(models[each]))
    known = [models[each] for each in order]
    if not known:
        return
    same, total = _same(known[0]), len(target.found)
    found = sum(each.node is not None for each in target.found)
    slots: dict[str, Any] = {"classes": total, "name": known[0].name, "found": found}
    if not same:
        text = "None of your {classes} classes is itself a training class of {name}"
    else:
        number = "All {count}" if len(same) == total else "{count}"
        text = f"{number} of your {{classes}} classes are training classes of {{name}}"
        text = text.replace("All {count} of your {classes}", "All of your {classes}")
        text = (
            text.replace("are training classes", "is a training class") if len(same) == 1 else text
        )
        text += " (such as {examples})" if len(same) > _EXAMPLES else " ({examples})"
        slots |= {"count": len(same), "examples": tuple(same[:_EXAMPLES])}
    for other in known[1:]:
        theirs = _same(other)
        slots |= {"other": other.name, "theirs": len(theirs)}
        text += (
            "; {theirs} of {other}" if theirs else "; none of {other}" if same else " or {other}"
        )
    cited = [counts[each] for each in order]
    if found < total and not same:
        text = text.replace("of your", "of the {found} of your").replace(
            "classes is itself", "classes that the graph has is itself"
        )
        cited.append(target.whole)
    used = {name: value for name, value in slots.items() if f"{{{name}}}" in text}
    case.ledger.claim("known", f"{text}.", *cited, models=[each.model for each in known], **used)


def _same(known: Known) -> list[str]:
    relations = known.overlap.relations if known.overlap is not None else ()
    return [shown(each.label) for each in relations if each.kind == "same"]


def _others(case: Case, known: Known, counted: Evidence | None) -> None:
    """Say how the classes that are no training classes stand to those that are."""
    assert known.overlap is not None
    slots: dict[str, Any] = {"name": known.name}
    pieces = []
    for kind, words in _OF_KIND.items():
        found = [each for each in known.overlap.relations if each.kind == kind]
        if not found:
            continue
        examples = [
            shown(each.label)
            if kind == "general"
            else f"{shown(known.space.labels[each.source])} for {shown(each.label)}"
            for each in found[:_EXAMPLES]
        ]
        more = "such as " if len(found) > _EXAMPLES else ""
        pieces.append((kind, f"{words} ({more}{{{kind}_examples}})"))
        slots |= {kind: len(found), f"{kind}_examples": tuple(examples)}
    if not pieces:
        return
    some = known.overlap.counts.get("same", 0)
    (kind, words), *rest = pieces
    whose = "your other classes" if some else "your classes"
    text = f"For {{{kind}}} of {whose}, {{name}} was trained on {words}"
    text += "".join(f"; for {{{kind}}} more, on {words}" for kind, words in rest)
    case.ledger.claim("known", f"{text}.", counted, models=(known.model,), **slots)


def _chance(case: Case, known: Known, counted: Evidence | None) -> None:
    """Compare the mean similarity with what random nouns reach."""
    assert known.overlap is not None
    found = known.overlap
    if found.z is None or found.lin is None or found.chance is None:
        return
    side = "more" if found.z > 0 else "less"
    text = (
        f"Your classes are {side} like the training classes of {{name}} than random nouns of the "
        "same fields are: {lin:.2f} against {chance:.2f} on average (one is the same class, nought "
        "is nothing in common), {distance:.1f} standard deviations of {draws} draws apart."
    )
    if abs(found.z) < _BEYOND_CHANCE:
        text = (
            "Your classes are no more and no less like the training classes of {name} than random "
            "nouns of the same fields are: {lin:.2f} against {chance:.2f} on average, "
            "{distance:.1f} standard deviations of {draws} draws apart."
        )
    case.ledger.claim(
        "known",
        text,
        counted,
        models=(known.model,),
        name=known.name,
        lin=found.lin,
        chance=found.chance[0],
        distance=abs(found.z),
        draws=found.draws,
    )


def _disagreement(case: Case, models: Sequence[Known], counts: Sequence[Evidence | None]) -> None:
    """Say where the overlap speaks for the model that the ranking puts second."""
    rows = {row.model: row for row in case.ranking.ranking} if case.ranking is not None else {}
    if any(each.model not in rows for each in models):
        return
    places = [recorded(case, rows[each.model], each.name) for each in models]
    order = sorted(range(2), key=lambda each: places[each].row.rank)
    first, second = order
    if not distinct(places[first], places[second]):
        return
    overlaps = [each.overlap for each in models]
    above, below = overlaps[first], overlaps[second]
    assert above is not None
    assert below is not None
    x, y = above.counts.get("same", 0), below.counts.get("same", 0)
    slots: dict[str, Any] = {"a": models[first].name, "b": models[second].name}
    if y > x:
        text = "{b} was trained on more of your classes ({y} against {x}), and yet "
        slots |= {"x": x, "y": y}
    elif x == y and above.z is not None and below.z is not None and below.z > above.z + 1:
        text = (
            "The training classes of {b} are more like yours than those of {a}, measured against "
            "chance ({y:.1f} against {x:.1f} standard deviations), and yet "
        )
        slots |= {"x": above.z, "y": below.z}
    else:
        return
    case.ledger.claim(
        "known",
        f"{text}{{a}} is ranked above it, with a score of {{score_a:.2f}} against {{score_b:.2f}}: "
        "the overlap speaks against the order.",
        counts[first],
        counts[second],
        places[first].evidence,
        places[second].evidence,
        models=tuple(each.model for each in models),
        prefers=models[first].model,
        score_a=places[first].row.score,
        score_b=places[second].row.score,
        **slots,
    )


def _chosen(case: Case, target: Known) -> None:
    """Repeat what the person chose, in the words of the graph."""
    for place, each in enumerate(target.found):
        if each.how != "chosen" or each.node is None:
            continue
        evidence = single(case, target, place)
        gloss = evidence.object["gloss"] if evidence is not None else ""
        case.ledger.claim(
            "known",
            "As you chose, '{label}' means '{sense}': {gloss}."
            if gloss
            else "As you chose, '{label}' means '{sense}'.",
            evidence,
            label=shown(each.label),
            sense=target.lexicon.name(each.node),
            **({"gloss": gloss} if gloss else {}),
        )
