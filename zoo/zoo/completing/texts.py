"""Vectors of the nodes' texts: of a text checkpoint, or of the words they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]
    Embed = Callable[[Sequence[str]], npt.NDArray[Any]]

#: Name of what encodes where no checkpoint is named.
WORDS = "tf-idf"
_WIDTH = 128


def text_vectors(texts: Sequence[str], embed: Embed | None = None, *, seed: int = 0) -> Vectors:
    """Encode texts: (N, E) float32 of unit length; a text of which nothing is known is zero.

    Args:
        texts: N texts.
        embed: texts -> vectors; None weighs words by TF-IDF and reduces them by SVD.
        seed: of the SVD.
    """
    made = word_vectors(texts, seed=seed) if embed is None else np.asarray(embed(texts))
    length = np.linalg.norm(made, axis=1, keepdims=True)
    scaled = np.divide(made, length, out=np.zeros_like(made), where=length > 0)
    return np.ascontiguousarray(scaled, dtype=np.float32)


def word_vectors(texts: Sequence[str], *, width: int = _WIDTH, seed: int = 0) -> npt.NDArray[Any]:
    """Reduce TF-IDF of words to their strongest directions: (N, at most ``width``)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    weighed = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit_transform(texts)
    width = min(width, min(weighed.shape) - 1)
    if width < 1:
        return np.asarray(weighed.toarray())
    return np.asarray(TruncatedSVD(width, random_state=seed).fit_transform(weighed))
