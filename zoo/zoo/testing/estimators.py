"""What transferability estimators promise, found out on made-up features.

``assert not check_estimator(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
Priors and combiners, which see no features, are in :mod:`zoo.testing.priors`.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.labels import as_matrix, groups, shuffled, stratified_folds
from zoo.testing import priors
from zoo.testing.given import problems_of
from zoo.testing.kit import Check, Kit, Trial
from zoo.testing.promises import BrokenPromiseError, NotTriedError, lacking, mismatch
from zoo.testing.scored import (
    answer,
    broken_answer,
    broken_score,
    far,
    held,
    read_only,
    written_over,
)
from zoo.testing.scoring_trials import degenerate, made_up
from zoo.types.protocols import Combiner, Estimator, ManyFolds, ManyLabels, Prior

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zoo.types.features import Features
    from zoo.types.score import Score
    from zoo.types.specs import EstimatorSpec

    Array = npt.NDArray[np.float64]


def check_estimator(spec: EstimatorSpec, method: object = None) -> list[str]:
    """Find out which promises an estimator, a prior or a combiner breaks.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise.
    """
    return problems_of("estimator", KIT, spec, method)


def _exercise(trial: Trial) -> dict[str, Any]:
    """Score made-up features of every task, their shuffles and their folds."""
    made, spec = trial.make(), trial.spec
    if not spec.reads_features:
        return {"entries": priors.exercise(spec, made)}
    found: dict[str, Any] = {}
    for task in spec.tasks:
        features = made_up(spec, task)
        found[task] = _scored(made, features)
        if isinstance(made, ManyLabels):
            found[f"{task}, labels"] = made.score_many(features, _shuffles(features))
        if isinstance(made, ManyFolds):
            found[f"{task}, folds"] = made.score_folds(features, _folds(features)[:1])
    return found


def _methods(trial: Trial) -> Iterator[str]:
    spec, made = trial.spec, trial.make()
    protocol: type = Prior if spec.data_free else Combiner if spec.combines else Estimator
    if missing := lacking(made, protocol):
        yield f"it {missing}"
        return
    optional = [each for each in (ManyLabels, ManyFolds) if isinstance(made, each)]
    for each in (protocol, *optional):
        for name, promised in vars(each).items():
            if name.startswith(("score", "combine")) and (
                wrong := mismatch(getattr(made, name), promised)
            ):
                yield f"it {wrong}"


def _score(trial: Trial) -> Iterator[str]:
    made, spec = trial.make(), trial.spec
    if not spec.reads_features:
        yield from priors.broken_scores(spec, made)
        return
    for task in spec.tasks:
        features = made_up(spec, task)
        said = answer(f"of ordinary {task}, score", made.score, features)
        if isinstance(said, NotApplicable):
            yield f"it claims {task}, and has nothing to say: {said.message.rstrip('.')}"
        elif wrong := broken_score(said):
            yield f"of ordinary {task}, score {wrong}"


def _finite(trial: Trial) -> Iterator[str]:
    made, spec = trial.make(), trial.spec
    if not spec.reads_features:
        yield from priors.broken_awkwardly(spec, made)
        return
    found: dict[str, str] = {}
    for task in spec.tasks:
        for what, features in degenerate(spec, task):
            said = f"of {task} with {what}, score"
            wrong = broken_answer(said, made.score, features)
            if wrong:
                found.setdefault(what, wrong)
    yield from found.values()


def _order_free(trial: Trial) -> Iterator[str]:
    made, spec = trial.make(), trial.spec
    if not spec.reads_features:
        yield from priors.broken_orders(made)
        return
    for task in spec.tasks:
        features = made_up(spec, task)
        value = _value(made, features)
        order = np.random.default_rng(5).permutation(len(features.labels))
        for what, other in (
            ("the samples", features.rows(order)),
            (_named(task), _renumbered(features)),
        ):
            if far(value, moved := _value(made, other)):
                yield f"of {task}, the order of {what} matters: {value:.6g} becomes {moved:.6g}"


def _named(task: str) -> str:
    names = {"classification": "class ids", "text": "text ids", "multi-label": "the label columns"}
    return names.get(task, "the targets")


def _renumbered(features: Features) -> Features:
    """Give classes and texts other ids, or labels and targets other columns."""
    if features.task not in {"classification", "text"}:
        columns = as_matrix(features.labels)[:, ::-1]
        return replace(features, labels=columns.copy(), _memo={})
    ids = np.roll(np.arange(int(features.labels.max()) + 1), 1)
    extras = dict(features.extras)
    if "class_embeddings" in extras:
        extras["class_embeddings"] = extras["class_embeddings"][np.argsort(ids)]
    return replace(features, labels=ids[features.labels], extras=extras, _memo={})


def _untouched(trial: Trial) -> Iterator[str]:
    made, spec = trial.make(), trial.spec
    if not spec.reads_features:
        yield from priors.broken_inputs(spec, made)
        return
    for task in spec.tasks:
        features = made_up(spec, task)
        sets, folds = _shuffles(features), _folds(features)[:1]
        before = held(features, sets, folds)
        _scored(made, features)
        if isinstance(made, ManyLabels):
            made.score_many(features, sets)
        if isinstance(made, ManyFolds):
            made.score_folds(features, folds)
        if changed := written_over(before, held(features, sets, folds)):
            yield f"of {task}, it changes {changed}"
        elif _writes(made, features):
            yield f"of {task}, it writes into what it is given"


def _writes(made: Any, features: Features) -> bool:
    """Whether it cannot do with arrays that nobody may write into."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # says torch
        try:
            _scored(made, read_only(features))
        except ValueError as error:
            return "read-only" in str(error)
    return False


