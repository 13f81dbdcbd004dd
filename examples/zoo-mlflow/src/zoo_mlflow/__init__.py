"""Writes every ranking and every built model to MLflow.

This module is imported by each ``zoo`` command, so MLflow, which takes seconds, is imported when
there is something to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import hookimpl

if TYPE_CHECKING:
    from zoo import Ranking
    from zoo.types import BuiltModel, ScoreRecord

#: What was scored since the ranking before; a record does not say which run it belongs to.
_records: list[ScoreRecord] = []


@hookimpl
def zoo_score_recorded(record: ScoreRecord) -> None:
    """Keep it until its ranking is there."""
    _records.append(record)


@hookimpl
def zoo_ranking_ready(ranking: Ranking) -> None:
    """Write one run, with a child for each model.

    Raises:
        ZooError: MLflow cannot be written; Zoo tells the person and goes on.
    """
    records = tuple(_records)
    _records.clear()
    from zoo_mlflow.rankings import write_ranking

    write_ranking(ranking, records)


@hookimpl
def zoo_model_built(result: BuiltModel) -> None:
    """Write one run.

    Raises:
        ZooError: MLflow cannot be written; Zoo tells the person and goes on.
    """
    from zoo_mlflow.models import write_model

    write_model(result)
