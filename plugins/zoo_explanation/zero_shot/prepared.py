"""A head, the graph around its classes, and what was learnt of both."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.errors import NotApplicable
from zoo_explanation.alignment import align, says_nothing
from zoo_explanation.lexicon import Lexicon, lexicon_of
from zoo_explanation.shown import clean
from zoo_explanation.zero_shot.class_graph import ClassGraph, class_graph
from zoo_explanation.zero_shot.kept import kept
from zoo_explanation.zero_shot.learning import Learnt, Recipe, attend, comparable, learn
from zoo_explanation.zero_shot.texts import Texts, encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from zoo.graph import Graph
    from zoo.types.reporting import Case, Classifier, LabelSpace
    from zoo_explanation.alignment import Alignment


@dataclass(frozen=True, eq=False)
class Head:
    """A classifier whose classes were looked up.

    Attributes:
        sources: one a class of the head.
        seen: (S,) the classes that are in the graph.
        rows: (S, D) of :func:`comparable`, over all classes.
    """

    case: Case
    graph: Graph
    lexicon: Lexicon
    classifier: Classifier
    sources: tuple[Alignment, ...]
    seen: npt.NDArray[Any]
    rows: npt.NDArray[Any]

    @cached_property
    def nodes(self) -> list[int]:
        """The node of each seen class."""
        return [node for each in self.sources if (node := each.node) is not None]

    def name(self, place: int) -> str:
        """Give the first name of a seen class."""
        return clean(self.sources[self.seen[place]].label.partition(",")[0])


@dataclass(frozen=True, eq=False)
class Prepared:
    """What was learnt of a head and some further classes.

    Attributes:
        places: (S,) of the seen classes among the nodes of ``graph``.
    """

    head: Head
    graph: ClassGraph
    texts: Texts
    places: npt.NDArray[Any]
    learnt: Learnt
    recipe: Recipe

    def attention(self, node: int, *, itself: bool = False) -> npt.NDArray[Any]:
        """Compute how much a node attends to the seen classes: (S,)."""
        query = self.graph.places([node])
        found = attend(self.learnt, query, self.places, self.recipe, itself=itself)
        row: npt.NDArray[Any] = found[0]
        return row

    def own(self, node: int) -> npt.NDArray[Any]:
        """Give what the network makes of a node without attention: (D,)."""
        place = self.graph.places([node])[0]
        found: npt.NDArray[Any] = self.learnt.outputs[place] @ self.learnt.axes
        return found


def graph_of(case: Case) -> Graph:
    """Give the graph.

    Raises:
        NotApplicable: there is none.
    """
    if case.graph is None:
        raise NotApplicable("there is no knowledge graph to read: zoo graph fetch wordnet gets one")
    return case.graph


def aligned(case: Case, space: LabelSpace, lexicon: Lexicon) -> tuple[Alignment, ...]:
    """Look up the classes of a label space."""
    encode = case.encode if case.encoder else None
    return tuple(align(space, lexicon, senses=case.senses, encode=encode))


def open_head(case: Case) -> Head:
    """Read the head of the model and look up its classes.

    Raises:
        NotApplicable: there is no graph, no head, or its labels say nothing.
    """
    graph = graph_of(case)
    classifier = case.read_classifier(case.model)
    lexicon = lexicon_of(graph)
    sources = aligned(case, classifier.space, lexicon)
    if says_nothing(sources):
        raise NotApplicable(f"the labels of {clean(case.model)} carry no usable meaning")
    seen = np.array([number for number, each in enumerate(sources) if each.node is not None], int)
    if not len(seen):
        raise NotApplicable(f"no class of {clean(case.model)} is in the graph")
    rows = comparable(classifier.weight)[seen]
    return Head(case, graph, lexicon, classifier, sources, seen, rows)


def prepare(head: Head, targets: Iterable[int], recipe: Recipe | None = None) -> Prepared:
    """Learn the rows of the head on the graph of its classes and some others, or read it again.

    Raises:
        NotApplicable: torch_geometric is not installed, or too few classes are in the graph.
    """
    recipe, case = recipe or Recipe(), head.case
    graph = class_graph(head.lexicon, [*head.nodes, *targets])
    texts = encoded(case, head.lexicon, graph.nodes)
    places = graph.places(head.nodes)

    def compute() -> dict[str, npt.NDArray[Any]]:
        learnt = learn(texts.values, graph.edges, places, head.rows, recipe, seed=case.seed)
        facts = np.array([learnt.epochs, learnt.error])
        return {"outputs": learnt.outputs, "axes": learnt.axes, "facts": facts}

    key = _digest(texts.key, case.seed, recipe, (places, graph.edges, head.rows))
    found = kept(head.graph, f"rows-{key}", compute)
    epochs, error = found["facts"].tolist()
    learnt = Learnt(
        outputs=found["outputs"], axes=found["axes"], epochs=int(epochs), error=float(error)
    )
    return Prepared(head, graph, texts, places, learnt, recipe)


def _digest(texts: str, seed: int, recipe: Recipe, arrays: Sequence[npt.NDArray[Any]]) -> str:
    digest = hashlib.sha256(f"{texts}:{seed}:".encode() + msgspec.json.encode(recipe))
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]
