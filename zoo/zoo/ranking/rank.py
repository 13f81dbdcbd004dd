"""Rows of a ranking from the score records of many models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from zoo.ranking.consensus import Contest, concordance, counts
from zoo.ranking.jackknife import interval
from zoo.ranking.prior import prior_agreement, rank_priors
from zoo.ranking.standing import Standing, stand
from zoo.ranking.warnings import Evidence, warnings_of
from zoo.types.protocols import Contestant
from zoo.types.ranking import EstimatorCell, Exclusion, LayerScore, PriorRow, RankingRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.model import ModelEntry
    from zoo.types.protocols import Combiner
    from zoo.types.score import Score, ScoreRecord

#: Below this many deviations above shuffled labels, a score is no signal.
SIGNAL = 3.0
#: A model is an estimator's choice when it is among so many of its best.
TOP = 3
#: Cells of a row beside those of the estimators that were measured.
PRIOR, COMBINED = "prior", "combined"


@dataclass(frozen=True, kw_only=True)
class ModelScores:
    """Everything measured on one model.

    Attributes:
        model: its reference.
        records: one a (layer, estimator), layers in the order of the forward pass.
        default_layer: the layer a new head would read; the last one when empty.
        entry: what the registry says of it.
        dimensions: layer -> width.
        seconds: forward passes and scoring.
        runtime: what opened it.
        device: where its forward passes ran.
    """

    model: str
    records: tuple[ScoreRecord, ...]
    default_layer: str = ""
    entry: ModelEntry | None = None
    dimensions: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    runtime: str = ""
    device: str = ""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The measured part of a :class:`zoo.types.Ranking`, under the same names.

    Attributes:
        unranked: models without one usable score, with the reason.
    """

    ranking: tuple[RankingRow, ...]
    prior: tuple[PriorRow, ...]
    agreement: float | None
    prior_agreement: float | None
    warnings: tuple[str, ...]
    unranked: tuple[Exclusion, ...]


@dataclass(frozen=True)
class _Choice:
    """One model, cut at the layer that was chosen."""

    scores: ModelScores
    layer: str
    records: Mapping[str, ScoreRecord]
    layers: tuple[LayerScore, ...]
    default: bool


def rank(
    models: Sequence[ModelScores],
    *,
    samples: int,
    classes: int | None = None,
    smallest_class: int | None = None,
    priors: Mapping[str, Score] | None = None,
    combiner: Combiner | None = None,
) -> Ranked:
    """Rank models by the soft Borda consensus of the estimators; see :mod:`zoo.ranking.consensus`.

    With a combiner the order goes by consensus and prior together; see
    :mod:`zoo.ranking.standing`. The order of ``models`` does not matter. Ties in the score go to
    the smaller model.

    Args:
        models: measured on the same samples, shuffles and folds.
        samples: size of the probe.
        classes: how many classes, for the warnings.
        smallest_class: samples of the rarest class, for the warnings.
        priors: model -> its data-free score.
        combiner: makes one score of consensus and prior, where it applies.
    """
    priors = priors or {}
    layered = [_by_layer(each) for each in models]
    usable = [any(map(_usable, layers.values())) for layers in layered]
    choices = [
        _choose(each, layers)
        for each, layers, use in zip(models, layered, usable, strict=True)
        if use
    ]
    choices.sort(key=lambda choice: choice.scores.model)
    estimators = _names([choice.records for choice in choices])
    contest = Contest.of([choice.records for choice in choices], estimators)
    standing = stand(contest, [_contestant(each, priors) for each in choices], combiner)
    rows = _with_priors(_rows(choices, contest, estimators, standing), priors)
    prior = rank_priors({row.model: priors[row.model] for row in rows if row.model in priors})
    agreement = concordance(contest.values)
    against = prior_agreement(rows, prior)
    evidence = Evidence(
        rows=rows,
        samples=samples,
        classes=classes,
        smallest_class=smallest_class,
        agreement=agreement,
        prior_agreement=against,
        prior_spread=prior[0].score - prior[-1].score if prior else 0.0,
        searched=sum(not choice.default for choice in choices),
    )
    return Ranked(
        ranking=rows,
        prior=prior,
        agreement=agreement,
        prior_agreement=against,
        warnings=warnings_of(evidence),
        unranked=tuple(
            Exclusion(model=each.model, reason=_why_not(each))
            for each, use in zip(models, usable, strict=True)
            if not use
        ),
    )


def _by_layer(scores: ModelScores) -> dict[str, dict[str, ScoreRecord]]:
    layers: dict[str, dict[str, ScoreRecord]] = {}
    for record in scores.records:
        layers.setdefault(record.layer, {})[record.estimator] = record
    return layers


def _usable(records: Mapping[str, ScoreRecord]) -> bool:
    return any(counts(record) for record in records.values())


def _names(candidates: Sequence[Mapping[str, ScoreRecord]]) -> list[str]:
    """List the estimators that count for at least one candidate, in order of appearance."""
    found = dict.fromkeys(
        name for records in candidates for name, record in records.items() if counts(record)
    )
    return list(found)


def choose_layer(scores: ModelScores) -> tuple[str, tuple[LayerScore, ...]] | None:
    """Pick the layer of one model to cut at, with the consensus of each; None without a score."""
    layers = _by_layer(scores)
    if not any(map(_usable, layers.values())):
        return None
    choice = _choose(scores, layers)
    return choice.layer, choice.layers


