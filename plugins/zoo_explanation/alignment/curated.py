"""Tables that the project wrote: label, lemma, and what has to stand above the right sense.

No ids: so they hold for WordNet 3.0 and for Open English WordNet alike.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from zoo_explanation.alignment.labels import background, key, meaningless
from zoo_explanation.alignment.values import Alignment

if TYPE_CHECKING:
    from zoo.types import LabelSpace
    from zoo_explanation.alignment.values import How
    from zoo_explanation.lexicon import Lexicon

#: What a label is looked up by, and the lemmas of which one has to stand above.
Row = tuple[str, tuple[str, ...]]
#: Bare numbers are digits only where the name of what they label says so.
_DIGITS = re.compile(r"digit|mnist|svhn|number|glyph|\bdemo\b", re.IGNORECASE)


@cache
def tables() -> dict[str, dict[str, Row]]:
    """Read every table: its name -> label -> row; an empty lemma: no noun is meant."""
    found: dict[str, dict[str, Row]] = {}
    folder = resources.files("zoo_explanation") / "curated"
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".tsv"):
            lines = file.read_text("utf-8").splitlines()
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                above = tuple(filter(None, row["above"].split("|")))
                found.setdefault(row["table"], {})[key(row["label"])] = (row["lemma"], above)
    return found


def by_table(space: LabelSpace, lexicon: Lexicon) -> dict[int, Alignment]:
    """Align by the tables that have every label of the space.

    What they disagree on stays open, and so does a sense that this graph does not have.
    """
    keys = {place: key(each) for place, each in enumerate(space.labels) if not background(each)}
    wanted = set(keys.values())
    fitting = [table for table in tables().values() if wanted and wanted <= table.keys()]
    if not fitting or (
        all(map(meaningless, wanted)) and not _DIGITS.search(f"{space.name} {space.source}")
    ):
        return {}
    found = {}
    for place, each in keys.items():
        nodes = {sense_below(lexicon, *table[each]) for table in fitting}
        no_noun = not any(table[each][0] for table in fitting)
        if len(nodes) == 1 and (no_noun or None not in nodes):
            node = nodes.pop()
            how: How = "absent" if node is None else "curated"
            found[place] = Alignment(label=space.labels[place], node=node, how=how)
    return found


def sense_below(lexicon: Lexicon, lemma: str, above: tuple[str, ...]) -> int | None:
    """Find the first sense of a lemma that has one of some lemmas above it."""
    wanted = {node for each in above for node in lexicon.senses(each)}
    for node in lexicon.senses(lemma) if lemma else ():
        if not above or wanted & (lexicon.ancestors(node).keys() - {node}):
            return node
    return None
