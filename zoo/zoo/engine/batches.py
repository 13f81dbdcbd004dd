"""Batches as large as the device allows, of inputs that cost alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HINT = "Use a device with more memory, fewer workers (ZOO_JOBS=1) or a smaller checkpoint."


class Batches:
    """Every input once, the most expensive first, a batch at a time.

    A batch costs as much as its most expensive input times its size, since the others are padded;
    that stays within the budget unless a single input exceeds it. The order depends on the costs
    alone, so that two runs see the same batches.

    Attributes:
        budget: cost of one batch; halved for the rest of the run when a batch does not fit.
        left: cost of the inputs that were not handed out yet.
    """

    def __init__(self, costs: Sequence[int], budget: int) -> None:
        """Prepare; costs are at least 1."""
        self.budget = budget
        self._costs = [max(1, cost) for cost in costs]
        self._order = sorted(range(len(costs)), key=lambda index: (-costs[index], index))
        self._position = 0
        self.left = sum(self._costs)

    @property
    def done(self) -> Sequence[int]:
        """Indices of the inputs that were handed out."""
        return self._order[: self._position]

    def run_next(self, forward: Callable[[Sequence[int]], None]) -> int:
        """Hand the next batch to ``forward``, smaller until it fits.

        Args:
            forward: takes the indices of a batch; may raise OutOfMemoryError.

        Returns:
            What its inputs cost.

        Raises:
            OutOfMemoryError: a single input does not fit.
        """
        while True:
            dearest = self._costs[self._order[self._position]]
            size = max(1, self.budget // dearest)
            batch = self._order[self._position : self._position + size]
            try:
                forward(batch)
            except (OutOfMemoryError, MemoryError) as error:
                if len(batch) == 1:
                    raise _one_too_many(error) from error
                self.budget = dearest * (len(batch) // 2)
            else:
                self._position += len(batch)
                cost = sum(self._costs[index] for index in batch)
                self.left -= cost
                return cost


def run_in_batches(
    costs: Sequence[int], budget: int, forward: Callable[[Sequence[int]], None]
) -> int:
    """Hand every input to ``forward`` once, as :class:`Batches` do.

    Returns:
        The budget that held to the end.

    Raises:
        OutOfMemoryError: a single input does not fit.
    """
    batches = Batches(costs, budget)
    while batches.left:
        batches.run_next(forward)
    return batches.budget


def _one_too_many(error: BaseException) -> OutOfMemoryError:
    said = error.message if isinstance(error, OutOfMemoryError) else str(error)
    hint = error.hint if isinstance(error, OutOfMemoryError) else ""
    return OutOfMemoryError(said or "a single input does not fit into memory.", hint or _HINT)
