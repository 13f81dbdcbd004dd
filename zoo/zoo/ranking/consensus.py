"""Soft Borda: several estimators on several candidates -> one score each, with its interval.

Plain ranks treat a hair's breadth like a mile. Here estimator e prefers i to j with probability
Phi(d), where d = (v_i - v_j) / se and se is the paired jack-knife error of that difference over
the shared folds. The score of i is the mean of those probabilities over estimators and opponents:
the expected share of the other candidates that it beats, free of every estimator's scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from zoo.ranking.jackknife import NORMAL_95, standard_error
from zoo.ranking.quality import average_ranks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.score import ScoreRecord

    Array = npt.NDArray[np.float64]

_erf = np.vectorize(math.erf, otypes=[np.float64])

#: Differences beyond this many standard errors count as this many: certain is certain, and one
#: estimator with a tiny error must not outvote the others in the mean.
CERTAIN = 5.0
#: Candidates whose mean difference is smaller than this many standard errors are tied.
TIED = 2.0


@dataclass(frozen=True, eq=False)
class Contest:
    """What E estimators say of n candidates, on all samples and without each of K folds.

    Attributes:
        values: (E, n), NaN where a candidate does not count: not applicable, or saturated.
        folds: (E, n, K), NaN where there are none.
    """

    values: Array
    folds: Array

    @classmethod
    def of(
        cls, candidates: Sequence[Mapping[str, ScoreRecord]], estimators: Sequence[str]
    ) -> Contest:
        """Collect the counted records of every candidate, by estimator."""
        lengths = [len(record.folds) for records in candidates for record in records.values()]
        shape = len(estimators), len(candidates), max(lengths, default=0)
        values, folds = np.full(shape[:2], np.nan), np.full(shape, np.nan)
        for column, records in enumerate(candidates):
            for row, name in enumerate(estimators):
                record = records.get(name)
                if record is not None and counts(record):
                    values[row, column] = record.value
                    if len(record.folds) == shape[2]:
                        folds[row, column] = record.folds
        return cls(values, folds)

    @cached_property
    def errors(self) -> Array:
        """Paired standard errors of every difference, (E, n, n); NaN without folds."""
        if self.folds.shape[2] < 2:
            return np.full((*self.values.shape, self.values.shape[1]), np.nan)
        # One row of opponents at a time: (E, n, n, K) would be large for a large zoo.
        rows = [
            standard_error(self.folds[:, [index]] - self.folds)
            for index in range(self.values.shape[1])
        ]
        return np.stack(rows, axis=1)

    @cached_property
    def scores(self) -> Array:
        """Expected share of the other candidates that each beats, (n,)."""
        return self._borda(self.values)

    @cached_property
    def fold_scores(self) -> Array:
        """The scores without each fold, (K, n), at the standard errors of all samples."""
        # An estimator without folds says the same throughout.
        folds = np.where(np.isnan(self.folds), self.values[:, :, None], self.folds)
        return np.array([self._borda(folds[:, :, k]) for k in range(folds.shape[2])])

    def intervals(self) -> list[tuple[float, float]]:
        """95 % jack-knife interval of every score, inside [0, 1]."""
        return share_intervals(self.scores, self.fold_scores)

    def tied(self) -> npt.NDArray[np.bool_]:
        """Tell which pairs show no clear difference, (n, n); estimators weigh the same.

        A difference whose error is not known shows nothing.
        """
        differences = self._differences(self.values)
        comparable = ~np.isnan(differences) & ~np.isnan(self.errors)
        mean = np.where(comparable, differences, 0.0).sum(axis=0) / np.maximum(
            comparable.sum(axis=0), 1
        )
        pairs: npt.NDArray[np.bool_] = np.abs(mean) < TIED
        np.fill_diagonal(pairs, val=False)
        return pairs

    def _borda(self, values: Array) -> Array:
        differences = self._differences(values)
        comparable = ~np.isnan(differences)
        wins = np.where(comparable, normal_share(differences), 0.0).sum(axis=0)
        # Two candidates that no estimator compares are even.
        wins = np.where(comparable.any(axis=0), wins / np.maximum(comparable.sum(axis=0), 1), 0.5)
        np.fill_diagonal(wins, 0.0)
        shares: Array = wins.sum(axis=1) / max(1, len(wins) - 1)
        return shares

    def _differences(self, values: Array) -> Array:
        """Differences in standard errors, (E, n, n); the sign alone where no error is known."""
        gaps = values[:, :, None] - values[:, None, :]
        scale = np.fmax(np.abs(values[:, :, None]), np.abs(values[:, None, :]))
        gaps = np.where(np.abs(gaps) <= 1e-12 * scale, 0.0, gaps)
        errors = np.where(self.errors > 1e-12 * scale, self.errors, 1e-300)
        with np.errstate(over="ignore"):
            return np.clip(gaps / errors, -CERTAIN, CERTAIN)


def normal_share(deviations: Array) -> Array:
    """Share of a standard normal below each value; importing scipy's takes far longer."""
    shares: Array = (1 + _erf(np.asarray(deviations) / math.sqrt(2))) / 2
    return shares


