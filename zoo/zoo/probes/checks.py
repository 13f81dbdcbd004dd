"""What labels must be before a forward pass is spent on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError
from zoo.probes import label_texts
from zoo.probes.words import are, count, listed

if TYPE_CHECKING:
    from zoo.probes.label_values import Labels


def check(labels: Labels, source: str) -> None:
    """Refuse labels that no checkpoint could be ranked by.

    Raises:
        InputError: one class, no class with two samples, a constant target.
    """
    _CHECKS[labels.task](labels, source)


def _classes(labels: Labels, source: str) -> None:
    counts = np.bincount(labels.values[labels.present], minlength=len(labels.names))
    found = np.flatnonzero(counts)
    if len(found) == 1:
        only = labels.names[found[0]]
        raise InputError(
            f"all {count(int(counts.sum()), 'sample')} of {source!r} are of one class, {only!r}; "
            "two or more are needed.",
            "--label NAME chooses another column, --split NAME another split.",
        )
    if counts.max() < 2:
        raise InputError(
            f"each of the {len(found)} samples of {source!r} has a class of its own; two or "
            "more samples a class are needed.",
            "--label NAME chooses another column; --task regression reads numbers as quantities, "
            "--task text reads texts that are all different.",
        )


def _marks(labels: Labels, source: str) -> None:
    kept = labels.values[labels.present]
    if not kept.shape[1] or (kept == kept[0]).all():
        raise InputError(
            f"every sample of {source!r} has the same labels; ranking needs a difference.",
            "--label NAME chooses other columns.",
        )


def _targets(labels: Labels, source: str) -> None:
    if labels.pixels or len(_constant(labels)) < len(labels.names):
        return
    first, rows = labels.values[labels.present][0], int(labels.present.sum())
    if len(labels.names) == 1:
        what = f"the target {labels.names[0]!r} of {source!r} is {first.reshape(-1)[0]:g}"
    else:
        what = f"the targets {listed(labels.names)} of {source!r} are each the same"
    raise InputError(
        f"{what} in all {count(rows, 'row')}; there is nothing to predict.",
        "--label NAME chooses another column.",
    )


def _constant(labels: Labels) -> list[str]:
    kept = labels.values[labels.present].reshape(int(labels.present.sum()), -1)
    return [name for name, each in zip(labels.names, kept.T, strict=True) if np.ptp(each) == 0]


_CHECKS = {
    "classification": _classes,
    "multi-label": _marks,
    "regression": _targets,
    "text": label_texts.check,
}


def thin_notes(labels: Labels) -> tuple[str, ...]:
    """Say which classes are too thin to say much, or missing; which targets never change."""
    if labels.task == "text" or labels.pixels:
        return ()
    if labels.task == "regression":
        same = _constant(labels)
        return (f"{listed(same)} {are(len(same))} the same in all rows.",) if same else ()
    kept = labels.values[labels.present]
    if labels.task == "multi-label":
        counts = kept.sum(axis=0)
    else:
        counts = np.bincount(kept, minlength=len(labels.names))
    said = []
    for number, words in ((0, "no sample"), (1, "a single sample")):
        names = [labels.names[which] for which in np.flatnonzero(counts == number)]
        if names:
            verb = "has" if len(names) == 1 else "have"
            said.append(f"{listed(names, most=5)} {verb} {words}.")
    return tuple(said)
