"""The samples of each round of a race; light, for a plan needs no array.

They are drawn once, in an order that is stratified at every length, so that each round adds to what
the rounds before it have extracted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.engine.pieces import Rows
    from zoo.types.probe import Probe

#: The first round takes this share of the samples, every further one twice as many.
FIRST = 8
#: A round has at least so many samples, and two of every class.
LEAST = 50


def rounds_of(samples: int, classes: int | None) -> tuple[int, ...]:
    """Say how many samples each round has; one round where there are too few to race."""
    least = max(LEAST, 2 * (classes or 1))
    sizes = [samples]
    while sizes[0] // 2 >= least and sizes[0] // 2 >= samples // FIRST:
        sizes.insert(0, sizes[0] // 2)
    return tuple(sizes)


def slices_of(probe: Probe, rounds: Sequence[int]) -> list[Rows]:
    """Give the samples that each round adds, ascending; a round has those of all before it too."""
    import numpy as np

    from zoo.probes.sample import quantile_strata, queue

    if probe.task == "classification":
        strata = np.asarray(probe.labels)
    elif probe.task == "regression" and probe.labels.ndim == 1:
        strata = quantile_strata(probe.labels)
    else:
        strata = np.zeros(probe.samples, dtype=np.int64)
    order = queue(strata, probe.seed)
    starts = (0, *rounds[:-1])
    return [np.sort(order[start:end]) for start, end in zip(starts, rounds, strict=True)]