def log_odds(shares: Array) -> Array:
    """Turn shares of the n - 1 others that each candidate beats into log odds, (n,).

    Half a win and half a defeat are added, so that beating everyone stays finite, and says less
    where there are few to beat.
    """
    wins = np.asarray(shares) * (len(shares) - 1)
    odds: Array = np.log((wins + 0.5) / (len(shares) - 0.5 - wins))
    return odds


def share_beaten(values: Array) -> Array:
    """Turn values whose differences are log odds into expected shares of the others beaten."""
    chances = 1 / (1 + np.exp(-np.clip(values[:, None] - values[None, :], -500, 500)))
    np.fill_diagonal(chances, 0.0)
    shares: Array = chances.sum(axis=1) / max(1, len(chances) - 1)
    return shares


def counts(record: ScoreRecord) -> bool:
    """Whether a record takes part in the consensus."""
    return record.value is not None and not record.saturated


def against_null(records: Mapping[str, ScoreRecord]) -> tuple[float, tuple[float, float]]:
    """Score a lone candidate: the probability that it beats its own shuffled labels."""
    shares, fold_shares = [], []
    for record in records.values():
        if counts(record) and record.null_sd and record.z is not None:
            assert record.null_mean is not None
            folds = (np.asarray(record.folds) - record.null_mean) / record.null_sd
            share = normal_share(np.array([record.z]))
            shares.append(float(share[0]))
            fold_shares.append(normal_share(folds) if len(folds) else share)
    if not shares:
        return 0.5, (0.0, 1.0)
    length = max(len(each) for each in fold_shares)
    folds = np.mean([np.resize(each, length) for each in fold_shares], axis=0)
    score = np.array([np.mean(shares)])
    return float(score[0]), share_intervals(score, folds[:, None])[0]


def share_intervals(shares: Array, folds: Array) -> list[tuple[float, float]]:
    """Turn shares (n,) and their fold values (K, n) into intervals inside [0, 1].

    With fewer than two folds nothing is known of the spread: anything is possible.
    """
    if len(folds) < 2:
        return [(0.0, 1.0)] * len(shares)
    half = NORMAL_95 * standard_error(folds.T)
    low, high = np.clip(shares - half, 0.0, 1.0), np.clip(shares + half, 0.0, 1.0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def concordance(values: Array) -> float | None:
    """Kendall's W of E estimators on the n candidates that all of them score, ties corrected.

    Returns:
        0 for no agreement, 1 for the same order; None with fewer than two of either.
    """
    complete = values[:, ~np.isnan(values).any(axis=0)]
    raters, items = complete.shape
    if raters < 2 or items < 2:
        return None
    ranks = np.array([average_ranks(row) for row in complete])
    spread = np.square(ranks.sum(axis=0) - raters * (items + 1) / 2).sum()
    ties = sum(
        float((sizes**3 - sizes).sum())
        for sizes in (np.unique(row, return_counts=True)[1] for row in ranks)
    )
    most = raters**2 * (items**3 - items) - raters * ties
    return float(12 * spread / most) if most > 0 else None
