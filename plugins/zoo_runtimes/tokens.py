"""Texts become token ids, padded no further than the longest of the batch. Imports no framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import CheckpointError
from zoo.types.runtimes import EncodedInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Encoded:
    """What :class:`BareTokenizer` returns: transformers' ``BatchEncoding`` as far as it is read."""

    encodings: Sequence[Any]

    def __contains__(self, name: str) -> bool:
        return name in ("input_ids", "token_type_ids")

    def __getitem__(self, name: str) -> list[list[int]]:
        column = {"input_ids": "ids", "token_type_ids": "type_ids"}[name]
        return [getattr(encoding, column) for encoding in self.encodings]


class BareTokenizer:
    """A ``tokenizers.Tokenizer`` that is called as transformers' fast tokenizers are."""

    is_fast = True

    def __init__(self, tokenizer: Any, truncation: str = "right") -> None:
        self._tokenizer, self._truncation = tokenizer, truncation

    def __call__(self, *columns: list[str], max_length: int, **_: Any) -> Encoded:
        """Tokenise a column of texts, or two of pairs, cut to ``max_length``."""
        self._tokenizer.enable_truncation(max_length=max_length, direction=self._truncation)
        inputs = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        return Encoded(self._tokenizer.encode_batch(inputs))


SAMPLES = ("a zoo of checkpoints", "which one reads these words best")


@dataclass(frozen=True)
class Tokens:
    """A tokenizer and what the network it belongs to allows.

    Attributes:
        tokenizer: the checkpoint's, fast where there is one.
        longest: number of tokens that a text is cut to.
        padding: id that batches are filled up with.
        vocabulary: number of rows of the network's embedding matrix.
        segments: whether the network tells the texts of a pair apart by ids.
        model: the checkpoint, for messages.
    """

    tokenizer: Any
    longest: int
    padding: int
    vocabulary: int | None
    segments: bool
    model: str

    def encode(self, inputs: Sequence[Any]) -> list[EncodedInput]:
        """Tokenise texts, or pairs of texts, all at once; the cost is the number of tokens.

        Raises:
            CheckpointError: the tokenizer makes tokens that the network does not know.
        """
        if not inputs:
            return []
        encoded = self.tokenise(inputs)
        names = ["input_ids"]
        names += ["token_type_ids"] * (self.segments and "token_type_ids" in encoded)
        rows = [
            {name: encoded[name][row] or [self.padding] for name in names}
            for row in range(len(inputs))
        ]
        self._check(rows)
        return [
            EncodedInput(cost=len(row["input_ids"]), data={**row, "text": text})
            for row, text in zip(rows, inputs, strict=True)
        ]

    def tokenise(self, inputs: Sequence[Any]) -> Any:
        """Call the tokenizer on texts, or pairs of texts: cut to the longest, not padded."""
        pairs = not isinstance(inputs[0], str)
        columns = [list(column) for column in zip(*inputs, strict=True)] if pairs else [[*inputs]]
        return self.tokenizer(
            *columns,
            truncation=True,
            max_length=self.longest,
            padding=False,
            return_attention_mask=False,
        )

    def _check(self, rows: Sequence[dict[str, list[int]]]) -> None:
        largest = max(max(row["input_ids"]) for row in rows)
        if self.vocabulary is not None and largest >= self.vocabulary:
            raise CheckpointError(
                f"{self.model}: its tokenizer makes token {largest}, but the network knows only "
                f"{self.vocabulary}.",
                "Tokenizer and weights are of different models; fetch the checkpoint again.",
            )

    def collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, Array]:
        """Pad on the right to the longest text of the batch: (B, T) int64 arrays."""
        lengths = np.array([len(row["input_ids"]) for row in rows])
        shape = (len(rows), int(lengths.max()))
        batch = {}
        for name in (name for name in rows[0] if name != "text"):
            padded = np.full(shape, self.padding if name == "input_ids" else 0, dtype=np.int64)
            for into, row in zip(padded, rows, strict=True):
                into[: len(row[name])] = row[name]
            batch[name] = padded
        batch["attention_mask"] = (np.arange(shape[1]) < lengths[:, None]).astype(np.int64)
        return batch

    def samples(self) -> dict[str, Array]:
        """Two texts of different length, to find a network's layers with."""
        return self.collate([entry.data for entry in self.encode(SAMPLES)])
