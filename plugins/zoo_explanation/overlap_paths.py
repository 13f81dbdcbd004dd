"""The nearest training classes, one by one, with the way to them and the parts they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_explanation.facts import drawn, graphs_of, in_words, way
from zoo_explanation.overlap_evidence import Known, parts, shown, single
from zoo_explanation.relations import KINDS, shared_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.reporting import Case
    from zoo_explanation.relations import Relation

_MOST = 6
_MOST_PARTS = 5
_FEWEST_PARTS = 2
#: What a path is drawn of, the most telling first; the same class has none, and a very general
#: kind says nothing.
_TELLING = ("close", "narrower", "broader", "loose")
_MOST_WHOLES = 2
_WITH_PARTS = ("close", "narrower", "broader")
_ENDINGS = {
    "narrower": "a narrower kind",
    "broader": "a broader class",
    "close": "a close relative",
}


def nearest_classes(case: Case, target: Known, models: Sequence[Known]) -> None:
    """Show the nearest training class of a few classes, first where the models differ."""
    told: set[tuple[object, ...]] = set()
    figures = 0
    for place in _telling(models):
        relations = [each.overlap.relations[place] for each in models if each.overlap is not None]
        ways = tuple(each.path.nodes[1:] if each.path else () for each in relations)
        if figures == _MOST or ways in told:
            continue
        told.add(ways)
        figures += 1
        for known, relation in zip(models, relations, strict=True):
            if relation.kind in _TELLING:
                _nearest(case, target, known, place, relation)


def _telling(models: Sequence[Known]) -> list[int]:
    """Order places of classes: the widest difference between models, then the nearest."""
    rows = [each.overlap.relations for each in models if each.overlap is not None]

    def weight(place: int) -> tuple[int, int, float]:
        kinds = [row[place].kind for row in rows]
        ranks = [KINDS.index(kind) for kind in kinds]
        best = min((_TELLING.index(kind) for kind in kinds if kind in _TELLING), default=9)
        return min(ranks) - max(ranks), best, -max(row[place].shared for row in rows)

    places = range(len(rows[0])) if rows else range(0)
    drawn = [place for place in places if any(row[place].kind in _TELLING for row in rows)]
    return sorted(drawn, key=lambda place: (*weight(place), place))


def _nearest(case: Case, target: Known, known: Known, place: int, relation: Relation) -> None:
    assert relation.path is not None
    lexicon = target.lexicon
    label, source = shown(relation.label), shown(known.space.labels[relation.source])
    ends = (
        label if target.found[place].broader else "",
        source if known.found[relation.source].broader else "",
    )
    evidence = (
        single(case, target, place),
        single(case, known, relation.source),
        way(case, lexicon, relation.path, *ends),
        known.whole,
        target.whole,
    )
    text = (
        "No training class of {name} shares more with your class '{label}' than '{source}' does, "
        "which is of the same general kind alone: {path}."
        if relation.kind == "loose"
        else "The training class of {name} nearest to your class '{label}' is '{source}', "
        f"{_ENDINGS[relation.kind]}: {{path}}."
    )
    case.ledger.claim(
        "known",
        text,
        *evidence,
        models=(known.model,),
        name=known.name,
        label=label,
        source=source,
        path=in_words(lexicon, relation.path, *ends),
    )
    case.ledger.figure(
        "path",
        f"{label} and the nearest training class of {known.name}",
        f"From your class {label} up to what it has in common with {source}, which {known.name} "
        "was trained on, and down again: every node is a kind of the one above it.",
        *evidence,
        paths=[drawn(lexicon, relation.path, f"{label} and {source}", *ends)],
    )


def parts_in_common(case: Case, target: Known, models: Sequence[Known]) -> None:
    """Name what the graph lists as parts of a few kinds that classes of both sides belong to."""
    told: set[int] = set()
    for known in models:
        left = _MOST_WHOLES
        for place, relation in enumerate(known.overlap.relations if known.overlap else ()):
            node = target.found[place].node
            if relation.kind not in _WITH_PARTS or node is None or not left:
                continue
            other = known.found[relation.source].node
            found = shared_parts(node, other, target.lexicon) if other is not None else None
            if found is None or found[0] in told or len(found[1]) < _FEWEST_PARTS:
                continue
            told.add(found[0])
            left -= 1
            _parts(case, target, known, place, found)


def _parts(
    case: Case, target: Known, known: Known, place: int, found: tuple[int, list[int]]
) -> None:
    assert known.overlap is not None
    relation = known.overlap.relations[place]
    assert relation.path is not None
    lexicon = target.lexicon
    whole, every = found
    listed = every[:_MOST_PARTS]
    label, source = shown(relation.label), shown(known.space.labels[relation.source])
    case.ledger.claim(
        "known",
        "{graph} lists {parts} as parts of '{whole}'; your class '{label}' and the training class "
        "'{source}' of {name} both are of that kind.",
        parts(case, lexicon, whole, every),
        single(case, target, place),
        single(case, known, relation.source),
        way(case, lexicon, relation.path),
        known.whole,
        target.whole,
        models=(known.model,),
        graph=tuple(graphs_of(case.graph, lexicon.iri(whole))),
        parts=tuple(lexicon.name(node) for node in listed),
        whole=lexicon.name(whole),
        label=label,
        source=source,
        name=known.name,
    )
