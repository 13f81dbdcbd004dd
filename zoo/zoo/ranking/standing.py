"""Where every candidate stands: by the evidence alone, or by evidence and prior together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import NotApplicable, PluginError
from zoo.ranking.consensus import Contest, against_null, share_beaten, share_intervals

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.protocols import Combiner, Contestant
    from zoo.types.score import Score

    Array = npt.NDArray[np.float64]

#: Odds from which one candidate counts as clearly better: three to one.
CLEAR = math.log(3)


@dataclass(frozen=True, eq=False)
class Standing:
    """n candidates, in the order they were given.

    Attributes:
        evidence: (n,) share of the others beaten by the estimators alone.
        scores: (n,) what the order goes by; the evidence where nothing is combined.
        intervals: of the scores.
        tied: (n, n) pairs without a clear difference.
        combined: what the combiner said of each; None where nothing is combined.
    """

    evidence: Array
    scores: Array
    intervals: list[tuple[float, float]]
    tied: npt.NDArray[np.bool_]
    combined: tuple[Score, ...] | None = None


def stand(
    contest: Contest, contestants: Sequence[Contestant], combiner: Combiner | None = None
) -> Standing:
    """Compare candidates.

    A pair is tied when the evidence shows no clear difference and the combined odds, if any, stay
    below three to one: where the samples tell nothing, only a large difference in the prior does.

    Args:
        contest: what the estimators say.
        contestants: the same candidates, as a combiner sees them.
        combiner: makes one value of evidence and prior; without one the evidence stands, as it
            does where the combiner does not apply.

    Raises:
        PluginError: the combiner gave something else than a finite score for each.
    """
    if len(contestants) == 1:
        score, bounds = against_null(contestants[0].records)
        return Standing(np.array([score]), np.array([score]), [bounds], contest.tied())
    evidence, tied = contest.scores, contest.tied()
    plain = Standing(evidence, evidence, contest.intervals(), tied)
    if combiner is None or not contestants:
        return plain
    try:
        combined = tuple(combiner.combine(contestants, evidence))
        values = _values(combined, len(contestants))
        folds = [
            share_beaten(_values(combiner.combine(contestants, fold), len(contestants)))
            for fold in contest.fold_scores
        ]
    except NotApplicable:
        return plain
    scores = share_beaten(values)
    close = np.abs(values[:, None] - values[None, :]) < CLEAR
    return Standing(
        evidence, scores, share_intervals(scores, np.array(folds)), tied & close, combined
    )


def _values(combined: Sequence[Score], count: int) -> Array:
    values = np.array([each.value for each in combined], dtype=np.float64)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise PluginError(f"the combiner gave {len(values)} scores for {count} candidates, or NaN.")
    return values
