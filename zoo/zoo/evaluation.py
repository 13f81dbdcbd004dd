"""How well scores order models: against measured results, one data set or many."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from zoo.errors import InputError
from zoo.ranking.quality import average_ranks, null_weighted_taus, p_value, rank_quality
from zoo.score_tables import SETS, read_scores, read_truth, scores_of, short_name
from zoo.types.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.score_tables import Results, Scores

__all__ = ["Evaluation", "Missing", "Points", "Quality", "evaluate", "read_truth", "static_order"]

#: The order of the models by their results on the other data sets.
STATIC = "static"
MEASURES = ("weighted_tau", "p", "tau_b", "pearson", "rel@1", "rel@3", "regret@1", "regret@3")


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What one column of scores is worth; NaN (null in JSON) where a measure is undefined.

    Attributes:
        by: the column.
        set: the data set; empty where it has no name, and in a mean.
        models: how many were compared; in a mean, over all data sets.
        sets: how many data sets a mean is of.
        weighted_tau: Kendall's, mistakes at the top counting most.
        p: how often shuffled results reach this weighted tau.
        tau_b: Kendall's, corrected for ties.
        pearson: linear correlation.
        rel_1: best result of the first model over the best of all; ``rel@1`` in JSON.
        rel_3: the same with the best of the first three.
        regret_1: the best of all less that of the first, in units of the results.
        regret_3: the same with the best of the first three.
    """

    by: str
    set: str
    models: int
    sets: int = 1
    weighted_tau: float
    p: float
    tau_b: float
    pearson: float
    rel_1: float = msgspec.field(name="rel@1")
    rel_3: float = msgspec.field(name="rel@3")
    regret_1: float = msgspec.field(name="regret@1")
    regret_3: float = msgspec.field(name="regret@3")


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """The models behind one quality, for plots."""

    by: str
    set: str
    models: tuple[str, ...]
    scores: tuple[float, ...]
    results: tuple[float, ...]


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Models of one data set that only one side names."""

    set: str
    without_score: tuple[str, ...]
    without_result: tuple[str, ...]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Every column of scores against the results of every data set.

    Attributes:
        quality: one a data set and column, in this order.
        means: one a column over all data sets; empty with a single one.
        missing: data sets where a model has no score or no result.
        skipped: data sets with fewer than two models in common.
        seed: of the shuffles.
    """

    quality: tuple[Quality, ...]
    means: tuple[Quality, ...]
    points: tuple[Points, ...]
    missing: tuple[Missing, ...]
    skipped: tuple[str, ...] = ()
    seed: int = 0
    shuffles: int = 10_000
    schema_version: int = 1


def evaluate(
    scores: str | Path | Ranking | Mapping[str, Mapping[str, float]],
    truth: str | Path | Mapping[str, float] | None = None,
    *,
    where: Mapping[str, str] | None = None,
    seed: int = 0,
    shuffles: int = 10_000,
) -> Evaluation:
    """Measure how well scores order models whose results are known.

    Args:
        scores: a CSV or a ranking's JSON, a ranking, or column -> model -> score.
        truth: a CSV, or model -> result. Models are matched by their whole reference, else by its
            last part. None takes what a ranking knows of its own leaders, once fine-tuned.
        where: column -> value: rows of the truth file with another one are left out.
        seed: of the shuffles.
        shuffles: of the results for the p-value; all orders are tried where there are fewer.

    Raises:
        InputError: a file cannot be used, or no data set has two models in common.
    """
    given = read_scores(Path(scores)) if isinstance(scores, (str, Path)) else scores
    truth = _own_truth(given) if truth is None else truth
    results = _truth(truth, where) if isinstance(truth, (str, Path)) else {"": dict(truth)}
    if isinstance(given, Ranking):
        chosen = bool(where and set(where) & set(SETS))
        paired = _ranked_set(given, results, chosen=chosen)
    else:
        paired = _paired_sets(_scores(given), results)
    matched = {name: _match(columns, results[name]) for name, columns in paired.items()}
    points = [each for name in matched for each in _points(name, matched[name], results)]
    if not points:
        raise InputError(
            "fewer than two models have both a score and a result.",
            "The column 'model' names models as the ranking does: zoo runs show RUN -q",
        )
    nulls = [
        null_weighted_taus(each.scores, each.results, shuffles=shuffles, seed=seed)
        for each in points
    ]
    quality = [_quality(each, null, shuffles) for each, null in zip(points, nulls, strict=True)]
    return Evaluation(
        quality=tuple(quality),
        means=_means(quality, nulls, seed, shuffles),
        points=tuple(points),
        missing=tuple(_missing(name, paired[name], results[name]) for name in paired),
        skipped=tuple(name for name in paired if name not in {each.set for each in points}),
        seed=seed,
        shuffles=shuffles,
    )


