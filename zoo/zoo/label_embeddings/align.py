"""Label tables of several encoders -> one space, so that their mixtures mean something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

#: Widest space; the rest of a table is its least important part.
WIDEST = 256


def align(tables: Sequence[npt.NDArray[Any]], counts: npt.NDArray[Any]) -> Array:
    """Bring the tables of K encoders to one width and orientation.

    Each table is reduced to its principal components, the labels weighted by their counts, and
    turned onto the first one (orthogonal Procrustes). The whole is then turned until all
    dimensions vary equally, because standardising the dimensions, as estimators do, would blow
    principal components up to equal size and leave nothing of the distances between labels.

    Args:
        tables: K arrays (U, E_k), none of them constant.
        counts: (U,) samples of each label.

    Returns:
        (U, E, K), E = min(E_k, labels present - 1, 256); every block of variance E.
    """
    weights = counts / counts.sum()
    width = min(WIDEST, int((counts > 0).sum()) - 1, *(table.shape[1] for table in tables))
    blocks = [principal(table, weights, width) for table in tables]
    first = blocks[0]
    turned = [first, *(block @ _turn(block, first, weights) for block in blocks[1:])]
    covariance = sum(block.T @ (weights[:, None] * block) for block in turned)
    rotation = spread(np.asarray(covariance))
    return np.stack([block @ rotation for block in turned], axis=2)


def principal(table: npt.NDArray[Any], weights: Array, width: int) -> Array:
    """Reduce a table (U, E) to its first principal components, (U, width), of variance width."""
    centred = np.asarray(table, dtype=np.float64)
    centred = centred - weights @ centred
    _, _, axes = np.linalg.svd(np.sqrt(weights)[:, None] * centred, full_matrices=False)
    axes = axes[:width]
    # The sign of a component is arbitrary; equal tables shall give equal components.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    components = centred @ (axes * np.sign(largest)).T
    components = np.pad(components, ((0, 0), (0, width - components.shape[1])))
    variance = float(weights @ np.square(components).sum(axis=1))
    scaled: Array = components * np.sqrt(width / variance)
    return scaled


def _turn(block: Array, target: Array, weights: Array) -> Array:
    """Find the rotation that brings a block nearest to another: orthogonal Procrustes."""
    left, _, right = np.linalg.svd(block.T @ (weights[:, None] * target))
    rotation: Array = left @ right
    return rotation


def spread(covariance: Array) -> Array:
    """Find a rotation after which all dimensions have the same variance (Schur, Horn)."""
    covariance = covariance.copy()
    rotation = np.eye(len(covariance))
    mean = float(np.trace(covariance)) / len(covariance)
    for _ in range(len(covariance) - 1):
        variances = np.diag(covariance)
        most, least = int(variances.argmax()), int(variances.argmin())
        high, low = variances[most] - mean, variances[least] - mean
        if high <= 1e-12 * mean:
            break
        # Rotate the two until the first has the mean: a quadratic equation for the tangent.
        both = covariance[most, least]
        tangent = (-both - np.sqrt(both**2 - high * low)) / low
        cosine = 1.0 / np.hypot(1.0, tangent)
        turn = cosine * np.array([[1.0, -tangent], [tangent, 1.0]])
        pair = [most, least]
        covariance[:, pair] = covariance[:, pair] @ turn
        covariance[pair] = turn.T @ covariance[pair]
        rotation[:, pair] = rotation[:, pair] @ turn
    return rotation
