"""One Gram matrix and one eigendecomposition of the features, for every estimator and label set."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from zoo import algebra
from zoo.labels import classes_of
from zoo.sweeps import add_class_sums, add_product, row_blocks, symmetric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from zoo.labels import Classes
    from zoo.sweeps import Rows

    Array = npt.NDArray[np.float64]

T = TypeVar("T")


class Factorisation:
    """Thin singular value decomposition of the centred features, X - 1 mu' = U diag(sqrt s) V'.

    Everything is float64, computed on first use and kept. The smaller Gram matrix is factorised:
    (N, N) where N <= D, else (D, D), and then U is not formed unless asked for. Squaring halves
    the digits: singular values below about 3e-7 of the largest are cut off as noise.

    The features are read a block at a time and never copied whole; what is kept is a few matrices
    of the smaller side and, for the label array asked about last, one (C, D) of class sums. A
    device that is lent (:func:`zoo.algebra.lent`) takes the large products and decompositions.

    Attributes:
        values: (N, D) features, any number type, finite.
        samples: N.
        width: D.
    """

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.values = values
        self.samples, self.width = values.shape
        self._latest: dict[str, tuple[npt.NDArray[Any], Any]] = {}

    @cached_property
    def mean(self) -> Array:
        """Column means mu, (D,)."""
        mean: Array = self.values.mean(axis=0, dtype=np.float64)
        return mean

    @property
    def wide(self) -> bool:
        """Whether N <= D, where the (N, N) Gram matrix is the smaller one."""
        return bool(self.samples <= self.width)

    @cached_property
    def gram(self) -> Array:
        """Gram matrix of the centred features: (N, N) where :attr:`wide`, else (D, D)."""
        return algebra.gram(self.values, self.mean)

    @cached_property
    def squared_norms(self) -> Array:
        """Squared distance of every sample from the mean, (N,)."""
        if self.wide:
            return np.diagonal(self.gram).copy()
        return np.concatenate([np.einsum("nd,nd->n", rows, rows) for _, rows in self.blocks()])

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
        if self.wide:
            return vectors
        scaled = vectors / np.sqrt(values)
        return algebra.product(lambda: (rows for _, rows in self.blocks()), scaled)

    @cached_property
    def mean_coordinates(self) -> tuple[Array, float]:
        """The mean in the basis V, (k,), and the squared length of what lies outside it."""
        inside = self.right(self.mean)
        length = float(self.mean @ self.mean)
        outside = length - float(inside @ inside)
        noise = max(self.samples, self.width) * np.finfo(float).eps * length
        return inside, outside if self.rank < self.width and outside > noise else 0.0

    def right(self, direction: Array) -> Array:
        """Give a direction of feature space (D,) in the basis V: V'd, (k,)."""
        values, vectors = self._eigen
        if not self.wide:
            tall: Array = vectors.T @ direction
            return tall
        along = np.concatenate([rows @ direction for _, rows in self.blocks()])
        wide: Array = vectors.T @ along / np.sqrt(values)
        return wide

    def blocks(
        self, order: npt.NDArray[np.int64] | None = None, least: int = 1
    ) -> Iterator[tuple[Rows, Array]]:
        """Go through the centred features once; see :func:`zoo.sweeps.row_blocks`."""
        return row_blocks(self.values, self.mean, order=order, least=least)

    def left(self, columns: Any) -> Array:
        """Project label columns (N, M), dense or sparse, on the left vectors: U'v, (k, M)."""
        values, vectors = self._eigen
        if self.wide:
            wide: Array = (columns.T @ vectors).T
            return wide
        if not isinstance(columns, np.ndarray):
            columns = columns.tocsr()
        count = columns.shape[1]
        cross = sum(columns[rows].T @ block for rows, block in self.blocks(least=count))
        tall: Array = vectors.T @ cross.T / np.sqrt(values)[:, None]
        return tall

    def classes(self, labels: npt.NDArray[Any]) -> Classes:
        """Class ids, counts and order of class labels (N,), kept for the latest labels."""
        return self._of(labels, "classes", classes_of)

    def class_sums(self, labels: npt.NDArray[Any]) -> Array:
        """Sums of the centred features of every class present, (C, D); kept likewise.

        The first call also computes the Gram matrix and the norms, in the same pass.
        """
        return self._of(labels, "sums", self._class_sums)

    def left_classes(self, labels: npt.NDArray[Any]) -> Array:
        """Project the indicators of the classes present: U'Y, (k, C); kept likewise."""
        return self._of(labels, "left", self._left_classes)

    def log_det(self, scale: float) -> float:
        """Compute ln det(I + X_c'X_c / scale)."""
        if "_eigen" in self.__dict__:
            return float(np.log1p(self.eigenvalues / scale).sum())
        return algebra.log_det(self.gram, scale)

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

    @cached_property
    def _eigen(self) -> tuple[Array, Array]:
        values, vectors = algebra.eigh(self.gram)
        # The second bound is the rounding noise of the centring, all that constant features leave.
        noise = self.samples * float(self.mean @ self.mean) * (8 * np.finfo(float).eps) ** 2
        size = max(self.samples, self.width)
        keep = values > max(values[-1] * size * np.finfo(float).eps, noise)
        return values[keep], np.ascontiguousarray(vectors[:, keep])

    def _class_sums(self, labels: npt.NDArray[Any]) -> Array:
        classes = self.classes(labels)
        sums = np.zeros((len(classes.counts), self.width))
        alone = self.wide or algebra.lends(self.width) or "gram" in self.__dict__
        lower = np.zeros((0, 0) if alone else (self.width, self.width), order="F")
        norms = np.empty(self.samples)
        for rows, block in self.blocks(classes.order):
            assert not isinstance(rows, slice)
            add_class_sums(sums, classes, rows, block)
            if not alone:
                lower = add_product(lower, block)
                norms[rows] = np.einsum("nd,nd->n", block, block)
        if not alone:
            self.gram, self.squared_norms = symmetric(lower), norms
        return sums

    def _left_classes(self, labels: npt.NDArray[Any]) -> Array:
        if self.wide:
            return self.left(self.classes(labels).indicators())
        sums = self.class_sums(labels)
        values, vectors = self._eigen
        projected: Array = vectors.T @ sums.T / np.sqrt(values)[:, None]
        return projected

    def _of(
        self, labels: npt.NDArray[Any], what: str, compute: Callable[[npt.NDArray[Any]], T]
    ) -> T:
        """Compute something of a label array, unless it was the last one asked about."""
        known = self._latest.get(what)
        if known is None or known[0] is not labels:
            known = self._latest[what] = (labels, compute(labels))
        result: T = known[1]
        return result
