"""What needs no graph: word vectors mapped to rows, and mixtures of word vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo_explanation.zero_shot.texts import unit

if TYPE_CHECKING:
    import numpy.typing as npt

_PENALTIES = (0.3, 1.0, 3.0, 10.0)
_HELD_OUT = 0.15


def ridge(
    texts: npt.NDArray[Any], rows: npt.NDArray[Any], unseen: npt.NDArray[Any], *, seed: int = 0
) -> npt.NDArray[Any]:
    """Map texts to rows of the head by ridge regression: (U, D) float32 of unit length.

    Args:
        texts: (S, E) of the seen classes.
        rows: (S, D) of unit length.
        unseen: (U, E).
        seed: of the held-out seen classes that choose the penalty by the cosine.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    held = order[: max(1, round(_HELD_OUT * len(order)))]
    used = order[len(held) :]

    def cosine(penalty: float) -> float:
        found = unit(_solve(texts[used], rows[used], texts[held], penalty))
        return float((found * rows[held]).sum(axis=1).mean())

    return unit(_solve(texts, rows, unseen, max(_PENALTIES, key=cosine)))


def _solve(
    texts: npt.NDArray[Any], rows: npt.NDArray[Any], unseen: npt.NDArray[Any], penalty: float
) -> npt.NDArray[Any]:
    texts, rows = np.asarray(texts, np.float64), np.asarray(rows, np.float64)
    centre, mean = texts.mean(axis=0), rows.mean(axis=0)
    inner, outer = texts - centre, rows - mean
    if len(inner) < inner.shape[1]:  # the dual form has the smaller matrix
        gram = inner @ inner.T + penalty * np.eye(len(inner))
        mapping = inner.T @ np.linalg.solve(gram, outer)
    else:
        gram = inner.T @ inner + penalty * np.eye(inner.shape[1])
        mapping = np.linalg.solve(gram, inner.T @ outer)
    found: npt.NDArray[Any] = (np.asarray(unseen, np.float64) - centre) @ mapping + mean
    return found


def conse(
    logits: npt.NDArray[Any], texts: npt.NDArray[Any], candidates: npt.NDArray[Any], top: int = 10
) -> npt.NDArray[Any]:
    """Score candidates by mixtures of the texts of the likeliest classes: (N, C).

    Norouzi et al., ICLR 2014, arXiv 1312.5650.

    Args:
        logits: (N, S) of the seen classes.
        texts: (S, E) of the seen classes, of unit length.
        candidates: (C, E) of unit length.
        top: how many classes are mixed.
    """
    top = min(top, logits.shape[1])
    likeliest = np.argpartition(-logits, top - 1, axis=1)[:, :top]
    chosen = np.take_along_axis(logits, likeliest, axis=1)
    shares = np.exp(chosen - chosen.max(axis=1, keepdims=True))
    mixed = np.einsum("nk,nke->ne", shares / shares.sum(axis=1, keepdims=True), texts[likeliest])
    found: npt.NDArray[Any] = unit(mixed) @ candidates.T
    return found
