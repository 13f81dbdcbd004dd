"""One eigendecomposition of a feature matrix, which feeds every estimator and label column."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

#: Rows are converted to float64 a block at a time, so that no second copy of a large matrix exists.
BLOCK = 1 << 23


class Factorisation:
    """Thin singular value decomposition of the centred features, X - 1 mu' = U diag(sqrt s) V'.

    Everything is float64, computed on first use and kept. The smaller Gram matrix is factorised:
    (N, N) where N <= D, else (D, D), and then U is not formed unless asked for. Squaring halves
    the digits: singular values below about 3e-7 of the largest are cut off as noise.

    Attributes:
        values: (N, D) features, any float type, finite.
        samples: N.
        width: D.
    """

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.values = values
        self.samples, self.width = values.shape

    @cached_property
    def mean(self) -> Array:
        """Column means mu, (D,)."""
        mean: Array = self.values.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def squared_norms(self) -> Array:
        """Squared distance of every sample from the mean, (N,)."""
        return np.concatenate([np.einsum("nd,nd->n", rows, rows) for _, rows in self._blocks()])

    @property
    def eigenvalues(self) -> Array:
        """Positive eigenvalues s of the centred Gram matrix, ascending, (k,)."""
        return self._eigen[0]

    @property
    def rank(self) -> int:
        """Numerical rank k of the centred features; at most N - 1."""
        return len(self.eigenvalues)

    @property
    def interpolates(self) -> bool:
        """Whether an intercept and the features together fit any labels at all."""
        return bool(self.rank >= self.samples - 1)

    @cached_property
    def left_vectors(self) -> Array:
        """U, (N, k): orthonormal, and orthogonal to the constant vector."""
        values, vectors = self._eigen
        if self._wide:
            return vectors
        scaled = vectors / np.sqrt(values)
        return np.concatenate([rows @ scaled for _, rows in self._blocks()])

    @cached_property
    def mean_coordinates(self) -> tuple[Array, float]:
        """The mean in the basis V, (k,), and the squared length of what lies outside it."""
        values, vectors = self._eigen
        if self._wide:
            inside = vectors.T @ (self._centred() @ self.mean) / np.sqrt(values)
        else:
            inside = vectors.T @ self.mean
        length = float(self.mean @ self.mean)
        outside = length - float(inside @ inside)
        noise = max(self.samples, self.width) * np.finfo(float).eps * length
        return inside, outside if self.rank < self.width and outside > noise else 0.0

    def left(self, columns: Any) -> Array:
        """Project label columns (N, M), dense or sparse, on the left vectors: U'v, (k, M)."""
        values, vectors = self._eigen
        if self._wide:
            wide: Array = (columns.T @ vectors).T
            return wide
        cross = sum(columns[rows].T @ block for rows, block in self._blocks())
        tall: Array = vectors.T @ cross.T / np.sqrt(values)[:, None]
        return tall

    def ridge_residuals(self, ridge: float, columns: Array) -> Array:
        """Fit columns (N, M) by ridge regression with a free intercept; what is left, (N, M)."""
        centred = columns - columns.mean(axis=0)
        fitted = self._weights(ridge)[:, None] * self.left(centred)
        residuals: Array = centred - self.left_vectors @ fitted
        return residuals

    def leverages(self, ridges: Array) -> Array:
        """Diagonals of the hat matrices of B ridge fits with a free intercept, (N, B).

        H = 11'/N + U diag(s / (s + ridge)) U'
        """
        weights = np.stack([self._weights(ridge) for ridge in ridges], axis=1)
        own: Array = np.square(self.left_vectors) @ weights + 1.0 / self.samples
        return own

    def ridge_without(
        self, group: npt.NDArray[np.bool_], ridge: float, residuals: Array, leverages: Array
    ) -> tuple[Array, Array]:
        """Turn a ridge fit into the one that never saw a group of samples, exactly.

        With R the samples that stay and g the group: e_R + H_Rg (I - H_gg)^-1 e_g, and
        h_R + diag(H_Rg (I - H_gg)^-1 H_gR).

        Args:
            group: (N,) bool, the samples to leave out.
            ridge: the penalty of the fit.
            residuals: (N, M) of the fit to all samples.
            leverages: (N,) of the fit to all samples.

        Returns:
            Residuals and leverages of the samples that stay.
        """
        from scipy.linalg import cho_factor, solve_triangular

        left = self.left_vectors
        hat = (left[group] * self._weights(ridge)) @ left.T + 1.0 / self.samples
        inner = np.eye(len(hat)) - hat[:, group]
        lower, _ = cho_factor(inner, lower=True, check_finite=False)
        reach = solve_triangular(lower, hat[:, ~group], lower=True, check_finite=False)
        moved = solve_triangular(lower, residuals[group], lower=True, check_finite=False)
        return residuals[~group] + reach.T @ moved, leverages[~group] + np.square(reach).sum(axis=0)

    def _weights(self, ridge: float) -> Array:
        weights: Array = self.eigenvalues / (self.eigenvalues + ridge)
        return weights

    @property
    def _wide(self) -> bool:
        return bool(self.samples <= self.width)

    @cached_property
    def _eigen(self) -> tuple[Array, Array]:
        from scipy.linalg import eigh

        if self._wide:
            centred = self._centred()
            gram = centred @ centred.T
        else:
            gram = np.zeros((self.width, self.width))
            for _, rows in self._blocks():
                gram += rows.T @ rows
        values, vectors = eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
        epsilon = np.finfo(float).eps
        # The second bound is the rounding noise of the centring, all that constant features leave.
        noise = self.samples * float(self.mean @ self.mean) * (8 * epsilon) ** 2
        keep = values > max(values[-1] * max(self.samples, self.width) * epsilon, noise)
        return values[keep], np.ascontiguousarray(vectors[:, keep])

    def _centred(self) -> Array:
        return self.values.astype(np.float64) - self.mean

    def _blocks(self) -> Iterator[tuple[slice, Array]]:
        step = max(1, BLOCK // max(1, self.width))
        for start in range(0, self.samples, step):
            rows = slice(start, min(start + step, self.samples))
            yield rows, self.values[rows].astype(np.float64) - self.mean
