"""Evidence of label spaces: what each label was taken for, the way to another class, its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.graph.terms import PARTS
from zoo_explanation.alignment import IN_WORDS, Alignment, align, says_nothing
from zoo_explanation.alignment.labels import names_of
from zoo_explanation.facts import about, graphs_of, source_of
from zoo_explanation.shown import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case, LabelSpace
    from zoo_explanation.lexicon import Lexicon
    from zoo_explanation.relations import Overlap

#: From this share of guesses on, everything said of a label space is tentative.
MOSTLY_GUESSED = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """A label space as the graph knows it.

    Attributes:
        name: to show.
        model: its reference; empty for the person's own classes.
        space: whose labels.
        found: one alignment a label.
        whole: evidence of how many were found, and by what.
        lexicon: of the graph.
        overlap: of the person's classes with these; None for the person's own.
    """

    name: str
    model: str
    space: LabelSpace
    found: Sequence[Alignment]
    whole: Evidence | None
    lexicon: Lexicon
    overlap: Overlap | None = None
    singles: dict[int, Evidence | None] = field(default_factory=dict)

    @property
    def meaningless(self) -> bool:
        """Whether its labels are numbers."""
        return says_nothing(self.found)

    @property
    def guessed(self) -> float:
        """Share of guesses among the labels that were found."""
        return guessed_share(self.found)


def guessed_share(found: Sequence[Alignment]) -> float:
    """Give the share of guesses among the labels that were found."""
    nodes = [each for each in found if each.node is not None]
    return sum(not each.confirmed for each in nodes) / len(nodes) if nodes else 0.0


def known_space(case: Case, space: LabelSpace, lexicon: Lexicon, name: str, model: str) -> Known:
    """Align a label space and record how that went as a whole.

    Raises:
        InputError: a sense of the person's that the label does not have.
    """
    encode = case.encode if case.encoder else None
    found = align(space, lexicon, senses=case.senses, encode=encode)
    nodes = [each for each in found if each.node is not None]
    how = {IN_WORDS[each.how]: 0 for each in found}
    for each in found:
        how[IN_WORDS[each.how]] += 1
    whole = case.ledger.observe(
        "alignment",
        clean(model or space.name or "your classes"),
        "classes in the graph",
        source=space.source or "labels",
        sha256=space.sha256,
        confirmed=guessed_share(found) <= MOSTLY_GUESSED,
        name=name,
        classes=sum(each.how != "ignored" for each in found),
        found=len(nodes),
        guessed=sum(not each.confirmed for each in nodes),
        missing=sum(each.how == "absent" for each in found),
        how=how,
    )
    return Known(name=name, model=model, space=space, found=found, whole=whole, lexicon=lexicon)


def shown(label: str) -> str:
    """Give the first name of a label, and the label of a name in brackets whole."""
    return clean((names_of(label) or [label])[0] if "," in label else label)


def single(case: Case, known: Known, place: int) -> Evidence | None:
    """Record what one label was taken for, once."""
    if place not in known.singles:
        known.singles[place] = _single(case, known, known.found[place])
    return known.singles[place]


def _single(case: Case, known: Known, found: Alignment) -> Evidence | None:
    lexicon, node = known.lexicon, found.node
    if node is None:
        return None
    iri_of = lexicon.iri
    extra: dict[str, Any] = {}
    if found.similarity is not None:
        extra = {"similarity": found.similarity, "encoder": case.encoder}
    if found.alternatives:
        extra["alternatives"] = [
            {"sense": lexicon.name(each), "gloss": clean(lexicon.gloss(each)), "iri": iri_of(each)}
            for each in found.alternatives
        ]
        # Whoever shows this may ask the person which one is meant.
        extra["undecided"] = not found.decided
    iri = lexicon.iri(node)
    return case.ledger.observe(
        "alignment",
        clean(found.label),
        "is taken for a kind of" if found.broader else "is taken for",
        source=known.space.source or "labels",
        sha256=known.space.sha256,
        triples=about(case.graph, iri),
        check=f"SELECT ?what ?text WHERE {{ <{iri}> ?what ?text }}",
        confirmed=found.confirmed,
        classes_of=known.name,
        label=shown(found.label),
        sense=lexicon.name(node),
        gloss=clean(lexicon.gloss(node)),
        iri=iri,
        how=IN_WORDS[found.how],
        **extra,
    )


def parts(case: Case, lexicon: Lexicon, whole: int, found: Sequence[int]) -> Evidence | None:
    """Record the parts of a kind."""
    iri = lexicon.iri(whole)
    predicates = " ".join(f"<{each}>" for each in PARTS)
    names = [lexicon.name(node) for node in found]
    of_graph = case.graph.triples if case.graph is not None else None
    triples = [
        triple
        for node in found
        for predicate in PARTS
        for triple in (of_graph(iri, predicate, lexicon.iri(node)) if of_graph else ())
    ]
    return case.ledger.observe(
        "fact",
        lexicon.name(whole),
        "has the parts",
        source=source_of(case.graph, iri),
        triples=triples,
        check=f"SELECT ?part WHERE {{ VALUES ?has {{ {predicates} }} <{iri}> ?has ?part }}",
        parts=names,
        graphs=list(graphs_of(case.graph, iri)),
    )
