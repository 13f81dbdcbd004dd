"""How a person's classes stand to the classes a model was trained on, in a graph of kinds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from zoo_explanation.lexicon import random_leaves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo_explanation.alignment import Alignment
    from zoo_explanation.lexicon import Lexicon, Path

#: From the nearest to the farthest; see :class:`Relation`.
Kind = Literal["same", "narrower", "broader", "close", "loose", "general", "absent"]
KINDS: tuple[Kind, ...] = ("same", "narrower", "broader", "close", "loose", "general", "absent")

_CLOSE, _LOOSE = 0.6, 0.3
_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Relation:
    """One of the person's classes and the nearest class of a model.

    Attributes:
        label: the person's class.
        kind: ``same``; the nearest is ``narrower`` or ``broader``; both are of one kind of
            information content >= .6 (``close``), >= .3 (``loose``) or less (``general``);
            ``absent``: the class is not in the graph.
        source: place of the nearest among the model's classes; -1 where there is none.
        lin: Lin's similarity with it, 0 to 1.
        shared: information content of the most specific kind of both.
        path: from the class to the nearest; None where nothing is above both.
    """

    label: str
    kind: Kind = "absent"
    source: int = -1
    lin: float = 0.0
    shared: float = 0.0
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What two label spaces share.

    Attributes:
        relations: one a class of the person's.
        lin: mean of the best similarities of those found; None where none is.
        chance: the same for random nouns of the same fields: mean and standard deviation.
        draws: how often.
        new: share of the kinds above the person's classes that are above none of the model's.
        obsolete: share of the kinds above the model's that are above none of the person's.
        invariant: share of all of them that is above both; all three after Chen et al., KR 2018.
    """

    relations: tuple[Relation, ...]
    lin: float | None = None
    chance: tuple[float, float] | None = None
    draws: int = _DRAWS
    new: float = 1.0
    obsolete: float = 1.0
    invariant: float = 0.0

    @property
    def counts(self) -> Mapping[Kind, int]:
        """Count the relations by kind."""
        return Counter(each.kind for each in self.relations)

    @property
    def z(self) -> float | None:
        """Deviations of the mean similarity from chance; None where chance does not vary."""
        if self.lin is None or self.chance is None or self.chance[1] < 1e-9:
            return None
        return (self.lin - self.chance[0]) / self.chance[1]


def overlap(
    targets: Sequence[Alignment],
    sources: Sequence[Alignment],
    lexicon: Lexicon,
    *,
    seed: int = 0,
    draws: int = _DRAWS,
) -> Overlap:
    """Relate every class of the person's to the nearest class of a model.

    The null follows the fields of the person's classes, since larger label spaces are nearer to
    anything. Lin, ICML 1998, with the information content of Seco et al., ECAI 2004.

    Args:
        targets: the person's classes.
        sources: the model's.
        lexicon: of both.
        seed: of the random nouns.
        draws: how often they are drawn.
    """
    trained = Trained(sources, lexicon)
    relations = tuple(trained.nearest(each) for each in targets)
    nodes = [each.node for each in targets if each.node is not None]
    if not nodes or not trained.nodes:
        return Overlap(relations=relations)
    fields = [lexicon.field(node) for node in nodes]
    drawn = random_leaves(lexicon, fields, draws, seed)
    leaves, places = np.unique(drawn, return_inverse=True)
    best = np.array([trained.best(leaf) for leaf in leaves.tolist()])
    means = best[places.reshape(drawn.shape)].mean(axis=1) if drawn.size else best
    above = {each for node in nodes for each in lexicon.ancestors(node)}
    theirs = trained.below.keys()
    return Overlap(
        relations=relations,
        lin=float(np.mean([each.lin for each in relations if each.kind != "absent"])),
        chance=(float(means.mean()), float(means.std())) if means.size else None,
        draws=draws,
        new=len(above - theirs) / len(above),
        obsolete=len(theirs - above) / len(theirs),
        invariant=len(theirs & above) / len(theirs | above),
    )


