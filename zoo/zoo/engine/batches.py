"""Batches as large as the device allows, of inputs that cost alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HINT = "Use a device with more memory, fewer workers (ZOO_JOBS=1) or a smaller checkpoint."


def run_in_batches(
    costs: Sequence[int], budget: int, forward: Callable[[Sequence[int]], None]
) -> int:
    """Hand every input to ``forward`` once, the most expensive first.

    A batch costs as much as its most expensive input times its size, since the others are padded;
    that stays within ``budget`` unless a single input exceeds it. The order depends on the costs
    alone, so that two runs see the same batches.

    Args:
        costs: cost of each input, at least 1.
        budget: cost of one batch; halved for the rest of the run when a batch does not fit.
        forward: takes the indices of a batch; may raise OutOfMemoryError.

    Returns:
        The budget that held to the end.

    Raises:
        OutOfMemoryError: a single input does not fit.
    """
    order = sorted(range(len(costs)), key=lambda index: (-costs[index], index))
    position = 0
    while position < len(order):
        dearest = max(1, costs[order[position]])
        batch = order[position : position + max(1, budget // dearest)]
        try:
            forward(batch)
        except (OutOfMemoryError, MemoryError) as error:
            if len(batch) == 1:
                raise _one_too_many(error) from error
            budget = dearest * (len(batch) // 2)
        else:
            position += len(batch)
    return budget


def _one_too_many(error: BaseException) -> OutOfMemoryError:
    said = error.message if isinstance(error, OutOfMemoryError) else str(error)
    hint = error.hint if isinstance(error, OutOfMemoryError) else ""
    return OutOfMemoryError(said or "a single input does not fit into memory.", hint or _HINT)
