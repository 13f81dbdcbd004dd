"""What differs between images and texts: from a batch to tensors, from attributions to cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from zoo.types.runtimes import EncodedInput
from zoo_runtimes import attributions
from zoo_runtimes.images import group_by_shape
from zoo_runtimes.offsets import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo_runtimes.images import Preparation
    from zoo_runtimes.tokens import Tokens

    Array = npt.NDArray[Any]


class Feed(Protocol):
    """What differs between images and texts: from a batch to what the network is called with."""

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Say what each input costs."""
        ...

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> list[tuple[list[int], dict[str, torch.Tensor]]]:
        """Split into what can run together: rows of the batch, and their tensors."""
        ...

    def cells(self, batch: Sequence[EncodedInput], maps: torch.Tensor, reduction: str) -> Array:
        """Bring attribution maps of a batch to the cells that all checkpoints share: (B, G)."""
        ...


class ImageFeed:
    """Bytes become normalised pixels on the device, a batch at a time."""

    def __init__(self, preparation: Preparation, device: torch.device, *, last: bool) -> None:
        self._device = device
        self._layout = torch.channels_last if last else torch.contiguous_format
        self._line = (
            None
            if preparation.scale is None or preparation.offset is None
            else tuple(
                torch.from_numpy(part).to(device).view(1, -1, 1, 1)
                for part in (preparation.scale, preparation.offset)
            )
        )

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Wrap prepared arrays; the cost is the number of pixels."""
        return [EncodedInput(cost=array.size // 3, data=array) for array in inputs]

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> list[tuple[list[int], dict[str, torch.Tensor]]]:
        """One batch for every size of image."""
        arrays = [entry.data for entry in batch]
        groups = group_by_shape(arrays)
        return [(rows, {"pixel_values": self._pixels(arrays, rows)}) for rows in groups.values()]

    def cells(self, batch: Sequence[EncodedInput], maps: torch.Tensor, reduction: str) -> Array:
        """A 32 x 32 grid over what the network saw."""
        del batch
        found: Array = attributions.image_cells(maps, reduction).cpu().numpy()
        return found

    def _pixels(self, arrays: Sequence[Array], rows: Sequence[int]) -> torch.Tensor:
        stacked = torch.from_numpy(np.stack([arrays[row] for row in rows]))
        if self._device.type == "cuda":
            stacked = stacked.pin_memory().to(self._device, non_blocking=True)
        if stacked.dtype != torch.uint8:
            return stacked.float().contiguous(memory_format=self._layout)
        if self._line is None:
            raise TypeError("bytes were prepared for a processor that needs its full output")
        scale, offset = self._line
        pixels = stacked.permute(0, 3, 1, 2).to(torch.float32, memory_format=self._layout)
        return pixels.mul_(scale).add_(offset)


class TextFeed:
    """Token ids, padded to the longest text of the batch."""

    def __init__(self, tokens: Tokens, device: torch.device) -> None:
        self._tokens, self._device = tokens, device

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Tokenise; the cost is the number of tokens."""
        return self._tokens.encode(inputs)

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> list[tuple[list[int], dict[str, torch.Tensor]]]:
        """Everything in one."""
        arrays = self._tokens.collate([entry.data for entry in batch])
        moved = {name: torch.from_numpy(array).to(self._device) for name, array in arrays.items()}
        return [(list(range(len(batch))), moved)]

    def cells(self, batch: Sequence[EncodedInput], maps: torch.Tensor, reduction: str) -> Array:
        """64 equal spans of the characters, without padding and special tokens."""
        relevance = attributions.token_relevance(maps, reduction)
        found = places(self._tokens, [entry.data["text"] for entry in batch])
        spread = [
            each.spread(row, attributions.SPANS) for each, row in zip(found, relevance, strict=True)
        ]
        return np.stack(spread).astype(np.float32)
