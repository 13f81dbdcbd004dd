"""How far an estimator can be believed, by the transfers that were recorded so far."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.ranking.quality import average_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case, TransferRecord

#: A correlation within a target takes this many of its transfers, and this many over all targets.
_FEWEST_WITHIN, _FEWEST = 4, 8

HINT = (
    "{estimator} has rank correlation {correlation:.2f} with fine-tuned accuracy in our own "
    "records; a ranking by it is a hint, not a result."
)
_HINTS = (
    "The estimators have rank correlations from {low:.2f} ({lowest}) to {high:.2f} ({highest}) "
    "with fine-tuned accuracy in our own records; a ranking by them is a hint, not a result."
)


def caution(case: Case, estimators: Sequence[str]) -> None:
    """Say how scores went with what models reached, where enough was recorded."""
    found = {name: each for name in estimators if (each := correlation(case.history, name))}
    if not found:
        return
    order = sorted(found, key=lambda name: found[name][0])
    records = [_recorded(case, name, *found[name]) for name in order]
    if len(order) == 1:
        slots: dict[str, Any] = {"estimator": order[0], "correlation": found[order[0]][0]}
        case.ledger.claim("measured", HINT, *records, **slots)
        return
    ends: dict[str, Any] = {"lowest": order[0], "highest": order[-1]}
    ends |= {"low": found[order[0]][0], "high": found[order[-1]][0]}
    case.ledger.claim("measured", _HINTS, *records, **ends)


def _recorded(
    case: Case, estimator: str, value: float, transfers: int, targets: int
) -> Evidence | None:
    origins = sorted({each.origin for each in case.history if each.origin})
    return case.ledger.observe(
        "measurement",
        estimator,
        "rank correlation with fine-tuned accuracy",
        source=", ".join(origins[:3]) or "recorded transfers",
        estimator=estimator,
        correlation=value,
        transfers=transfers,
        targets=targets,
    )


def correlation(
    history: tuple[TransferRecord, ...], estimator: str
) -> tuple[float, int, int] | None:
    """Give Spearman's rho within targets, averaged by their transfers; and how many of both."""
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in history:
        if estimator in each.quantities and each.metric == "accuracy":
            pairs[each.target].append((each.quantities[estimator], each.value))
    parts = [
        (rho, len(each))
        for each in pairs.values()
        if len(each) >= _FEWEST_WITHIN and (rho := _spearman(np.array(each))) is not None
    ]
    transfers = sum(count for _, count in parts)
    if transfers < _FEWEST:
        return None
    return sum(rho * count for rho, count in parts) / transfers, transfers, len(parts)


def _spearman(pairs: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    ranks = np.array([average_ranks(column) for column in pairs.T])
    if (np.ptp(ranks, axis=1) == 0).any():
        return None
    return float(np.corrcoef(ranks)[0, 1])
