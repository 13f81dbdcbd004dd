"""What is written of each class, as vectors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo_explanation.zero_shot.kept import kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.reporting import Case
    from zoo_explanation.lexicon import Lexicon

#: What stands for an encoder where none is named.
SPELLING = "hashed character n-grams, since no text encoder is named"
_WIDTH = 1024


@dataclass(frozen=True, eq=False)
class Texts:
    """Vectors of texts.

    Attributes:
        values: (N, E) float32, rows of unit length.
        encoder: what made them.
        key: sha256 of the texts and the encoder.
    """

    values: npt.NDArray[Any]
    encoder: str
    key: str


def texts_of(lexicon: Lexicon, nodes: Sequence[int]) -> list[str]:
    """Write out each node: its names, and its gloss."""
    return [
        ": ".join(filter(None, (", ".join(lexicon.lemmas(node)), lexicon.gloss(node))))
        for node in nodes
    ]


def encoded(case: Case, lexicon: Lexicon, nodes: Sequence[int]) -> Texts:
    """Encode the texts of nodes with the encoder of the case, or by their spelling."""
    texts = texts_of(lexicon, nodes)
    encoder = case.encoder or SPELLING
    key = hashlib.sha256("\0".join((encoder, *texts)).encode()).hexdigest()
    if not case.encoder:
        return Texts(spelling(texts), encoder, key)
    assert case.graph is not None
    found = kept(case.graph, f"texts-{key[:24]}", lambda: {"values": case.encode(texts)})
    return Texts(unit(found["values"]), encoder, key)


def spelling(texts: Sequence[str]) -> npt.NDArray[Any]:
    """Hash the character n-grams of texts: (N, 1024) float32 of unit length."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=_WIDTH)
    return unit(hashing.transform(texts).toarray())


def unit(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give rows unit length, in float32; zeros stay zeros."""
    rows = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: npt.NDArray[Any] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return found
