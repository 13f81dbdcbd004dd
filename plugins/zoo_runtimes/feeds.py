"""What differs between images and texts: from a batch to tensors, from attributions to cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from zoo.types.runtimes import EncodedInput
from zoo_runtimes import attributions
from zoo_runtimes.images import group_by_shape
from zoo_runtimes.normalising import Line
from zoo_runtimes.offsets import places
from zoo_runtimes.transfers import Upload, parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    ) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """Give what can run together, one after the other: rows of the batch, and their tensors.

        Each is made when it is asked for: on a GPU, while the one before it is computed.
        """
        ...

    def cells(self, batch: Sequence[EncodedInput], maps: torch.Tensor, reduction: str) -> Array:
        """Bring attribution maps of a batch to the cells that all checkpoints share: (B, G)."""
        ...


class ImageFeed:
    """Bytes become normalised pixels on the device, a batch at a time."""

    def __init__(self, preparation: Preparation, device: torch.device, *, last: bool) -> None:
        self._device, self._upload = device, Upload(device)
        self._layout = torch.channels_last if last else torch.contiguous_format
        scale, offset = preparation.scale, preparation.offset
        self._line = None if scale is None or offset is None else Line(scale, offset)
        self._columns = [
            torch.from_numpy(part).to(device).view(1, -1, 1, 1)
            for part in (scale, offset)
            if part is not None
        ]

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Wrap prepared arrays; the cost is the number of pixels."""
        return [EncodedInput(cost=array.size // 3, data=array) for array in inputs]

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """At least one for every size of image."""
        arrays = [entry.data for entry in batch]
        for same in group_by_shape(arrays).values():
            for rows in parts(same, self._device):
                yield rows, {"pixel_values": self._pixels(arrays, rows)}

    def cells(self, batch: Sequence[EncodedInput], maps: torch.Tensor, reduction: str) -> Array:
        """A 32 x 32 grid over what the network saw."""
        del batch
        found: Array = attributions.image_cells(maps, reduction).cpu().numpy()
        return found

    def _pixels(self, arrays: Sequence[Array], rows: Sequence[int]) -> torch.Tensor:
        chosen = [arrays[row] for row in rows]
        if chosen[0].dtype != np.uint8:
            finished = self._upload(torch.from_numpy(np.stack(chosen)))
            return finished.float().contiguous(memory_format=self._layout)
        if self._line is None:
            raise TypeError("bytes were prepared for a processor that needs its full output")
        if self._device.type == "cpu":
            last = self._layout == torch.channels_last
            return torch.from_numpy(self._line(chosen, last=last))
        scale, offset = self._columns
        stacked = self._upload(torch.from_numpy(np.stack(chosen)))
        pixels = stacked.permute(0, 3, 1, 2).to(torch.float32, memory_format=self._layout)
        return pixels.mul_(scale).add_(offset)


class TextFeed:
    """Token ids, padded to the longest text of the batch."""

    def __init__(self, tokens: Tokens, device: torch.device) -> None:
        self._tokens, self._device, self._upload = tokens, device, Upload(device)

    @property
    def tokens(self) -> Tokens:
        """What tokenises."""
        return self._tokens

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Tokenise; the cost is the number of tokens."""
        return self._tokens.encode(inputs)

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """Everything in one, or in the few parts that overlap."""
        for rows in parts(range(len(batch)), self._device):
            arrays = self._tokens.collate([batch[row].data for row in rows])
            yield rows, {name: self._upload(torch.from_numpy(a)) for name, a in arrays.items()}

    def cells(self, batch: Sequence[EncodedInput], maps: torch.Tensor, reduction: str) -> Array:
        """64 equal spans of the characters, without padding and special tokens."""
        relevance = attributions.token_relevance(maps, reduction)
        found = places(self._tokens, [entry.data["text"] for entry in batch])
        spread = [
            each.spread(row, attributions.SPANS) for each, row in zip(found, relevance, strict=True)
        ]
        return np.stack(spread).astype(np.float32)