def _many_labels(trial: Trial) -> Iterator[str]:
    """Score other labels with what was remembered of the features, and from scratch."""
    made, spec = trial.make(), trial.spec
    many = isinstance(made, ManyLabels)
    for task in spec.tasks:
        features = made_up(spec, task)
        sets = _shuffles(features)
        fresh = _values(made, [replace(features, labels=each, _memo={}) for each in sets])
        _scored(made, features)
        shared = _values(made, [features.with_labels(each) for each in sets])
        if _apart(shared, fresh):
            yield f"of {task}, what it remembers of the features hangs on their labels"
        if many and (wrong := _wrong("score_many", made.score_many(features, sets), fresh)):
            yield f"of {task}, {wrong}"


def _many_folds(trial: Trial) -> Iterator[str]:
    made, spec = trial.make(), trial.spec
    if not isinstance(made, ManyFolds):
        raise NotTriedError("it has no score_folds, and needs none")
    for task in spec.tasks:
        features = made_up(spec, task)
        folds = _folds(features)
        fresh = _values(made, [features.rows(~group) for group in folds])
        if wrong := _wrong("score_folds", made.score_folds(features, folds), fresh):
            yield f"of {task}, {wrong}"


def _wrong(method: str, found: Any, fresh: Array) -> str:
    if np.shape(found) != fresh.shape:
        return f"{method} gives the shape {np.shape(found)} for {len(fresh)} of them"
    given = np.asarray(found, dtype=np.float64)
    if _apart(given, fresh):
        worst = int(np.nan_to_num(np.abs(given - fresh), nan=np.inf).argmax())
        return f"{method} gives {given[worst]:.6g} where score gives {fresh[worst]:.6g}"
    return ""


def _higher(trial: Trial) -> Iterator[str]:
    """Compare features that tell the labels apart with the same ones under shuffled labels."""
    made, spec = trial.make(), trial.spec
    if not spec.reads_features:
        yield from priors.broken_directions(made)
        return
    for task in spec.tasks:
        features = made_up(spec, task, signal=3.0)
        value = _value(made, features)
        others = [replace(features, labels=each, _memo={}) for each in _shuffles(features)]
        null = float(np.mean(_values(made, others)))
        if far(value, null) and value < null:
            yield f"of {task}, labels that fit score {value:.4g}, and shuffled ones {null:.4g}"


def _sees_features(trial: Trial) -> bool:
    return bool(trial.spec.reads_features)


def _sees_several(trial: Trial) -> bool:
    """A prior sees one entry at a time."""
    return not trial.spec.data_free


def _compares(trial: Trial) -> bool:
    return bool(trial.spec.combines or (trial.spec.reads_features and trial.spec.reads("labels")))


def _shuffles(features: Features) -> list[npt.NDArray[Any]]:
    return shuffled(features.labels, 2, seed=1)


def _folds(features: Features) -> list[npt.NDArray[np.bool_]]:
    return groups(stratified_folds(features.labels, features.task, 4, seed=1))[:3]


def _scored(made: Any, features: Features) -> Score | str:
    """Score; where a method does not apply, its reason is its answer."""
    try:
        score: Score = made.score(features)
    except NotApplicable as error:
        return error.message
    return score


def _value(made: Any, features: Features) -> float:
    score = _scored(made, features)
    if isinstance(score, str):
        raise BrokenPromiseError(f"of {features.task} like others it has nothing to say: {score}")
    return float(score.value)


def _values(made: Any, several: list[Features]) -> Array:
    return np.array([_value(made, each) for each in several])


def _apart(found: Array, fresh: Array) -> bool:
    """Whether resamples differ by what matters beside how far they vary."""
    if not np.isfinite(found).all():
        return True
    close = 1e-2 * float(fresh.std()) + 1e-4 * float(np.abs(fresh).max(initial=0.0))
    return bool((np.abs(found - fresh) > close).any())


KIT = Kit(
    exercise=_exercise,
    checks=(
        Check("methods", "it has the methods of its kind, called as Zoo calls them", _methods),
        Check("score", "every task that it claims gets a score of plain numbers", _score),
        Check("finite", "awkward input gives a finite number or NotApplicable", _finite),
        Check(
            "order-free",
            "neither the order of samples nor the ids matter",
            _order_free,
            _sees_several,
        ),
        Check("untouched-input", "what it is given stays as it is", _untouched),
        Check(
            "many-labels", "other labels score as they would alone", _many_labels, _sees_features
        ),
        Check(
            "folds",
            "samples left out score as if they had never been there",
            _many_folds,
            _sees_features,
        ),
        Check("higher-is-better", "what fits scores above what does not", _higher, _compares),
    ),
)
