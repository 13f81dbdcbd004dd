"""Mean losses between two lines of the journal, summed where they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zoo.errors import ZooError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class Meter:
    """Sums of named losses on the device: reading them waits for it, adding does not."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.count = 0
        self._sums: Tensor | None = None
        self._broken: Tensor | None = None

    def add(self, losses: Mapping[str, Tensor], step: int) -> None:
        """Add the losses of one batch of step ``step``, counted from 1."""
        values = torch.stack([each.float().reshape(()) for each in losses.values()])
        if self._sums is None or self._broken is None:
            self.names = tuple(losses)
            self._sums = torch.zeros_like(values)
            self._broken = torch.zeros_like(values, dtype=torch.int64)
        self._sums += values
        self._broken += (~torch.isfinite(values) & (self._broken == 0)) * step
        self.count += 1

    def means(self) -> dict[str, float]:
        """Give the mean of every loss.

        Raises:
            ZooError: one of them was not a finite number, saying which and when.
        """
        return {name: value / self.count for name, value in self.sums().items()}

    def sums(self) -> dict[str, float]:
        """Give the sums, which :meth:`restore` takes back.

        Raises:
            ZooError: as :meth:`means`.
        """
        if self._sums is None or self._broken is None or not self.count:
            return {}
        broken = {
            name: step for name, step in zip(self.names, self._broken.tolist(), strict=True) if step
        }
        if broken:
            raise _not_a_number(broken)
        return dict(zip(self.names, self._sums.tolist(), strict=True))

    def restore(self, sums: Mapping[str, float], count: int, device: torch.device) -> None:
        """Go on from what another meter had summed."""
        if count:
            self.names, self.count = tuple(sums), count
            self._sums = torch.tensor(list(sums.values()), device=device)
            self._broken = torch.zeros_like(self._sums, dtype=torch.int64)

    def clear(self) -> None:
        """Begin a new interval."""
        self.count = 0
        if self._sums is not None:
            self._sums.zero_()


def _not_a_number(broken: Mapping[str, int]) -> ZooError:
    first = min(broken.values())
    names = " and ".join(repr(name) for name, step in broken.items() if step == first)
    return ZooError(
        f"the loss {names} is not a finite number from step {first} on; nothing sensible can be "
        "learned from there.",
        "Try a smaller --learning-rate (a tenth of it), a longer warm-up, or --precision fp32.",
    )
