"""The order without any data, and how far the measured order departs from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo.ranking.quality import weighted_tau
from zoo.types.ranking import PriorRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.ranking import RankingRow
    from zoo.types.score import Score


def rank_priors(priors: Mapping[str, Score]) -> tuple[PriorRow, ...]:
    """Order models by their prior, highest first; equal scores by name."""
    order = sorted(priors, key=lambda model: (-priors[model].value, model))
    return tuple(
        PriorRow(model=model, rank=place, score=priors[model].value, reason=priors[model].note)
        for place, model in enumerate(order, start=1)
    )


def prior_agreement(rows: Sequence[RankingRow], prior: Sequence[PriorRow]) -> float | None:
    """Weighted tau between the evidence and the prior, over the models that have both."""
    known = {row.model: row.score for row in prior}
    shared = [row for row in rows if row.model in known]
    if len(shared) < 2:
        return None
    evidence = [row.score if row.evidence is None else row.evidence for row in shared]
    tau = weighted_tau(evidence, [known[row.model] for row in shared])
    return None if math.isnan(tau) else tau
