"""Evidence and prior as one score: the log odds that one checkpoint ends above another.

A pairwise logistic model (Bradley and Terry, Biometrika 1952). Its weights were learned from public
fine-tuning tables and judged on data sets that they had not seen: ``benchmarks/learn_combined.py``
made ``combined_weights.json`` beside this file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import NotApplicable
from zoo.ranking.consensus import counts, log_odds
from zoo.types.score import Score
from zoo_transferability.prior import learned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.protocols import Contestant


class Combined:
    """Two weights, in log odds.

    Args:
        parameters: of a decade of parameters; learned where it is not given.
        evidence: of the logit of the evidence, with many estimators; likewise. Whoever trains no
            more than a head may trust the estimators further than the tables do.
    """

    def __init__(self, *, parameters: float | None = None, evidence: float | None = None) -> None:
        weights = learned()
        self.parameters = weights.parameters if parameters is None else parameters
        self.evidence = weights.evidence if evidence is None else evidence
        self.half = weights.estimators

    def combine(
        self, contestants: Sequence[Contestant], evidence: npt.NDArray[np.float64]
    ) -> list[Score]:
        """Add up the prior and what the estimators say, for all candidates at once.

        The evidence weighs E / (E + half) of its full weight where E estimators count. What they
        leave uncertain is in ``evidence`` already: shares of wide intervals lie near a half. Sizes
        beyond those that were learned from count as the nearest of them. A candidate without a
        prior is taken for an average one.

        Args:
            contestants: n candidates; the prior is in decades of parameters.
            evidence: (n,) expected share of the others that each beats.

        Raises:
            NotApplicable: fewer than two candidates have a prior.
        """
        priors = [_within_range(each) for each in contestants]
        known = [each for each in priors if each is not None]
        if len(known) < 2:
            raise NotApplicable("fewer than two candidates have a prior to combine with.")
        average = float(np.mean(known))
        odds = log_odds(np.asarray(evidence, dtype=np.float64))
        scores = []
        for contestant, prior, odd in zip(contestants, priors, odds.tolist(), strict=True):
            number = sum(counts(record) for record in contestant.records.values())
            weight = self.evidence * number / (number + self.half)
            ahead = 0.0 if prior is None else self.parameters * (prior - average)
            told = weight * odd
            note = "no prior: taken for an average one" if prior is None else ""
            scores.append(Score(ahead + told, {"prior": ahead, "evidence": told}, note=note))
        return scores


def _within_range(contestant: Contestant) -> float | None:
    """Give the prior of a candidate; what no table shows of a size is not made up."""
    if contestant.prior is None:
        return None
    weights, entry = learned(), contestant.entry
    if entry is None or not entry.parameters:
        return contestant.prior.value
    size = min(max(entry.parameters, weights.smallest), weights.largest)
    return contestant.prior.value + math.log10(size / entry.parameters)
