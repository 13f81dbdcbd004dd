"""Scores, and everything measured around them that makes a score mean something."""

from __future__ import annotations

import msgspec


class Score(msgspec.Struct, frozen=True):
    """What an estimator returns. A higher value always means a better transfer.

    Attributes:
        value: the score.
        details: further named numbers, such as ``{"shrinkage": 0.1}``.
        saturated: the value carries no information at this sample size and width, and is left
            out of the consensus.
        note: one sentence, such as ``interpolating: N <= D``.
        bounds: what the value cannot leave, such as (0, 100) for an accuracy.
    """

    value: float
    details: dict[str, float] = {}
    saturated: bool = False
    note: str = ""
    bounds: tuple[float, float] | None = None


class ScoreRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of the table: one estimator on one layer of one checkpoint.

    Attributes:
        null_mean: mean of the score under shuffled labels.
        null_sd: its standard deviation.
        z: (value - null_mean) / null_sd; None when it is not defined.
        folds: the score with one fold of the samples left out, fold by fold (jack-knife).
        seconds: time of the estimator, null and folds included.
        not_applicable: the reason when the estimator has nothing to say here.
    """

    model: str
    layer: str
    estimator: str
    value: float | None = None
    null_mean: float | None = None
    null_sd: float | None = None
    z: float | None = None
    folds: tuple[float, ...] = ()
    seconds: float = 0.0
    saturated: bool = False
    details: dict[str, float] = {}
    note: str = ""
    not_applicable: str = ""
    bounds: tuple[float, float] | None = None