class Trained:
    """The classes of a model, by everything above them.

    Attributes:
        nodes: place -> node, of those found.
        below: node -> places of the classes that are it or of its kind.
    """

    def __init__(self, sources: Sequence[Alignment], lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._sources = sources
        self.nodes = {
            place: each.node for place, each in enumerate(sources) if each.node is not None
        }
        self._above = {place: lexicon.ancestors(node) for place, node in self.nodes.items()}
        self.below: dict[int, list[int]] = {}
        self._itself: dict[int, int] = {}
        for place, node in self.nodes.items():
            if not sources[place].broader:
                self._itself.setdefault(node, place)
            for ancestor in self._above[place]:
                self.below.setdefault(ancestor, []).append(place)
        self._ic = {place: lexicon.ic(node) for place, node in self.nodes.items()}
        self._reach: dict[int, float] = {}

    def nearest(self, target: Alignment) -> Relation:
        """Relate one class to the nearest of the model's.

        A class that is only known to be of a kind is never the same as another.
        """
        node = target.node
        if node is None:
            return Relation(target.label)
        if not self.nodes:
            return Relation(target.label, "general")
        if node in self._itself and not target.broader:
            return self._related(target, "same", self._itself[node])
        if node in self.below and not target.broader:
            return self._related(target, "narrower", self._alike(node, self.below[node]))
        above = self._lexicon.ancestors(node)
        broader = [each for each in above if each in self._itself]
        if broader:
            nearest = min(broader, key=lambda each: (-self._lexicon.ic(each), above[each], each))
            return self._related(target, "broader", self._itself[nearest])
        return self._related(target, None, self._alike(node, list(self.nodes)))

    def best(self, leaf: int) -> float:
        """Give the similarity of a node with nothing below it with the nearest class."""
        if leaf not in self._reach:
            above = max(map(self.best, self._lexicon.parents(leaf)), default=0.0)
            least = min((self._ic[place] for place in self.below.get(leaf, ())), default=None)
            own = 0.0 if least is None else 2 * self._lexicon.ic(leaf) / (1 + least)
            self._reach[leaf] = min(1.0, max(own, above))
        return self._reach[leaf]

    def _alike(self, node: int, places: Sequence[int]) -> int:
        """Find the most similar of some classes: by similarity, by distance, by place."""
        lexicon, above = self._lexicon, self._lexicon.ancestors(node)
        own, found = lexicon.ic(node), (-1.0, 0, 0, -1)
        left = set(places)
        for ancestor in sorted(above, key=lambda each: (-lexicon.ic(each), above[each], each)):
            for place in left.intersection(self.below.get(ancestor, ())):
                left.discard(place)
                total = own + self._ic[place]
                lin = 2 * lexicon.ic(ancestor) / total if total > 0 else 0.0
                steps = above[ancestor] + self._above[place][ancestor]
                found = max(found, (round(lin, 12), -steps, -place, place))
        return found[3]

    def _related(self, target: Alignment, kind: Kind | None, place: int) -> Relation:
        lexicon, node = self._lexicon, target.node
        assert node is not None
        path = lexicon.path(node, self.nodes[place]) if place >= 0 else None
        if path is None:
            return Relation(target.label, "general")
        shared = lexicon.ic(path.top)
        if kind is None:
            kind = "close" if shared >= _CLOSE else "loose" if shared >= _LOOSE else "general"
        lin = lexicon.lin(node, self.nodes[place])
        return Relation(target.label, kind, place, lin, shared, path)


def shared_parts(a: int, b: int, lexicon: Lexicon) -> tuple[int, list[int]] | None:
    """Find the parts that two classes inherit from the most specific kind of both that has any.

    Returns:
        That kind and its parts; None where nothing but a very general kind has parts.
    """
    both = lexicon.ancestors(a).keys() & lexicon.ancestors(b).keys()
    for node in sorted(both, key=lambda each: (-lexicon.ic(each), each)):
        if lexicon.ic(node) >= _LOOSE and (parts := lexicon.parts(node)):
            return node, parts
    return None
