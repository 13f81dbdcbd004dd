"""A lexicon from what a store says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from zoo_explanation.lexicon.columns import Rows, Texts
from zoo_explanation.lexicon.harvest import harvest
from zoo_explanation.lexicon.nodes import Lexicon, folded
from zoo_explanation.lexicon.structure import (
    descendant_counts,
    rows,
    tree_sizes,
    without_circles,
)

if TYPE_CHECKING:
    from zoo.graph import Graph
    from zoo_explanation.lexicon.harvest import Harvest

_NAMED_IN_NOTE = 3


def build(graph: Graph) -> Lexicon:
    """Read a graph and number what it names."""
    found = harvest(graph)
    size = len(found.iris)
    above = rows(found.broader, size)
    broken = without_circles(above)
    below = rows(((parent, node) for node, parents in enumerate(above) for parent in parents), size)
    words, words_of, nodes_of = _words(found)
    fields = sorted({"", *found.fields.values()})
    numbers = {name: number for number, name in enumerate(fields)}
    wnids = sorted((wnid, node) for node, wnid in found.wnids.items())
    return Lexicon(
        iris=Texts.of(found.iris),
        words=Texts.of(words),
        words_of=Rows.of(words_of),
        nodes_of=Rows.of(nodes_of),
        glosses=Texts.of([found.glosses.get(node, "") for node in range(size)]),
        fields=Texts.of(fields),
        field_of=np.array([numbers[found.fields.get(node, "")] for node in range(size)], np.int32),
        above=Rows.of(above),
        below=Rows.of(below),
        part=Rows.of(rows(found.parts, size)),
        counts=np.array(descendant_counts(above, below), np.int32),
        sizes=np.array(tree_sizes(above, below), np.int32),
        wnids=Texts.of([wnid for wnid, _ in wnids]),
        wnid_nodes=np.array([node for _, node in wnids], np.int32),
        notes=Texts.of([*found.notes, *_circles(found, broken)]),
    )


def _words(found: Harvest) -> tuple[list[str], list[list[int]], list[list[int]]]:
    """Number the words; order the nodes of each by rank, then those that it is the name of."""
    meanings: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for node, names in enumerate(found.names):
        for place, name in enumerate(names):
            rank = found.ranks.get((node, name), found.ranks.get((node, name.lower()), 0))
            meanings[name].append((rank, int(place > 0), node))
    words = sorted(meanings, key=lambda word: (folded(word), word))
    number = {word: place for place, word in enumerate(words)}
    words_of = [[number[name] for name in names] for names in found.names]
    return words, words_of, [[node for *_, node in sorted(meanings[word])] for word in words]


def _circles(found: Harvest, broken: list[tuple[int, int]]) -> list[str]:
    if not broken:
        return []
    shown = "; ".join(
        f"{found.names[node][0]} under {found.names[parent][0]}"
        for node, parent in broken[:_NAMED_IN_NOTE]
    )
    more = f" and {len(broken) - _NAMED_IN_NOTE} more" if len(broken) > _NAMED_IN_NOTE else ""
    return [f"Links that close a circle are left out: {shown}{more}."]