def static_order(results: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Order models by their results on the other data sets: what one knows without any score.

    Args:
        results: data set -> model -> result.

    Returns:
        data set -> model -> mean rank on the others as a share; only models that have others.
    """
    shares = {
        name: dict(
            zip(
                models,
                (average_ranks(np.array(list(models.values()))) / len(models)).tolist(),
                strict=True,
            )
        )
        for name, models in results.items()
    }
    order: dict[str, dict[str, float]] = {}
    for name, models in results.items():
        order[name] = {}
        for model in models:
            others = [
                ranks[model] for other, ranks in shares.items() if other != name and model in ranks
            ]
            if others:
                # Rounded: equal means must tie, whatever the order of the sums.
                order[name][model] = round(float(np.mean(others)), 9)
    return order


def _truth(path: str | Path, where: Mapping[str, str] | None) -> Results:
    results = read_truth(Path(path), where)
    if not results:
        raise InputError(f"{path} holds no result.")
    return results


def _own_truth(given: Scores | Ranking | Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Take what the leaders of a ranking reached that were fine-tuned."""
    known = given.truth if isinstance(given, Ranking) else ()
    if len(known) < 2:
        found = "no results of their own" if not known else "a result of one model only"
        raise InputError(
            f"these scores have {found}: name TRUTH.csv.",
            "zoo recommend DATA --finetune-top 3 records results in its run.",
        )
    return {each.model: each.accuracy for each in known}


def _scores(given: Scores | Mapping[str, Mapping[str, float]]) -> Scores:
    """Bring what an API caller gave, column -> model -> score, to the form of a file."""
    first = next(iter(given.values()), {})
    nested = any(hasattr(value, "items") for value in first.values())
    return dict(given) if nested else {"": dict(given)}  # type: ignore[arg-type]


def _ranked_set(ranking: Ranking, results: Results, *, chosen: bool) -> Scores:
    """Find the data set of a ranking among those of the results."""
    ((name, columns),) = scores_of(ranking).items()
    if name in results:
        return {name: columns}
    (only,) = results if len(results) == 1 else (None,)
    if only is None or (only and not chosen):
        raise InputError(
            f"the ranking is of {name!r}; the results are of: {', '.join(results)}.",
            "Name the data set: --where set=NAME",
        )
    return {only: columns}


def _paired_sets(scores: Scores, results: Results) -> Scores:
    """Give each data set of the results its scores; scores without a data set are for all."""
    if set(scores) == {""}:
        return dict.fromkeys(results, scores[""])
    if set(results) == {""} and len(scores) == 1:
        return {"": next(iter(scores.values()))}
    shared = [name for name in results if name in scores]
    if not shared:
        raise InputError(
            f"the scores are of {', '.join(scores)}; "
            f"the results are of {', '.join(each or 'one unnamed data set' for each in results)}.",
            "Both need a column 'set' with the same names.",
        )
    return {name: scores[name] for name in shared}


def _match(
    columns: Mapping[str, Mapping[str, float]], results: Mapping[str, float]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Pair scores and results: column -> model as the results name it -> (score, result)."""
    names = {model for column in columns.values() for model in column}
    known = _names(names, results)
    return {
        by: {
            known[model]: (score, results[known[model]])
            for model, score in column.items()
            if model in known
        }
        for by, column in columns.items()
    }


def _names(scored: set[str], measured: Mapping[str, float]) -> dict[str, str]:
    """Find each scored model among the measured: by its reference, else by its last part."""
    found = {model: model for model in scored if model in measured}
    shorts: dict[str, list[str]] = {}
    for model in measured:
        shorts.setdefault(short_name(model), []).append(model)
    taken = {short_name(model) for model in found}
    left: dict[str, list[str]] = {}
    for model in sorted(scored - set(found)):
        left.setdefault(short_name(model), []).append(model)
    for short, models in left.items():
        if len(models) == 1 and len(shorts.get(short, ())) == 1 and short not in taken:
            found[models[0]] = shorts[short][0]
    return found


def _points(
    name: str, matched: Mapping[str, Mapping[str, tuple[float, float]]], results: Results
) -> list[Points]:
    """Collect what can be measured on one data set, the static order last."""
    columns = {by: dict(pairs) for by, pairs in matched.items()}
    if len(results) > 1:
        order = static_order(results)[name]
        models = dict.fromkeys(model for pairs in matched.values() for model in pairs)
        columns[STATIC] = {
            model: (order[model], results[name][model]) for model in models if model in order
        }
    found = []
    for by, pairs in columns.items():
        if len(pairs) > 1:
            # By name: neither ties nor shuffles may depend on the order of a file.
            ordered = dict(sorted(pairs.items()))
            scores, values = zip(*ordered.values(), strict=True)
            found.append(
                Points(by=by, set=name, models=tuple(ordered), scores=scores, results=values)
            )
    return found


def _quality(points: Points, null: npt.NDArray[np.float64], shuffles: int) -> Quality:
    measured = rank_quality(points.scores, points.results)
    exact = len(null) < shuffles or math.factorial(len(points.models)) == shuffles
    measured["p"] = p_value(measured["weighted_tau"], null, exact=exact)
    return _named(points.by, points.set, len(points.models), 1, measured)


def _named(by: str, name: str, models: int, sets: int, values: Mapping[str, float]) -> Quality:
    measures = {measure.replace("@", "_"): values[measure] for measure in MEASURES}
    return Quality(by=by, set=name, models=models, sets=sets, **measures)


def _means(
    quality: Sequence[Quality],
    nulls: Sequence[npt.NDArray[np.float64]],
    seed: int,
    shuffles: int,
) -> tuple[Quality, ...]:
    """Average each column over its data sets; undefined measures are left out."""
    if len({each.set for each in quality}) < 2:
        return ()
    means = []
    for by in dict.fromkeys(each.by for each in quality):
        mine = [(each, null) for each, null in zip(quality, nulls, strict=True) if each.by == by]
        rows = [each for each, _ in mine]
        values = {
            name: _mean([getattr(row, name.replace("@", "_")) for row in rows]) for name in MEASURES
        }
        random = np.random.default_rng(seed)
        drawn = [random.choice(null, shuffles) for _, null in mine if len(null)]
        null = np.mean(drawn, axis=0) if drawn else np.empty(0)
        values["p"] = p_value(values["weighted_tau"], null, exact=False)
        means.append(_named(by, "", sum(row.models for row in rows), len(rows), values))
    return tuple(means)


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


def _missing(
    name: str, columns: Mapping[str, Mapping[str, float]], results: Mapping[str, float]
) -> Missing:
    scored = {model for column in columns.values() for model in column}
    known = _names(scored, results)
    return Missing(
        set=name,
        without_score=tuple(sorted(set(results) - set(known.values()))),
        without_result=tuple(sorted(scored - set(known))),
    )
