"""The models of a ranking that are compared, with what was recorded of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.ranking.rank import COMBINED, PRIOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.types.explaining import Evidence
    from zoo.types.ranking import EstimatorCell, RankingRow
    from zoo.types.reporting import Case

#: Of every interval of a ranking.
PERCENT = 95
UNEXPLAINED = (
    "We found no tested property that explains this ranking; it rests on {estimator} alone."
)


@dataclass(frozen=True)
class Ranked:
    """One model of the ranking, with what was recorded of it."""

    row: RankingRow
    name: str
    place: dict[str, Any]
    evidence: Evidence | None


def recorded(case: Case, row: RankingRow, name: str) -> Ranked:
    """Record where a model stands."""
    assert case.ranking is not None
    place = {
        "name": name,
        "rank": row.rank,
        "candidates": len(case.ranking.ranking),
        "score": row.score,
        "low": row.interval[0],
        "high": row.interval[1],
        "percent": PERCENT,
        "evidence": row.evidence,
        "tied with": list(row.tied_with),
        "signal": row.signal,
    }
    return Ranked(row, name, place, observe(case, row.model, "place in the ranking", **place))


def observe(case: Case, subject: str, predicate: str, **found: Any) -> Evidence | None:
    """Record something that the ranking holds."""
    assert case.ranking is not None
    source, sha256 = case.origin
    return case.ledger.observe(
        "measurement",
        subject,
        predicate,
        source=source or "ranking",
        sha256=sha256,
        check=f"zoo runs show {case.ranking.run}",
        **found,
    )


def measured(
    case: Case, model: str, what: str, predicate: str, found: dict[str, Any]
) -> Evidence | None:
    """Record something that this explanation measured; ``what`` of the model it was read from."""
    run = case.ranking.run if case.ranking else ""
    against = f" --against {case.against}" if case.against else ""
    return case.ledger.observe(
        "measurement",
        model,
        predicate,
        source=what,
        check=f"zoo explain {run} --model {case.model}{against}" if run else "",
        **found,
    )


def tied(first: Ranked, second: Ranked) -> bool:
    """Whether the ranking itself calls two models tied."""
    one, other = first.row, second.row
    return other.model in one.tied_with or one.model in other.tied_with or one.score == other.score


def contested(first: Ranked, second: Ranked) -> bool:
    """Whether most estimators have the other order, and the intervals of the scores overlap."""
    one, other = first.row, second.row
    values = [
        (one.estimators[name].value, other.estimators[name].value)
        for name in counted_by_all([one, other])
    ]
    against = sum(b > a for a, b in values if a is not None and b is not None)
    return 2 * against > len(values) and other.interval[1] >= one.interval[0]


def distinct(first: Ranked, second: Ranked) -> bool:
    """Whether the ranking tells the two apart, and the better one from chance."""
    return first.row.signal and not tied(first, second) and not contested(first, second)


def cells_of(row: RankingRow) -> dict[str, EstimatorCell]:
    """Give what estimators measured, counted or not."""
    return {name: cell for name, cell in row.estimators.items() if name not in (PRIOR, COMBINED)}


def counts(cell: EstimatorCell | None) -> bool:
    """Whether an estimator takes part in the consensus, as far as this model goes."""
    return cell is not None and cell.value is not None and not cell.saturated


def counted_by_all(rows: Sequence[RankingRow]) -> list[str]:
    """Name the estimators that score every one of some models."""
    names = dict.fromkeys(name for row in rows for name in cells_of(row))
    return [name for name in names if all(counts(row.estimators.get(name)) for row in rows)]


def deviations(row: RankingRow) -> Iterator[tuple[float, str]]:
    """Give how far each score lies above those of shuffled labels, in their deviations."""
    for name, cell in cells_of(row).items():
        if counts(cell) and cell.z is not None:
            yield cell.z, name
