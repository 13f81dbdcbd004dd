"""LogME: the log evidence of a Bayesian linear head, maximised exactly.

For each label column v, w ~ N(0, I/alpha) and v | w ~ N(Xw, I/beta). With t = alpha/beta, and
beta profiled out, the evidence is a function of one scalar and of the non-zero spectrum only:

    l(t) = -1/2 [ln(2 pi e q(t) / N) + ln det(I + XX'/t) / N],   q(t) = v' (I + XX'/t)^-1 v

You et al., "LogME: Practical Assessment of Pre-trained Models for Transfer Learning", ICML 2021,
arXiv 2102.11005; the published code leaves (D - k) ln alpha out of the determinant when N < D.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.labels import label_sets, targets, varies
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.factorisation import Factorisation
    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]

#: Distance of the grid in ln t. The terms of the evidence are logistic in ln t, about 4 wide.
STEP = 0.5
#: Share of the longer side to go where a parabola has no top.
GOLDEN = (3 - np.sqrt(5)) / 2
#: Numbers that are worked on at a time, so that they stay in the cache.
BLOCK = 1 << 16


class LogME:
    """Mean over label columns of the maximised log evidence per sample.

    Args:
        refinements: steps by parabolas after the grid; 8 reach 1e-10 in the value.
    """

    def __init__(self, *, refinements: int = 8) -> None:
        if refinements < 0:
            raise InputError(f"logme.refinements must be 0 or more, not {refinements}.")
        self.refinements = refinements

    def score(self, features: Features) -> Score:
        """Score one layer; classes one-versus-rest, labels, targets and embeddings one by one."""
        _, evidence = maximise(evidence_of(features), self.refinements)
        interpolates = features.factorisation.interpolates
        return Score(
            float(evidence.mean()),
            details={"columns": float(len(evidence)), "interpolating": float(interpolates)},
            note="interpolating: as many directions as samples" if interpolates else "",
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets from the grid alone: within 3e-4 of the maximum, mostly 1e-5."""
        means = []
        for columns, width in label_sets(features, labels):
            _, found = maximise(_Evidence.of(features.factorisation, columns), 0)
            means.append(found.reshape(-1, width).mean(axis=1))
        return np.concatenate(means)

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples, at the t of all samples.

        The evidence has no slope there, so that moving t with the fold changes the value in
        second order only.
        """
        factorisation, evidence = features.factorisation, evidence_of(features)
        classes = features.task == "classification"
        columns: Any = (
            factorisation.classes(features.labels).indicators().tocsc()
            if classes
            else targets(features)
        )
        log_t, values = maximise(evidence, self.refinements)
        # (I + XX'/t)^-1 is singular in floating point below this bound.
        nodes = np.maximum(np.round(log_t / STEP) * STEP, np.log(evidence.scale) - 23.0)
        result = np.empty((len(folds), len(values)))
        for node in np.unique(nodes):
            chosen = np.flatnonzero(nodes == node)
            part, own = evidence.only(chosen), columns[:, chosen]
            own = own.toarray() if classes else own
            if np.isfinite(node):
                left = factorisation.left_vectors
                moved = part.without(folds, node, left, own) - part.on(np.array([node]))
                result[:, chosen] = values[chosen] + moved
            else:
                result[:, chosen] = [_null(own[~group]) for group in folds]
            for row, group in zip(result, folds, strict=True):
                row[chosen[~varies(own[~group])]] = np.nan
        means: Array = np.nanmean(result, axis=1)
        return means


@dataclass(frozen=True, eq=False)
class _Evidence:
    """The evidence in the basis (1/sqrt N, U), where XX' is an arrow: diagonal but for the mean.

    Attributes:
        samples: N.
        spectrum: eigenvalues s of the centred Gram matrix, (k,).
        mean: coordinates of the mean in V, (k,), and the squared length outside.
        constant: sqrt(N) times the mean of each label column, (M,).
        coordinates: U'v, (k, M).
        rest: squared length of v outside the span, (M,).
        length: squared length of v, (M,).
    """

    samples: int
    spectrum: Array
    mean: tuple[Array, float]
    constant: Array
    coordinates: Array
    rest: Array
    length: Array

    @classmethod
    def of(cls, factorisation: Factorisation, columns: Any) -> _Evidence:
        """Project label columns (N, M), dense or sparse."""
        sums = np.asarray(columns.sum(axis=0))
        length = np.asarray((columns * columns).sum(axis=0))
        return cls.projected(factorisation, factorisation.left(columns), sums, length)

    @classmethod
    def projected(
        cls, factorisation: Factorisation, coordinates: Array, sums: Array, length: Array
    ) -> _Evidence:
        """Take label columns that are known by U'v, their sums and their squared lengths."""
        samples = factorisation.samples
        constant = sums / np.sqrt(samples)
        rest = length - np.square(constant) - np.einsum("km,km->m", coordinates, coordinates)
        # What is left of v when the basis spans everything is rounding, and would hide t -> 0.
        rest = np.zeros_like(rest) if factorisation.interpolates else np.maximum(rest, 0.0)
        return cls(
            samples=samples,
            spectrum=factorisation.eigenvalues,
            mean=factorisation.mean_coordinates,
            constant=constant,
            coordinates=coordinates,
            rest=rest,
            length=length,
        )

    def only(self, chosen: npt.NDArray[np.int64] | slice) -> _Evidence:
        """Keep some label columns."""
        return replace(
            self,
            constant=self.constant[chosen],
            coordinates=self.coordinates[:, chosen],
            rest=self.rest[chosen],
            length=self.length[chosen],
        )

    @property
    def null(self) -> Array:
        """The limit t -> infinity, a head without weights: (M,)."""
        return _profile(self.length, np.zeros_like(self.length), self.samples)

    @property
    def scale(self) -> float:
        """Largest eigenvalue of XX', within a factor of two."""
        inside, outside = self.mean
        length = self.samples * (float(inside @ inside) + outside)
        return float(self.spectrum.max(initial=0.0)) + length

    def grid(self) -> Array:
        """Values of ln t that see every scale of the spectrum, (G,)."""
        smallest = float(self.spectrum.min(initial=self.scale))
        bounds = np.log(smallest) - 9.0, np.log(self.scale) + 12.0
        return np.arange(bounds[0], bounds[1], STEP)

    def on(self, log_t: Array) -> Array:
        """Evaluate every column on one grid: (G,) -> (G, M)."""
        fit, volume = self._terms(log_t)
        return _profile(fit, volume[:, None], self.samples)

    def _terms(self, log_t: Array) -> tuple[Array, Array]:
        """Quadratic form q, (G, M), and log determinant, (G,)."""
        t = np.exp(log_t)[:, None]
        shrunk = 1.0 / (self.spectrum + t)
        # (t * shrunk) rather than 1 - s * shrunk: the difference cancels as t goes to zero.
        inside = (t * shrunk) @ np.square(self.coordinates)
        reach = (shrunk * self._coupling) @ self.coordinates
        arrow, volume = self._arrow(log_t, shrunk)
        return inside + np.square(self.constant - reach) / arrow[:, None] + self.rest, volume

    def at(self, log_t: Array) -> Array:
        """Evaluate every column at its own place: (M,) -> (M,)."""
        step = max(1, BLOCK // max(1, len(self.spectrum)))
        parts = [slice(start, start + step) for start in range(0, len(log_t), step)]
        return np.concatenate([self.only(part)._at(log_t[part]) for part in parts])  # noqa: SLF001

    def _at(self, log_t: Array) -> Array:
        t = np.exp(log_t)
        shifted = self.spectrum[:, None] + t
        scaled = self.coordinates / shifted
        inside = t * np.einsum("km,km->m", scaled, self.coordinates)
        reach = self._coupling @ scaled
        within, outside = self.mean
        arrow = 1.0 + self.samples * (outside / t + np.square(within) @ np.reciprocal(shifted))
        fit = inside + np.square(self.constant - reach) / arrow + self.rest
        return _profile(fit, _log_products(shifted / t) + np.log(arrow), self.samples)

    def without(
        self, folds: Sequence[npt.NDArray[np.bool_]], node: float, left: Array, targets: Array
    ) -> Array:
        """Evaluate without each group of samples, at one ln t: (K, M).

        With M = (I + XX'/t)^-1 and e = Mv: leaving out g takes e_g' M_gg^-1 e_g off q and adds
        ln det M_gg to the log determinant. M = I - 11'/N - U diag(s / (s + t)) U' + spike spike'.
        """
        from scipy.linalg import cho_factor, solve_triangular

        log_t = np.array([node])
        shrunk = 1.0 / (self.spectrum + np.exp(node))
        weights = self.spectrum * shrunk
        arrow, volume = self._arrow(log_t, shrunk[None])
        spike = 1 / np.sqrt(self.samples) - left @ (shrunk * self._coupling)
        spike /= np.sqrt(arrow[0])
        residuals = targets - targets.mean(axis=0) + np.outer(spike, spike @ targets)
        residuals -= left @ (weights[:, None] * self.coordinates)
        fit = self._terms(log_t)[0][0]
        result = np.empty((len(folds), targets.shape[1]))
        for row, group in zip(result, folds, strict=True):
            inner = np.outer(spike[group], spike[group]) - (left[group] * weights) @ left[group].T
            inner += np.eye(len(inner)) - 1.0 / self.samples
            lower, _ = cho_factor(inner, lower=True, check_finite=False)
            moved = solve_triangular(lower, residuals[group], lower=True, check_finite=False)
            remains = np.maximum(fit - np.square(moved).sum(axis=0), 1e-300)
            log_det = volume + 2 * np.log(np.diag(lower)).sum()
            row[:] = _profile(remains, log_det, self.samples - len(inner))
        return result

    @property
    def _coupling(self) -> Array:
        return np.sqrt(self.samples * self.spectrum) * self.mean[0]

    def _arrow(self, log_t: Array, shrunk: Array) -> tuple[Array, Array]:
        """Schur complement of the mean, divided by t, and ln det(I + XX'/t): (G,) each."""
        inside, outside = self.mean
        t = np.exp(log_t)
        arrow = 1.0 + self.samples * (outside / t + shrunk @ np.square(inside))
        volume = np.log1p(self.spectrum / t[:, None]).sum(axis=1) + np.log(arrow)
        return arrow, volume


def evidence_of(features: Features) -> _Evidence:
    """Project the labels of a layer; indicators of classes are never formed."""
    factorisation, labels = features.factorisation, features.labels
    if features.task != "classification":
        return _Evidence.of(factorisation, targets(features))
    counts = factorisation.classes(labels).counts.astype(np.float64)
    return _Evidence.projected(factorisation, factorisation.left_classes(labels), counts, counts)


def maximise(evidence: _Evidence, refinements: int) -> tuple[Array, Array]:
    """Find the highest evidence of every column, and ln t where it is (infinite: no weights).

    There can be two local maxima, so the grid comes first. Without refinements the top is read
    from a parabola through the three highest grid points.
    """
    grid = evidence.grid()
    heights = evidence.on(grid)
    top = np.clip(heights.argmax(axis=0), 1, len(grid) - 2)
    columns = np.arange(heights.shape[1])
    around = [heights[top + shift, columns] for shift in (-1, 0, 1)]
    if refinements:
        log_t, found = _refine(
            evidence, [grid[top - 1], grid[top], grid[top + 1]], around, refinements
        )
    else:
        low, mid, high = around
        bend = np.minimum(low - 2 * mid + high, -1e-300)
        shift = np.clip((low - high) / (2 * bend), -1.0, 1.0)
        log_t, found = grid[top] + shift * STEP, mid + (high - low) * shift / 4
    found = np.maximum(found, heights.max(axis=0))
    return np.where(found > evidence.null, log_t, np.inf), np.maximum(found, evidence.null)


def _refine(
    evidence: _Evidence, places: list[Array], heights: list[Array], steps: int
) -> tuple[Array, Array]:
    """Go to the top of the parabola through three places, again and again."""
    (low, top, high), (at_low, at_top, at_high) = places, heights
    for _ in range(steps):
        fresh = _next((low, top, high), (at_low, at_top, at_high))
        value = evidence.at(fresh)
        better, left = value > at_top, fresh < top
        low, at_low, high, at_high = (
            np.where(left, np.where(better, low, fresh), np.where(better, top, low)),
            np.where(left, np.where(better, at_low, value), np.where(better, at_top, at_low)),
            np.where(left, np.where(better, top, high), np.where(better, high, fresh)),
            np.where(left, np.where(better, at_top, at_high), np.where(better, at_high, value)),
        )
        top, at_top = np.where(better, fresh, top), np.where(better, value, at_top)
    return top, at_top


def _next(places: tuple[Array, ...], heights: tuple[Array, ...]) -> Array:
    """Choose where to look: a parabola's top, or into the longer side where there is none."""
    (low, top, high), (at_low, at_top, at_high) = places, heights
    before, after = top - low, top - high
    rise, fall = before * (at_top - at_high), after * (at_top - at_low)
    bend = rise - fall
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = top - 0.5 * (before * rise - after * fall) / bend
    longer = np.where(before > -after, -before, -after)
    fits = np.isfinite(vertex) & (vertex > low) & (vertex < high) & (bend > 0)
    # A place that is known already teaches nothing: look a little beside it, on the longer side.
    apart = np.abs(vertex - top) > 1e-6
    return np.where(
        fits, np.where(apart, vertex, top + 1e-6 * np.sign(longer)), top + GOLDEN * longer
    )


def _log_products(factors: Array) -> Array:
    """Sum of logarithms, of 8 factors at a time: (k, M) of at most 1e38 -> (M,)."""
    whole = len(factors) // 8 * 8
    products = factors[:whole].reshape(8, -1, factors.shape[1]).prod(axis=0)
    logs: Array = np.log(products).sum(axis=0) + np.log(factors[whole:]).sum(axis=0)
    return logs


def _null(columns: Array) -> Array:
    lengths = np.square(columns).sum(axis=0)
    return _profile(np.maximum(lengths, 1e-300), np.zeros_like(lengths), len(columns))


def _profile(fit: Array, volume: Array, samples: Any) -> Array:
    profile: Array = -0.5 * (np.log(2 * np.pi * np.e * fit / samples) + volume / samples)
    return profile
