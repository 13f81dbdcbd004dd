"""What labels must be before a forward pass is spent on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError
from zoo.probes.words import count, listed

if TYPE_CHECKING:
    from zoo.probes.label_values import Labels


def check(labels: Labels, source: str) -> None:
    """Refuse labels that no checkpoint could be ranked by.

    Raises:
        InputError: one class, no class with two samples, a constant target.
    """
    {"classification": _classes, "multi-label": _marks, "regression": _targets}[labels.task](
        labels, source
    )


def _classes(labels: Labels, source: str) -> None:
    counts = np.bincount(labels.values[labels.present], minlength=len(labels.names))
    found = np.flatnonzero(counts)
    if len(found) == 1:
        only = labels.names[found[0]]
        raise InputError(
            f"all {count(int(counts.sum()), 'sample')} of {source!r} are of one class, {only!r}; "
            "ranking needs two or more.",
            "--label NAME chooses another column, --split NAME another split.",
        )
    if counts.max() < 2:
        raise InputError(
            f"each of the {len(found)} samples of {source!r} has a class of its own; ranking needs "
            "two or more samples a class.",
            "--label NAME chooses another column; --task regression reads numbers as quantities.",
        )


def _marks(labels: Labels, source: str) -> None:
    kept = labels.values[labels.present]
    if not kept.shape[1] or (kept == kept[0]).all():
        raise InputError(
            f"every sample of {source!r} has the same labels; ranking needs a difference.",
            "--label NAME chooses other columns.",
        )


def _targets(labels: Labels, source: str) -> None:
    kept = labels.values[labels.present].reshape(int(labels.present.sum()), -1)
    for number, name in enumerate(labels.names):
        if np.ptp(kept[:, number]) == 0:
            raise InputError(
                f"the target {name!r} of {source!r} is {kept[0, number]:g} in all "
                f"{count(len(kept), 'row')}; there is nothing to predict.",
                "--label NAME chooses another column.",
            )


def thin_notes(labels: Labels) -> tuple[str, ...]:
    """Say which classes are too thin to say much, or missing."""
    if labels.task == "regression":
        return ()
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
