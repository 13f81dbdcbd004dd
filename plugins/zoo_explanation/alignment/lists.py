"""Labels that name a synset by all of its lemmas, such as those of ImageNet."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from zoo_explanation.alignment.labels import background, names_of
from zoo_explanation.alignment.values import Alignment
from zoo_explanation.lexicon.nodes import folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types import LabelSpace
    from zoo_explanation.lexicon import Lexicon

_WNID = re.compile(r"n\d{8}")
#: From this share of lists on, labels of a single name are taken for lists of one.
_STYLE = 0.2
#: From this share of ascending neighbours on, the labels stand in the order of the ids.
_ORDERED = 0.98


def by_id(space: LabelSpace, lexicon: Lexicon) -> dict[int, Alignment]:
    """Align what carries a WordNet 3.0 id, as its label or beside it."""
    found = {}
    for place, label in enumerate(space.labels):
        ids = space.ids[place : place + 1] or (label.strip(),)
        node = lexicon.by_wnid(ids[0]) if _WNID.fullmatch(ids[0]) else None
        if node is not None:
            found[place] = Alignment(label=label, node=node, how="id")
    return found


def by_names(space: LabelSpace, lexicon: Lexicon) -> dict[int, Alignment]:
    """Align labels of several names by the synset that has them all.

    Where many labels are such lists, so are those of one name; and where the certain ones stand
    in the order of the ids, as ImageNet's do, a synset has to fit between its neighbours.
    """
    names = {
        place: names_of(label) for place, label in enumerate(space.labels) if not background(label)
    }
    options = {place: _best(lexicon, each) for place, each in names.items()}
    listed = {place: nodes for place, nodes in options.items() if len(names[place]) > 1 and nodes}
    if len(listed) < _STYLE * len(names):
        return {
            place: Alignment(label=space.labels[place], node=nodes[0], how="names")
            for place, nodes in listed.items()
            if len(nodes) == 1
        }
    sure = {
        place: nodes[0]
        for place, nodes in options.items()
        if len(nodes) == 1 and (place in listed or len(lexicon.senses(names[place][0])) == 1)
    }
    found = {
        place: Alignment(label=space.labels[place], node=node, how="names")
        for place, node in sure.items()
    }
    return found | _in_order(space, lexicon, options, sure) if _ascending(sure) else found


def _best(lexicon: Lexicon, names: list[str]) -> list[int]:
    """Give the synsets that have all names, those with the fewest others."""
    wanted = {folded(name) for name in names}
    others = {
        node: len({folded(lemma) for lemma in lexicon.lemmas(node)} - wanted)
        for node in (lexicon.senses(names[0]) if names else ())
        if wanted <= {folded(lemma) for lemma in lexicon.lemmas(node)}
    }
    fewest = min(others.values(), default=0)
    return [node for node, count in others.items() if count == fewest]


def _ascending(sure: Mapping[int, int]) -> bool:
    nodes = [sure[place] for place in sorted(sure)]
    steps = [a < b for a, b in pairwise(nodes)]
    return len(steps) >= 10 and sum(steps) >= _ORDERED * len(steps)


def _in_order(
    space: LabelSpace,
    lexicon: Lexicon,
    options: Mapping[int, list[int]],
    sure: Mapping[int, int],
) -> dict[int, Alignment]:
    """Align each open label by its senses between the certain ones around it, if there are any."""
    found: dict[int, Alignment] = {}
    above: dict[int, int] = {}
    high, low = len(lexicon), -1
    for place in sorted(options, reverse=True):
        above[place] = high
        high = sure.get(place, high)
    for place in sorted(options):
        if place in sure:
            low = sure[place]
            continue
        named = [node for name in names_of(space.labels[place]) for node in lexicon.senses(name)]
        for nodes in (options[place], list(dict.fromkeys(named))):
            first, *others = [node for node in nodes if low < node < above[place]] or [-1]
            if first >= 0:
                found[place] = Alignment(
                    label=space.labels[place],
                    node=first,
                    how="order",
                    confirmed=not others,
                    alternatives=tuple(others),
                )
                break
    return found
