"""A ranking as rows and columns."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from zoo.render.columns import Column
from zoo.render.quantities import duration_text, parameters_text, size_text
from zoo.render.words import short, tie_note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types.ranking import EstimatorCell, Ranking, RankingRow


def ranking_columns(ranking: Ranking) -> list[Column]:
    """Columns of the main table.

    The layer is shown where it was chosen among several, the evidence where the score is not it.
    """
    combined = any(row.evidence not in (None, row.score) for row in ranking.ranking)
    layered = any(len(row.layers) > 1 for row in ranking.ranking)
    columns = [
        Column("rank", "#", right=True),
        Column("model", show=short, key=True, style="bold"),
        Column("score", right=True, show="{:.2f}".format),
        Column("interval", "95 %", cell=_interval, priority=4),
        *([Column("evidence", right=True, show="{:.2f}".format, priority=8)] if combined else []),
        Column("agree", right=True, cell=_agree, priority=6),
        Column("z", "Z", right=True, show="{:.0f}".format, priority=9),
        Column("prior", right=True, priority=5),
    ]
    columns += [Column("layer", priority=7)] if layered else []
    return [
        *columns,
        Column("parameters", "PARAMS", right=True, show=parameters_text, priority=11),
        Column("bytes", "SIZE", right=True, show=size_text, priority=2),
        Column("license", "LICENCE", priority=3),
        Column("seconds", "TIME", right=True, show=duration_text, priority=10),
        Column("note", "", cell=lambda row: str(row["note"]), priority=1),
    ]


def ranking_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """One plain row a model: everything that fits into one line."""
    ranks = {row.model: row.rank for row in ranking.ranking}
    prior = {row.model: row.rank for row in ranking.prior}
    return [
        {
            "rank": row.rank,
            "model": row.model,
            "score": row.score,
            "low": row.interval[0],
            "high": row.interval[1],
            "evidence": row.evidence,
            "agree": row.agree,
            "counted": row.counted,
            "z": median_z(row),
            "prior": prior.get(row.model),
            "layer": row.layer,
            "parameters": row.parameters,
            "bytes": row.bytes,
            "license": row.license,
            "seconds": row.seconds,
            "note": tie_note(row, ranks),
            **{_field(name): cell.value for name, cell in row.estimators.items()},
        }
        for row in ranking.ranking
    ]


def estimator_columns(ranking: Ranking) -> list[Column]:
    """Columns of the table that shows every estimator's own word."""
    names = dict.fromkeys(name for row in ranking.ranking for name in row.estimators)
    return [
        Column("model", show=short, key=True),
        *(Column(name, name, right=True) for name in names),
    ]


def estimator_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """One row a model: each estimator's value, and its z in brackets."""
    return [
        {"model": row.model} | {name: estimator_text(cell) for name, cell in row.estimators.items()}
        for row in ranking.ranking
    ]


def estimator_text(cell: EstimatorCell) -> str:
    """``0.713 (z 42)``; a star marks a saturated value, a dash a missing one."""
    if cell.value is None:
        return "-"
    z = "" if cell.z is None else f" (z {cell.z:.0f})"
    return f"{cell.value:.3f}{z}{'*' if cell.saturated else ''}"


def prior_columns() -> list[Column]:
    """Columns of the data-free order."""
    return [
        Column("rank", "#", right=True),
        Column("model", show=short, key=True),
        Column("score", right=True, show="{:.2f}".format),
        Column("reason", flexible=True),
    ]


def prior_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """One row a model, in the order without any data."""
    return [
        {"rank": row.rank, "model": row.model, "score": row.score, "reason": row.reason}
        for row in ranking.prior
    ]


def median_z(row: RankingRow) -> float | None:
    """Median over the estimators that are not saturated; None when none has a z."""
    values = [
        cell.z for cell in row.estimators.values() if cell.z is not None and not cell.saturated
    ]
    return statistics.median(values) if values else None


def _field(estimator: str) -> str:
    """Tell the prior's value from its place, which is the column of that name."""
    return "prior_score" if estimator == "prior" else estimator


def _interval(row: Mapping[str, Any]) -> str:
    return f"{row['low']:.2f} - {row['high']:.2f}"


def _agree(row: Mapping[str, Any]) -> str:
    return f"{row['agree']}/{row['counted']}" if row["counted"] else "-"