def _choose(scores: ModelScores, layers: dict[str, dict[str, ScoreRecord]]) -> _Choice:
    """Pick the layer to cut at: the best, unless the usual one is tied with it.

    The best of many layers is flattered by having been picked; a tie is no reason to move.
    """
    names = [name for name, records in layers.items() if _usable(records)]
    default = scores.default_layer if scores.default_layer in names else names[-1]
    if len(names) == 1:
        return _Choice(scores, default, layers[default], (), default=True)
    contest = Contest.of([layers[name] for name in names], _names([layers[n] for n in names]))
    best, usual = int(contest.scores.argmax()), names.index(default)
    chosen = usual if contest.tied()[best, usual] else best
    table = tuple(
        LayerScore(layer=name, score=float(score))
        for name, score in zip(names, contest.scores, strict=True)
    )
    layer = names[chosen]
    return _Choice(scores, layer, layers[layer], table, default=chosen == usual)


def _contestant(choice: _Choice, priors: Mapping[str, Score]) -> Contestant:
    return Contestant(
        entry=choice.scores.entry, prior=priors.get(choice.scores.model), records=choice.records
    )


def _rows(
    choices: Sequence[_Choice], contest: Contest, estimators: Sequence[str], standing: Standing
) -> tuple[RankingRow, ...]:
    if not choices:
        return ()
    scores, tied = standing.scores, standing.tied
    order = sorted(
        range(len(choices)), key=lambda index: _sort_key(float(scores[index]), choices[index])
    )
    places = {name: _places(contest.values[row]) for row, name in enumerate(estimators)}
    rows = []
    for place, index in enumerate(order):
        neighbours = [order[each] for each in (place - 1, place + 1) if 0 <= each < len(order)]
        ranks = {name: places[name][index] for name in estimators}
        row = replace(
            _row(choices[index], ranks),
            rank=place + 1,
            score=float(scores[index]),
            evidence=float(standing.evidence[index]),
            interval=standing.intervals[index],
            tied=any(tied[index, each] for each in neighbours),
            tied_with=tuple(choices[each].scores.model for each in order if tied[index, each]),
        )
        if standing.combined:
            cell = EstimatorCell(
                value=standing.combined[index].value,
                rank=row.rank,
                note=standing.combined[index].note,
            )
            row = replace(row, estimators={**row.estimators, COMBINED: cell})
        rows.append(row)
    return tuple(rows)


def _row(choice: _Choice, ranks: Mapping[str, int | None]) -> RankingRow:
    """Fill in what is known of a model without the others."""
    entry = choice.scores.entry
    return RankingRow(
        model=choice.scores.model,
        rank=0,
        score=0.0,
        interval=(0.0, 1.0),
        tied=False,
        layer=choice.layer,
        estimators={
            name: estimator_cell(record, ranks.get(name)) for name, record in choice.records.items()
        },
        parameters=entry.parameters if entry else None,
        bytes=entry.bytes if entry else None,
        license=entry.license if entry else None,
        architecture=entry.architecture if entry else None,
        seconds=choice.scores.seconds,
        agree=sum(each is not None and each <= TOP for each in ranks.values()),
        counted=sum(each is not None for each in ranks.values()),
        signal=_signal(choice.records),
        layers=choice.layers,
        dimension=choice.scores.dimensions.get(choice.layer),
        runtime=choice.scores.runtime,
        device=choice.scores.device,
    )


def _with_priors(rows: Sequence[RankingRow], priors: Mapping[str, Score]) -> tuple[RankingRow, ...]:
    """Add the prior's cell to the rows that have one."""
    ranked = rank_priors({row.model: priors[row.model] for row in rows if row.model in priors})
    cells = {
        each.model: EstimatorCell(value=each.score, rank=each.rank, note=each.reason)
        for each in ranked
    }
    return tuple(
        replace(row, estimators={**row.estimators, PRIOR: cells[row.model]})
        if row.model in cells
        else row
        for row in rows
    )


def _sort_key(score: float, choice: _Choice) -> tuple[float, float, str]:
    entry = choice.scores.entry
    size = entry.parameters if entry and entry.parameters else float("inf")
    return -round(score, 12), size, choice.scores.model


def _places(values: npt.NDArray[np.float64]) -> list[int | None]:
    """Rank one estimator's values, equal values sharing the better place."""
    return [
        None if np.isnan(value) else 1 + int(np.nansum(values > value)) for value in values.tolist()
    ]


def estimator_cell(record: ScoreRecord, place: int | None = None) -> EstimatorCell:
    """Give one record as a cell of a table, with its interval."""
    bounds = None
    if record.value is not None:
        bounds = interval(record.value, record.folds, bounds=record.bounds)
    return EstimatorCell(
        value=record.value,
        z=record.z,
        seconds=record.seconds,
        saturated=record.saturated,
        interval=bounds,
        rank=place,
        note=record.not_applicable or record.note,
    )


def _signal(records: Mapping[str, ScoreRecord]) -> bool:
    measured = [record.z for record in records.values() if counts(record) and record.z is not None]
    return not measured or max(measured) >= SIGNAL


def _why_not(scores: ModelScores) -> str:
    if not scores.records:
        return "it has no score"
    reasons = dict.fromkeys(
        record.not_applicable or f"{record.estimator} is saturated at this sample size and width"
        for record in scores.records
    )
    return "; ".join(reason.rstrip(".") for reason in reasons)
