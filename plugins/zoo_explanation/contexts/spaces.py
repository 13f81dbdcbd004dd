"""Label spaces of recorded transfers as domains: the kinds above their classes, and their parts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from zoo.graph.terms import BROADER, PARTS
from zoo.types import LabelSpace
from zoo_explanation.alignment import align
from zoo_explanation.lexicon import Lexicon, lexicon_of
from zoo_explanation.relations import overlap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.graph import Graph
    from zoo.types.explaining import Triple
    from zoo_explanation.alignment import Alignment

#: Something that follows from a class: it is of a kind, or its kind has a part.
Entailment = tuple[Literal["kind", "part"], int]

COVERAGE, SIMILARITY, CLASSES = "classes covered", "class similarity", "log classes"
NEW, OBSOLETE, INVARIANT = "new kinds", "obsolete kinds", "shared kinds"
#: How a sentence says them; each is higher.
TITLES = {
    COVERAGE: "a larger share of the target's classes among those that the model was trained on",
    SIMILARITY: "classes that are more similar in the graph than those of chance",
    CLASSES: "a larger number of classes that the model was trained on",
    NEW: "a larger share of the target's kinds that the model has not seen",
    OBSOLETE: "a larger share of the model's kinds that the target does not have",
    INVARIANT: "a larger share of kinds that model and target have in common",
    "parameters": "a larger model",
    "number_of_parameters": "a larger model",
}


@dataclass(eq=False)
class Spaces:
    """Label spaces, each aligned with the graph once.

    Attributes:
        senses: label -> id of the sense that the person chose.
        seed: of the random nouns that similarities are compared with.
    """

    graph: Graph
    senses: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    _aligned: dict[tuple[str, ...], list[Alignment]] = field(default_factory=dict)
    _factors: dict[Any, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lexicon: Lexicon = lexicon_of(self.graph)

    def aligned(self, labels: tuple[str, ...]) -> list[Alignment]:
        """Align classes with the graph."""
        if labels not in self._aligned:
            space = LabelSpace(name="", labels=labels)
            chosen = {each: sense for each, sense in self.senses.items() if each in labels}
            self._aligned[labels] = align(space, self.lexicon, senses=chosen)
        return self._aligned[labels]

    def confirmed(self, labels: tuple[str, ...]) -> bool:
        """Whether no more than a fifth of the classes rests on a guess."""
        found = [each for each in self.aligned(labels) if each.node is not None]
        return sum(not each.confirmed for each in found) <= 0.2 * len(found)

    def entailments(self, labels: tuple[str, ...]) -> frozenset[Entailment]:
        """Give what follows from classes: their kinds, and the parts of these."""
        nodes = [each.node for each in self.aligned(labels) if each.node is not None]
        kinds = {each for node in nodes for each in (node, *self.lexicon.ancestors(node))}
        parts = {part for kind in kinds for part in self.lexicon.parts(kind)}
        return frozenset([("kind", each) for each in kinds] + [("part", each) for each in parts])

    def factors(self, source: tuple[str, ...], target: tuple[str, ...]) -> dict[str, float]:
        """Compare two label spaces; nothing where none of the classes is in the graph."""
        if (source, target) not in self._factors:
            self._factors[source, target] = self._compared(source, target)
        return self._factors[source, target]

    def triples(self, labels: tuple[str, ...], entailment: Entailment) -> list[Triple]:
        """Give the links from the first class of a kind up to it, and to its part."""
        what, node = entailment
        for each in self.aligned(labels):
            above = [] if each.node is None else [each.node, *self.lexicon.ancestors(each.node)]
            owners = [up for up in above if up == node or node in self.lexicon.parts(up)]
            if what == "kind":
                owners = [up for up in owners if up == node]
            if owners and each.node is not None:
                path = self.lexicon.path(each.node, owners[0])
                steps = [] if path is None else list(path.nodes)
                pairs = list(pairwise(steps))
                pairs += [(owners[0], node)] if what == "part" else []
                return [link for pair in pairs for link in self._links(*pair)]
        return []

    def _links(self, one: int, other: int) -> list[Triple]:
        names = {f"<{each}>" for each in (*BROADER, *PARTS)}
        found = self.graph.triples(self.lexicon.iri(one), None, self.lexicon.iri(other))
        return sorted(each for each in found if each[1] in names)

    def _compared(self, source: tuple[str, ...], target: tuple[str, ...]) -> dict[str, float]:
        theirs, own = self.aligned(source), self.aligned(target)
        found = {CLASSES: math.log(len(source))}
        known = sum(each.node is not None for each in own)
        if not known or all(each.node is None for each in theirs):
            return found
        both = overlap(own, theirs, self.lexicon, seed=self.seed)
        found[COVERAGE] = (both.counts["same"] + both.counts["narrower"]) / known
        found |= {NEW: both.new, OBSOLETE: both.obsolete, INVARIANT: both.invariant}
        if both.z is not None:
            found[SIMILARITY] = both.z
        return found
