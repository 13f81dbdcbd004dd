"""Which sample and view come when: a function of the seed, without state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from torch.utils.data import Sampler

from zoo.training.views import PLAIN, view_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.training.samples import Samples
    from zoo.training.setup import TrainingSetup


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long a training is.

    Attributes:
        batch: samples of one forward pass; never more than there are.
        accumulate: batches of one step.
        epoch: batches of one pass over the data; what is left over waits for another epoch.
        steps: steps of the optimiser.
    """

    batch: int
    accumulate: int
    epoch: int
    steps: int

    @classmethod
    def of(cls, setup: TrainingSetup) -> Self:
        """Measure a training; every step has equally many samples."""
        schedule, count = setup.schedule, len(setup.rows)
        batch = min(schedule.batch, count)
        epoch = count // batch
        batches = max(1, round(schedule.epochs * epoch))
        return cls(
            batch=batch,
            accumulate=schedule.accumulate,
            epoch=epoch,
            steps=math.ceil(batches / schedule.accumulate),
        )

    def epochs(self, steps: int) -> float:
        """Count the passes over the data after some steps."""
        return steps * self.accumulate / self.epoch


class Course(Sampler[int]):
    """Indices of :class:`Samples` for the whole training, one permutation after the other.

    Batches do not stop at the end of an epoch, so that whoever reads ahead never waits there, and
    resuming is nothing but leaving out the first ones.
    """

    def __init__(self, data: Samples, rows: Sequence[int], length: Length) -> None:
        self.data, self.length = data, length
        self.rows = np.asarray(rows, dtype=np.int64)

    def __len__(self) -> int:
        return self.length.steps * self.length.accumulate * self.length.batch

    def __iter__(self) -> Iterator[int]:
        left, epoch = len(self), 0
        while left:
            found = self.of_epoch(epoch)[:left]
            yield from found
            left -= len(found)
            epoch += 1

    def of_epoch(self, epoch: int) -> list[int]:
        """Give the indices of one pass over the data."""
        draw = np.random.default_rng((self.data.seed, epoch))
        places = draw.permutation(len(self.rows))[: self.length.epoch * self.length.batch]
        is_image = self.data.modality == "image"
        return [
            self.data.index(
                int(self.rows[place]),
                view_number(epoch, self.data.views, place) if is_image else PLAIN,
            )
            for place in places.tolist()
        ]
