"""Sounds: equal lengths run together, so that nothing is filled up and nothing has to be masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.errors import NotApplicable
from zoo_runtimes.images import group_by_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.types.runtimes import EncodedInput
    from zoo_runtimes.waveforms import Extraction

    Array = npt.NDArray[Any]


class AudioFeed:
    """Waveforms become samples or spectrograms, a batch for every length."""

    def __init__(self, extraction: Extraction, device: torch.device) -> None:
        self._extraction, self._device = extraction, device

    @property
    def rate(self) -> int:
        """Samples a second of the waveforms."""
        return self._extraction.rate

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Prepare waveforms: (N,) float32 at the checkpoint's rate.

        Raises:
            InputError: an input is no waveform.
        """
        return self._extraction.encode(inputs)

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """One batch for every length."""
        arrays = [entry.data for entry in batch]
        for rows in group_by_shape(arrays).values():
            yield rows, {self._extraction.field: self._stacked([arrays[row] for row in rows])}

    def cells(self, batch: Sequence[EncodedInput], maps: torch.Tensor, reduction: str) -> Array:
        """Sounds of different length share no parts.

        Raises:
            NotApplicable: always.
        """
        del batch, maps, reduction
        raise NotApplicable("there are no attributions of sound.")

    def samples(self) -> dict[str, torch.Tensor]:
        """Two sounds of noise, to find a network's layers with."""
        return {self._extraction.field: self._stacked(self._extraction.samples())}

    def _stacked(self, arrays: Sequence[Array]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self._device)
