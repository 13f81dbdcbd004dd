"""The K x K quadratic forms of EMMS: what the features leave unexplained of the F-labels."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from zoo_transferability.f_labels import ByClass
from zoo_transferability.ridge_loo import left_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.factorisation import Factorisation
    from zoo.types.features import Features
    from zoo_transferability.f_labels import FLabels, Piece

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Penalties to choose from, logarithmic over the spectrum.
PENALTIES = 33
#: Class indicators of shuffled labels that are projected at once.
CHUNK = 2048


class Fit:
    """One set of F-labels, projected on the features.

    Args:
        factorisation: of the features.
        labels: the F-labels.
        coordinates: of the only piece of the labels, where they are known already.

    Attributes:
        total: Q, (K, K): inner products of the F-labels.
        form: Q - A, (K, K): the same of what least squares leaves of them.
    """

    def __init__(
        self, factorisation: Factorisation, labels: FLabels, coordinates: Array | None = None
    ) -> None:
        self.factorisation, self.labels = factorisation, labels
        encoders = labels.shape[2]
        self.total, self.form = np.zeros((2, encoders, encoders))
        self._coordinates: list[Array] = []
        self._remains: list[Array] = []
        for piece in labels.pieces():
            own = factorisation.left(piece.columns()) if coordinates is None else coordinates
            remains = piece.totals() - piece.products(own)
            self.total += piece.gram()
            self.form += piece.contract(remains)
            self._coordinates.append(own)
            self._remains.append(remains)

    @cached_property
    def ridge(self) -> float:
        """The penalty of least generalised cross-validation error over all F-labels."""
        factorisation = self.factorisation
        if not factorisation.rank:
            return 1.0
        spectrum = factorisation.eigenvalues
        low = max(spectrum[0] * 1e-2, spectrum[-1] * 1e-9)
        grid = np.geomspace(low, spectrum[-1] * 1e2, PENALTIES)
        kept = grid[:, None] / (spectrum + grid[:, None])
        energies = sum(piece.energies(own) for piece, own in self._projected())
        errors = np.square(kept) @ energies
        if factorisation.interpolates:
            freedom = kept.sum(axis=1)
        else:
            errors += max(float(np.trace(self.form)), 0.0)
            freedom = factorisation.samples - 1 - (1 - kept).sum(axis=1)
        return float(grid[(errors / np.square(freedom)).argmin()])

    def left_out_form(self) -> Array:
        """Inner products of the residuals of a ridge regression that never saw the sample."""
        form = np.zeros_like(self.total)
        for piece, residuals in self._residuals():
            errors = left_out(residuals, self.leverages)
            form += piece.contract(piece.products(errors))
        return form

    def form_without(self, group: Mask, rest: FLabels) -> Array:
        """Give Q - A of the samples that stay, exactly.

        With the residuals e of all samples and g those that go, least squares on the others
        leaves e' e - e_g' (I - H_gg)^-1 e_g.

        Args:
            group: (N,) bool, the samples to leave out.
            rest: the F-labels of the others.
        """
        left = self.factorisation.left_vectors[group]
        inner = np.eye(len(left)) - 1.0 / self.factorisation.samples - left @ left.T
        form = np.zeros_like(self.total)
        pairs = zip(self._projected(), rest.pieces(), self._remains, strict=True)
        for (piece, own), other, remains in pairs:
            columns = _dense(piece)
            gone = columns[group] - columns.mean(axis=0) - left @ own
            form += other.contract(remains - other.products(_root_solve(inner, gone)))
        return form

    def left_out_form_without(self, group: Mask, rest: FLabels) -> Array:
        """Give :meth:`left_out_form` of the samples that stay, at the same penalty, exactly."""
        form = np.zeros_like(self.total)
        for (_, residuals), other in zip(self._residuals(), rest.pieces(), strict=True):
            errors = left_out(
                *self.factorisation.ridge_without(group, self.ridge, residuals, self.leverages)
            )
            form += other.contract(other.products(errors))
        return form

    @cached_property
    def leverages(self) -> Array:
        """Diagonal of the hat matrix of that ridge regression, (N,)."""
        return self.factorisation.leverages(np.array([self.ridge]))[:, 0]

    def _projected(self) -> Iterator[tuple[Piece, Array]]:
        yield from zip(self.labels.pieces(), self._coordinates, strict=True)

    def _residuals(self) -> Iterator[tuple[Piece, Array]]:
        spectrum = self.factorisation.eigenvalues
        weights = spectrum / (spectrum + self.ridge)
        for piece, own in self._projected():
            columns = _dense(piece)
            fitted = self.factorisation.left_vectors @ (weights[:, None] * own)
            yield piece, columns - columns.mean(axis=0) - fitted


def fit(features: Features, labels: FLabels) -> Fit:
    """Project the F-labels of some features, sharing the class sums of other estimators."""
    factorisation = features.factorisation
    if isinstance(labels, ByClass) and labels.all_present:
        return Fit(factorisation, labels, factorisation.left_classes(features.labels))
    return Fit(factorisation, labels)


def fits(
    factorisation: Factorisation,
    labels: FLabels,
    shuffled: Sequence[npt.NDArray[np.int64]],
    *,
    leaves_out: bool,
) -> Iterator[Fit]:
    """Project the F-labels of shuffled labels; those of classes many at once."""
    if not isinstance(labels, ByClass):
        yield from (Fit(factorisation, each) for each in labels.shuffles(shuffled))
        return
    from scipy.sparse import hstack

    classes = len(labels.raw)
    step = max(1, CHUNK // classes)
    for start in range(0, len(shuffled), step):
        some = list(labels.shuffles(shuffled[start : start + step]))
        together = factorisation.left(hstack([each.columns() for each in some], format="csr"))
        coordinates = np.split(together, len(some), axis=1)
        found = [Fit(factorisation, *each) for each in zip(some, coordinates, strict=True)]
        if leaves_out:
            leverages = factorisation.leverages(np.array([each.ridge for each in found]))
            for each, own in zip(found, leverages.T, strict=True):
                each.leverages = own
        yield from found


def _dense(piece: Piece) -> Array:
    columns = piece.columns()
    dense: Array = columns if isinstance(columns, np.ndarray) else columns.toarray()
    return dense


def _root_solve(inner: Array, right: Array) -> Array:
    """Give rows r with r' r = right' inner^+ right, for eigenvalues between 0 and 1."""
    from scipy.linalg import LinAlgError, cholesky, eigh, solve_triangular

    try:
        lower = cholesky(inner, lower=True, check_finite=False)
        if np.square(np.diag(lower)).min() > 1e-10:
            solved: Array = solve_triangular(lower, right, lower=True, check_finite=False)
            return solved
    except LinAlgError:
        pass
    # A group that holds a direction of its own, which the others say nothing of.
    values, vectors = eigh(inner, driver="evd", check_finite=False)
    kept = values > 1e-10
    rotated: Array = vectors[:, kept].T @ right / np.sqrt(values[kept])[:, None]
    return rotated
