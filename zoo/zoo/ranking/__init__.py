"""From scores to a ranking that says how sure it is. Pure functions on :mod:`zoo.types` values."""

from __future__ import annotations

from zoo.ranking.jackknife import interval
from zoo.ranking.rank import ModelScores, Ranked, rank

__all__ = ["ModelScores", "Ranked", "interval", "rank"]
