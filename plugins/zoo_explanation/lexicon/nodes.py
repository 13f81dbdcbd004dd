"""Nodes by number: their names, their kinds, and the way from one to another."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo_explanation.lexicon.columns import Rows, Texts


@dataclass(frozen=True, slots=True)
class Path:
    """The way from one node to another through the most specific kind of both.

    Attributes:
        up: from the first node to just below ``top``; empty where that is the first node.
        top: what both are.
        down: from just below ``top`` to the second node; empty where that is ``top``.
    """

    up: tuple[int, ...]
    top: int
    down: tuple[int, ...]

    @property
    def nodes(self) -> tuple[int, ...]:
        """Every node, from the first to the second."""
        return (*self.up, self.top, *self.down)


def folded(text: str) -> str:
    """Give the form by which words are found: no case, underscores as spaces, single spaces."""
    return " ".join(text.replace("_", " ").casefold().split())


@dataclass(frozen=True, eq=False, kw_only=True)
class Lexicon:
    """Everything that has a broader or a narrower node, or a part, in a graph.

    Nodes are numbered in the order of their IRIs. Links that would close a circle are left out,
    as :attr:`notes` say. Words are found without regard to case; those of the very spelling
    come first.

    Attributes:
        iris: N, sorted.
        words: W different words, sorted by :func:`folded`.
        words_of: node -> its words, the one to show first.
        nodes_of: word -> the nodes it may mean, in the order of the dictionary.
        glosses: N.
        fields: names of lexicographer's fields; ``field_of`` is the (N,) number of each node's.
        above: node -> broader nodes; ``below`` -> narrower ones; ``part`` -> its parts.
        counts: (N,) int32: how many different nodes lie below.
        sizes: (N,) int32: how many nodes its tree has, trees that share a node being one.
        wnids: WordNet 3.0 ids, sorted; ``wnid_nodes`` has the node of each.
        notes: what was left out of the graph, in sentences.
        information: (N,) float64, from ``counts`` and ``sizes``.
    """

    iris: Texts
    words: Texts
    words_of: Rows
    nodes_of: Rows
    glosses: Texts
    fields: Texts
    field_of: npt.NDArray[Any]
    above: Rows
    below: Rows
    part: Rows
    counts: npt.NDArray[Any]
    sizes: npt.NDArray[Any]
    wnids: Texts
    wnid_nodes: npt.NDArray[Any]
    notes: Texts
    information: npt.NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Compute the information content of every node; a node alone in its tree has 1."""
        below, size = np.log(self.counts + 1.0), np.log(np.maximum(self.sizes, 2.0))
        object.__setattr__(self, "information", 1.0 - below / size)

    def __len__(self) -> int:
        return len(self.iris)

    def iri(self, node: int) -> str:
        """Give its IRI."""
        return self.iris[node]

    def node(self, iri: str) -> int | None:
        """Find a node by its IRI."""
        return _find(self.iris, iri)

    def by_wnid(self, wnid30: str) -> int | None:
        """Find a node by its WordNet 3.0 id, such as ``n02084071``."""
        place = _find(self.wnids, wnid30)
        return None if place is None else int(self.wnid_nodes[place])

    def senses(self, lemma: str) -> list[int]:
        """Give what a word may mean: its very spelling first, then in the dictionary's order."""
        key, spelling = folded(lemma), " ".join(lemma.replace("_", " ").split())
        place = bisect_left(self.words, key, key=folded)
        exact: list[int] = []
        others: list[int] = []
        while place < len(self.words) and folded(word := self.words[place]) == key:
            (exact if word == spelling else others).extend(self.nodes_of[place])
            place += 1
        return list(dict.fromkeys(exact + others))

    def name(self, node: int) -> str:
        """Give the word to show."""
        return self.words[self.words_of[node][0]]

    def lemmas(self, node: int) -> list[str]:
        """Give all its words, the one to show first."""
        return [self.words[word] for word in self.words_of[node]]

    def gloss(self, node: int) -> str:
        """Give its definition; empty where it has none."""
        return self.glosses[node]

    def field(self, node: int) -> str:
        """Give its lexicographer's field, such as ``animal``; empty where it has none."""
        return self.fields[int(self.field_of[node])]

    def parents(self, node: int) -> list[int]:
        """Give what it is a kind of."""
        return self.above[node]

    def children(self, node: int) -> list[int]:
        """Give its kinds."""
        return self.below[node]

    def parts(self, node: int) -> list[int]:
        """Give its own parts; those of its ancestors are theirs."""
        return self.part[node]

    def descendants(self, node: int) -> int:
        """Count the different nodes below."""
        return int(self.counts[node])

    def ic(self, node: int) -> float:
        """Give its information content, 1 - ln(descendants + 1) / ln(N); 1 for a leaf."""
        return float(self.information[node])

    def ancestors(self, node: int) -> dict[int, int]:
        """Give itself and everything above with the length of the shortest way, nearest first."""
        found = {node: 0}
        for reached in (queue := [node]):
            for parent in self.above[reached]:
                if parent not in found:
                    found[parent] = found[reached] + 1
                    queue.append(parent)
        return found

    def common(self, a: int, b: int) -> int | None:
        """Find the most specific node above both; None in two trees.

        The highest information content; then the shortest way; then the smallest number.
        """
        of_a, of_b = self.ancestors(a), self.ancestors(b)
        shared = of_a.keys() & of_b.keys()
        if not shared:
            return None
        return min(shared, key=lambda each: (-self.ic(each), of_a[each] + of_b[each], each))

    def path(self, a: int, b: int) -> Path | None:
        """Find the way from ``a`` to ``b`` over :meth:`common`; None in two trees."""
        top = self.common(a, b)
        if top is None:
            return None
        return Path(self._way_up(a, top), top, self._way_up(b, top)[::-1])

    def lin(self, a: int, b: int) -> float:
        """Compute Lin's similarity, 2 IC(common) / (IC(a) + IC(b)), from 0 to 1.

        Lin, ICML 1998, with the information content of Seco et al., ECAI 2004.
        """
        if a == b:
            return 1.0
        top = self.common(a, b)
        if top is None or self.ic(top) <= 0:
            return 0.0
        return min(1.0, 2 * self.ic(top) / (self.ic(a) + self.ic(b)))

    def _way_up(self, node: int, top: int) -> tuple[int, ...]:
        """Give the nodes of a shortest way from ``node`` to just below ``top``."""
        if node == top:
            return ()
        came_from: dict[int, int] = {}
        for reached in (queue := [node]):
            for parent in self.above[reached]:
                if parent in came_from:
                    continue
                came_from[parent] = reached
                if parent == top:
                    return _back(came_from, node, top)
                queue.append(parent)
        raise ValueError(f"{top} is not above {node}")


def _back(came_from: dict[int, int], node: int, top: int) -> tuple[int, ...]:
    way = [came_from[top]]
    while way[-1] != node:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))


def _find(texts: Texts, text: str) -> int | None:
    place = bisect_left(texts, text)
    return place if place < len(texts) and texts[place] == text else None
