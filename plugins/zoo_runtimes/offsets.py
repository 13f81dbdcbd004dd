"""From tokens to characters to equal spans: an axis that checkpoints of any tokenizer share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo_runtimes.tokens import Tokens

    Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Places:
    """Where the tokens of one input stand.

    Attributes:
        starts: (T,) first character of each token; a pair of texts counts as one after the other.
        ends: (T,) character after its last; equal to the start for special tokens.
        length: characters of the whole input, those that truncation cut off included.
    """

    starts: npt.NDArray[Any]
    ends: npt.NDArray[Any]
    length: int

    def spread(self, relevance: Array, spans: int) -> Array:
        """Share a number a token out over its characters, and add them up in equal spans.

        Args:
            relevance: (T,) or longer; what is beyond the tokens is padding.
            spans: how many.

        Returns:
            (spans,); what stands on no character is left out.
        """
        if not self.length:
            return np.zeros(spans)
        widths = self.ends - self.starts
        real = widths > 0
        share = relevance[: len(widths)][real] / widths[real]
        steps = np.zeros(self.length + 1)
        np.add.at(steps, self.starts[real], share)
        np.subtract.at(steps, self.ends[real], share)
        sums = np.concatenate([[0.0], np.cumsum(np.cumsum(steps)[:-1])])
        edges = np.linspace(0, self.length, spans + 1)
        return np.diff(np.interp(edges, np.arange(self.length + 1), sums))


def places(tokens: Tokens, inputs: Sequence[Any]) -> list[Places]:
    """Find the tokens of texts, or pairs of texts, in their characters.

    A tokenizer that keeps no offsets (one without a fast form) is taken to have cut the text into
    pieces of equal length.
    """
    encoded = tokens.tokenise(inputs)
    if not getattr(tokens.tokenizer, "is_fast", False):
        return [
            _even(_characters(text), len(encoded["input_ids"][row]))
            for row, text in enumerate(inputs)
        ]
    return [_exact(text, encoded.encodings[row]) for row, text in enumerate(inputs)]


def _characters(text: Any) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))


def _even(length: int, count: int) -> Places:
    edges = np.rint(np.linspace(0, length, max(count, 1) + 1)).astype(np.int64)
    return Places(edges[:-1], edges[1:], length)


def _exact(text: Any, encoding: Any) -> Places:
    second = 0 if isinstance(text, str) else len(text[0])
    shifts = np.array([second if each == 1 else 0 for each in encoding.sequence_ids])
    ours = np.array([each is not None for each in encoding.sequence_ids], dtype=bool)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    starts = np.where(ours, offsets[:, 0] + shifts, 0)
    ends = np.where(ours, offsets[:, 1] + shifts, 0)
    return Places(starts, ends, _characters(text))
