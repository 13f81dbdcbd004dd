"""Seen classes that attention points at, said only where taking them away matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo_explanation.zero_shot.deletion import Deletion, delete, draws_for, separation
from zoo_explanation.zero_shot.learning import classifier
from zoo_explanation.zero_shot.texts import unit

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.explaining import Evidence
    from zoo_explanation.zero_shot.images import Images
    from zoo_explanation.zero_shot.prepared import Head, Prepared

#: A seen class with more attention is impressive, in the words of Geng et al.
IMPRESSIVE = 0.01
MOST = 5

_IMAGES = "share of pairs of images in the right order"
_ROW = "cosine with what the network makes of the class itself"


@dataclass(frozen=True, eq=False)
class Attended:
    """What a class attends to.

    Attributes:
        weights: (S,) attention.
        top: places of the impressive classes, the most attended first.
        deletion: what happened without them.
        measure: of what, in words.
        images: whether it was tried on images.
    """

    weights: npt.NDArray[Any]
    top: npt.NDArray[Any]
    deletion: Deletion
    measure: str
    images: bool


def row_of(prepared: Prepared, node: int, weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make the row of an unseen class from some weights: (D,)."""
    place = prepared.graph.places([node])
    found: npt.NDArray[Any] = classifier(prepared.learnt, place, weights[None], prepared.head.rows)[
        0
    ]
    return found


def attended(
    prepared: Prepared,
    node: int,
    images: Images | None,
    label: str,
    weights: npt.NDArray[Any] | None = None,
) -> Attended:
    """Take away the contribution of the impressive classes, and see whether it matters.

    Args:
        prepared: with the attention.
        node: of the unseen class.
        images: to measure on; without any of the class, its row is reconstructed instead.
        label: of the class, as the images have it.
        weights: (S,) instead of the attention that was learnt.
    """
    weights = prepared.attention(node) if weights is None else weights
    order = np.argsort(-weights, kind="stable")[:MOST]
    top = order[weights[order] > IMPRESSIVE]
    ours = images.of(label) if images is not None else None
    case = prepared.head.case
    seed, draws = case.seed, draws_for(len(case.unseen))
    if images is not None and ours is not None:
        values = images.values

        def on_images(part: npt.NDArray[Any]) -> float:
            return separation(values @ (part @ prepared.head.rows), ours)

        works = images.told_apart(weights @ prepared.head.rows, ours)
        found = delete(on_images, weights, top, seed=seed, draws=draws, works=works)
        return Attended(weights, top, found, _IMAGES, images=True)
    own = unit(prepared.own(node)[None])[0]
    outputs = prepared.learnt.outputs[prepared.places] @ prepared.learnt.axes

    def on_row(part: npt.NDArray[Any]) -> float:
        return float(unit((part @ outputs)[None])[0] @ own)

    found = delete(on_row, weights, top, seed=seed, draws=draws)
    return Attended(weights, top, found, _ROW, images=False)


def say_attended(
    head: Head,
    prepared: Prepared,
    label: str,
    found: Attended,
    of: tuple[Evidence | None, ...],
) -> bool:
    """Claim what passed the deletion, and that it is not known otherwise; tell which."""
    ledger, deletion = head.case.ledger, found.deletion
    facts: dict[str, Any] = {
        "measure": found.measure,
        "whole": deletion.whole,
        "without": deletion.without,
        "least_of_random": deletion.chosen,
        "draws": deletion.draws,
        "encoder": prepared.texts.encoder,
        "epochs": prepared.learnt.epochs,
    }
    if not len(found.top) or not deletion.passed:
        lacking = ledger.derive("measurement", label, "deletion", of=of, **facts)
        ledger.claim(
            "not known",
            "Which classes of the head stand behind '{label}': taking away those that it attends "
            "to most changes no more than taking away random ones, or what is made of them does "
            "not work in the first place.",
            lacking,
            label=label,
            models=(head.case.model,),
        )
        return False
    classes = tuple(head.name(place) for place in found.top)
    evidence = ledger.derive(
        "ablation",
        label,
        "deletion",
        of=of,
        **facts,
        classes=classes,
        attention=[round(float(found.weights[place]), 4) for place in found.top],
        best_in_their_place=deletion.replaced,
    )
    what = (
        "The mixture of the head's rows that attention makes for '{label}' tells its images from "
        "the others"
        if found.images
        else "The row that attention makes for '{label}' agrees with its texts and links"
    )
    ledger.claim(
        "measured",
        f"{what} to {{whole:.3f}} ({{measure}}); without what the head's rows of {{classes}} "
        "contribute, to {without:.3f}. Taking away as many random classes, in {draws} draws, it "
        "never fell below {least_of_random:.3f}.",
        evidence,
        label=label,
        classes=classes,
        models=(head.case.model,),
        **{each: facts[each] for each in ("whole", "measure", "without", "draws")},
        least_of_random=deletion.chosen,
    )
    ledger.claim(
        "measured",
        "That is due to these very classes: with random ones in their place it reached "
        "{replaced:.3f} at most, {whole:.3f} with them.",
        evidence,
        replaced=deletion.replaced,
        whole=deletion.whole,
        models=(head.case.model,),
    )
    return True
