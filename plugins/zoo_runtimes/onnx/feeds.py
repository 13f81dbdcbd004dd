"""From a batch to the arrays that a graph reads: numpy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zoo.types.runtimes import EncodedInput
from zoo_runtimes.images import group_by_shape
from zoo_runtimes.normalising import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from zoo_runtimes.tokens import Tokens
    from zoo_runtimes.waveforms import Extraction

    Array = npt.NDArray[Any]


class Feed(Protocol):
    """What differs between images, texts and sounds."""

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Say what each input costs."""
        ...

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> Iterator[tuple[list[int], dict[str, Array]]]:
        """Give what can run together: rows of the batch, and their arrays by input name."""
        ...


class ImageFeed:
    """Bytes become normalised pixels, (B, 3, H, W) float32, as the torch runtime has them."""

    def __init__(self, name: str, scale: Array | None, offset: Array | None) -> None:
        self._name = name
        self._line = None if scale is None or offset is None else Line(scale, offset)

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Wrap prepared arrays; the cost is the number of pixels."""
        return [EncodedInput(cost=array.size // 3, data=array) for array in inputs]

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> Iterator[tuple[list[int], dict[str, Array]]]:
        """One batch for every size of image."""
        arrays = [entry.data for entry in batch]
        for rows in group_by_shape(arrays).values():
            yield rows, {self._name: self._pixels([arrays[row] for row in rows])}

    def _pixels(self, arrays: Sequence[Array]) -> Array:
        if arrays[0].dtype != np.uint8:
            return np.stack(arrays).astype(np.float32, copy=False)
        if self._line is None:
            raise TypeError("bytes were prepared for a processor that needs its full output")
        return self._line(arrays)


class TextFeed:
    """Token ids, padded to the longest text of the batch; only what the graph reads."""

    def __init__(self, names: Sequence[str], tokens: Tokens) -> None:
        self._names, self._tokens = tuple(names), tokens

    @property
    def tokens(self) -> Tokens:
        """What tokenises."""
        return self._tokens

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Tokenise; the cost is the number of tokens."""
        return self._tokens.encode(inputs)

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> Iterator[tuple[list[int], dict[str, Array]]]:
        """Everything in one."""
        arrays: Mapping[str, Array] = self._tokens.collate([entry.data for entry in batch])
        yield list(range(len(batch))), {name: arrays[name] for name in self._names}


class AudioFeed:
    """Samples or spectrograms, a batch for every length."""

    def __init__(self, name: str, extraction: Extraction) -> None:
        self._name, self._extraction = name, extraction

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Prepare waveforms; the cost is about the number of states."""
        return self._extraction.encode(inputs)

    def batches(
        self, batch: Sequence[EncodedInput]
    ) -> Iterator[tuple[list[int], dict[str, Array]]]:
        """One batch for every length."""
        arrays = [entry.data for entry in batch]
        for rows in group_by_shape(arrays).values():
            yield rows, {self._name: np.stack([arrays[row] for row in rows])}
