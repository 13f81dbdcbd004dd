"""Where the evidence behind a ranking is thin, in one sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.ranking import RankingRow

FEW_SAMPLES = 100
FEW_PER_CLASS = 5
DISAGREEMENT = 0.5
DECADE = 1.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the warnings are decided from.

    Attributes:
        prior_spread: from the lowest prior to the highest; 1 is ten times the parameters.
        searched: models that are scored at another layer than the usual one.
    """

    rows: Sequence[RankingRow]
    samples: int
    classes: int | None
    smallest_class: int | None
    agreement: float | None
    prior_agreement: float | None
    prior_spread: float
    searched: int


def warnings_of(evidence: Evidence) -> tuple[str, ...]:
    """List every warning that applies."""
    found = (
        _few_samples(evidence),
        _single_sample(evidence),
        _wide(evidence),
        _no_signal(evidence),
        _all_tied(evidence),
        _disagreement(evidence),
        _against_prior(evidence),
        _searched_layers(evidence),
    )
    return tuple(warning for warning in found if warning)


def _few_samples(evidence: Evidence) -> str:
    samples, classes = evidence.samples, evidence.classes
    if classes and samples < FEW_PER_CLASS * classes:
        return (
            f"There are {samples} samples for {classes} classes, fewer than {FEW_PER_CLASS} each: "
            "the order may change with more."
        )
    if samples < FEW_SAMPLES:
        return f"There are only {samples} samples: the order may change with more."
    return ""


def _single_sample(evidence: Evidence) -> str:
    if evidence.smallest_class != 1:
        return ""
    return "At least one class has a single sample, which no estimator can predict from the others."


def _wide(evidence: Evidence) -> str:
    widths = [row.dimension for row in evidence.rows if row.dimension]
    if not widths or len(widths) < len(evidence.rows) or min(widths) < evidence.samples:
        return ""
    return (
        f"Every model has at least as many features ({min(widths)} or more) as there are samples "
        f"({evidence.samples}): saturated estimators are left out, if any."
    )


def _no_signal(evidence: Evidence) -> str:
    silent = sum(not row.signal for row in evidence.rows)
    if not silent:
        return ""
    if silent == len(evidence.rows):
        return "No model's features say more about these labels than about shuffled ones."
    models = "1 model's features say" if silent == 1 else f"{silent} models' features say"
    return f"{models} no more about these labels than about shuffled ones."


def _all_tied(evidence: Evidence) -> str:
    rows = evidence.rows
    if len(rows) < 2 or any(len(row.tied_with) < len(rows) - 1 for row in rows):
        return ""
    return "No model is clearly better than another: take the cheapest, or more samples."


def _disagreement(evidence: Evidence) -> str:
    if evidence.agreement is None or evidence.agreement >= DISAGREEMENT:
        return ""
    return f"The estimators disagree about the order (Kendall's W {evidence.agreement:.2f})."


def _against_prior(evidence: Evidence) -> str:
    if evidence.prior_agreement is None or evidence.prior_agreement >= 0:
        return ""
    if evidence.prior_spread < DECADE:  # models of about one size: the prior hardly says anything
        return ""
    return (
        "The evidence contradicts size and pre-training data (weighted tau "
        f"{evidence.prior_agreement:.2f}), which are hard to beat: check before relying on it."
    )


def _searched_layers(evidence: Evidence) -> str:
    if not evidence.searched:
        return ""
    models = "1 model is" if evidence.searched == 1 else f"{evidence.searched} models are"
    return f"{models} scored at the best of several layers, which flatters a little."
