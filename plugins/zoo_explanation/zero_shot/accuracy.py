"""How well rows made from the graph classify the person's images, beside word vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo_explanation.shown import clean, share_of
from zoo_explanation.zero_shot.attended import row_of
from zoo_explanation.zero_shot.baselines import ridge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Evidence
    from zoo_explanation.alignment import Alignment
    from zoo_explanation.zero_shot.images import Images
    from zoo_explanation.zero_shot.prepared import Prepared


def say_accuracy(
    prepared: Prepared,
    images: Images,
    targets: Sequence[Alignment],
    of: Sequence[Evidence | None],
) -> None:
    """Classify the images of the unseen classes among these classes; needs two of them."""
    there = [each for each in targets if images.of(each.label) is not None]
    nodes = [each.node for each in there if each.node is not None]
    if len(nodes) < 2:
        return
    wanted = [images.places[each.label.casefold().strip()] for each in there]
    mine = np.isin(images.labels, wanted)
    truth = np.searchsorted(np.sort(wanted), images.labels[mine])
    truth = np.argsort(wanted)[truth]
    values = images.values[mine]
    rows = np.stack([row_of(prepared, node, prepared.attention(node)) for node in nodes])
    texts, seen = prepared.texts.values, prepared.places
    words = ridge(
        texts[seen],
        prepared.head.rows,
        texts[prepared.graph.places(nodes)],
        seed=prepared.head.case.seed,
    )
    value, low, high = share_of((values @ rows.T).argmax(axis=1) == truth)
    beside, *_ = share_of((values @ words.T).argmax(axis=1) == truth)
    chance = 100 / len(nodes)
    facts: dict[str, Any] = {
        "classes": tuple(clean(each.label) for each in there),
        "value": value,
        "low": low,
        "high": high,
        "images": int(mine.sum()),
        "percent": 95,
        "chance": chance,
        "words": beside,
    }
    case = prepared.head.case
    evidence = case.ledger.derive(
        "measurement", case.model, "accuracy on unseen classes", of=(images.evidence, *of), **facts
    )
    ending = " That is not above chance." if low <= chance else ""
    case.ledger.claim(
        "measured",
        "Among {classes}, rows made from the graph classify {value:.1f} % of {images} images right "
        "({percent} % interval {low:.1f} to {high:.1f}); chance is {chance:.1f} %, word vectors "
        f"alone reach {{words:.1f}} %.{ending}",
        evidence,
        models=(case.model,),
        **facts,
    )
