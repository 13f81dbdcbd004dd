"""The reporter ``prototypes``: which classes of a head stand in for a person's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo_explanation.shown import clean
from zoo_explanation.zero_shot.attended import MOST
from zoo_explanation.zero_shot.deletion import Deletion, delete, draws_for
from zoo_explanation.zero_shot.images import read_images
from zoo_explanation.zero_shot.prepared import aligned, open_head, prepare
from zoo_explanation.zero_shot.texts import unit

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case
    from zoo_explanation.zero_shot.images import Images
    from zoo_explanation.zero_shot.prepared import Prepared

#: Attention below it is not reported.
LEAST = 0.05


class Prototypes:
    """Reads the rows of a head as prototypes, and mixes them for the person's classes."""

    def report(self, case: Case) -> None:
        """Name the classes of the head that matter, tried by deletion on the images."""
        if not case.target.labels:
            raise NotApplicable("the classes of the data have no names")
        head = open_head(case)
        images = read_images(head)
        if images is None:
            raise NotApplicable("there are no features of images that the head reads")
        targets = aligned(case, case.target, head.lexicon)
        there = [
            (number, node)
            for number, each in enumerate(targets)
            if (node := each.node) is not None and images.of(each.label) is not None
        ]
        if len(there) < 2:
            raise NotApplicable("fewer than two classes of the data are in the graph")
        prepared = prepare(head, [node for _, node in there])
        weights = np.stack([prepared.attention(node, itself=True) for _, node in there])
        confirmed = all(targets[number].confirmed for number, _ in there)
        mix = case.ledger.observe(
            "measurement",
            case.model,
            "attention of your classes to the classes of the head",
            source=head.classifier.source,
            sha256=head.classifier.sha256,
            confirmed=confirmed,
            encoder=prepared.texts.encoder,
            epochs=prepared.learnt.epochs,
        )
        numbers = [number for number, _ in there]
        said = [
            _say(prepared, images, weights, place, numbers, mix=mix) for place in range(len(there))
        ]
        if not any(said):
            raise NotApplicable(
                "no class of the head matters more for your classes than random ones do"
            )


def accuracy_with(
    values: npt.NDArray[Any],
    truth: npt.NDArray[Any],
    prototypes: npt.NDArray[Any],
    place: int,
    row: npt.NDArray[Any],
) -> float:
    """Classify by the nearest prototype, with one of them replaced: the mean of the recalls."""
    changed = prototypes.copy()
    changed[place] = unit(row[None])[0]
    right = (values @ changed.T).argmax(axis=1) == truth
    return float(np.mean([right[truth == each].mean() for each in np.unique(truth)]))


def tried(
    images: Images,
    rows: npt.NDArray[Any],
    weights: npt.NDArray[Any],
    place: int,
    numbers: list[int],
    *,
    seed: int,
) -> tuple[npt.NDArray[Any], Deletion]:
    """Take away what one class attends to, and measure all; gives the places, and what happened."""
    mine = np.isin(images.labels, numbers)
    truth = np.searchsorted(numbers, images.labels[mine])
    values, prototypes = images.values[mine], unit(weights @ rows)
    order = np.argsort(-weights[place], kind="stable")[:MOST]
    top = order[weights[place][order] > LEAST]

    def quality(part: npt.NDArray[Any]) -> float:
        return accuracy_with(values, truth, prototypes, place, part @ rows)

    own = images.labels == numbers[place]
    works = bool(len(top)) and images.told_apart(prototypes[place], own)
    return top, delete(
        quality, weights[place], top, seed=seed, draws=draws_for(len(numbers)), works=works
    )


def _say(
    prepared: Prepared,
    images: Images,
    weights: npt.NDArray[Any],
    place: int,
    numbers: list[int],
    *,
    mix: Evidence | None,
) -> bool:
    head = prepared.head
    case, label = head.case, clean(images.names[numbers[place]])
    top, found = tried(images, head.rows, weights, place, numbers, seed=case.seed)
    if not found.passed:
        return False
    facts: dict[str, Any] = {
        "classes": tuple(head.name(each) for each in top),
        "whole": 100 * found.whole,
        "without": 100 * found.without,
        "least_of_random": 100 * found.chosen,
        "draws": found.draws,
    }
    evidence = case.ledger.derive(
        "ablation",
        label,
        "deletion",
        of=(mix, images.evidence),
        **facts,
        attention=[round(float(weights[place][each]), 4) for each in top],
        best_in_their_place=100 * found.replaced,
        measure="mean recall of the nearest prototype, in percent",
    )
    case.ledger.claim(
        "measured",
        "What stands for '{label}' in the head: {classes}. Without what that contributes, the "
        "nearest of the prototypes made from the head is right for {without:.1f} % of the images "
        "(mean over classes) instead of {whole:.1f} %; taking away as many random ones, in "
        "{draws} draws, never left less than {least_of_random:.1f} %.",
        evidence,
        label=label,
        models=(case.model,),
        **facts,
    )
    return True
