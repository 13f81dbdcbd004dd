"""Made-up features that have something to say, and degenerate ones, for trials of estimators."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.checks import check_features
from zoo.errors import InputError, NotApplicable
from zoo.labels import as_matrix
from zoo.testing.promises import NotTriedError
from zoo.types.features import Features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from zoo.types.probe import Task
    from zoo.types.specs import EstimatorSpec

    Array = npt.NDArray[np.float64]
    Case = tuple[str, Callable[[], Features]]

#: What an estimator of features can be given.
_KNOWN = {"features", "labels", "logits", "label_embeddings", "attributions", "reference"}
#: Numbers behind each sample, of which everything else is made.
_LATENT = 4
_IDS = ("classification", "text")


def made_up(
    spec: EstimatorSpec,
    task: Task,
    *,
    samples: int = 42,
    width: int = 10,
    classes: int = 3,
    signal: float = 0.4,
    seed: int = 0,
) -> Features:
    """Make the features of one layer, with everything that a spec needs or wants.

    Each class or distinct text, and each sample of other tasks, has a point of its own; features,
    logits, maps, embeddings and targets are linear in it, with noise.

    Args:
        spec: says what is read.
        task: what the labels are.
        samples: N.
        width: D.
        classes: C of a classification; half of the samples are distinct texts.
        signal: how far the points are apart beside the noise of 1.
        seed: of what is drawn.

    Raises:
        NotTriedError: it needs something that estimators are not given.
    """
    if unknown := sorted(set(spec.needs) - _KNOWN):
        raise NotTriedError(f"it needs {unknown[0]}, which cannot be made up")
    draw = np.random.default_rng([seed, samples, width])
    units = {"classification": classes, "text": max(2, samples // 2)}.get(task, samples)
    points = draw.standard_normal((units, _LATENT))
    ids = draw.permutation(np.arange(samples) % units)
    features = Features(
        model="made-up",
        layer="last",
        task=task,
        values=_seen(draw, signal * points[ids], width).astype(np.float32),
        labels=ids if task in _IDS else _numbers(draw, points[ids], task),
    )
    return _with_more(spec, features, draw, signal * points, ids)


def degenerate(spec: EstimatorSpec, task: Task) -> Iterator[tuple[str, Features]]:
    """Give what is awkward and still reaches an estimator, each with a few words for it."""
    for what, make in (*_sizes(spec, task), *_changed(spec, task), *_lacking(spec, task)):
        try:
            yield what, check_features(make())
        except (InputError, NotApplicable):  # no estimator ever sees it
            continue


def _seen(draw: np.random.Generator, rows: Array, width: int) -> Array:
    return rows @ draw.standard_normal((_LATENT, width)) + draw.standard_normal((len(rows), width))


def _numbers(draw: np.random.Generator, rows: Array, task: Task) -> Array:
    if task == "multi-label":
        return (rows[:, :3] > 0).astype(np.float64)
    return rows[:, :2] + 0.1 * draw.standard_normal((len(rows), 2))


def _with_more(
    spec: EstimatorSpec,
    features: Features,
    draw: np.random.Generator,
    points: Array,
    ids: npt.NDArray[np.int64],
) -> Features:
    rows, task = points[ids], features.task
    extras: dict[str, npt.NDArray[Any]] = {}
    if task == "text" or (spec.reads("label_embeddings") and task == "classification"):
        extras["class_embeddings"] = _embeddings(draw, points)
        extras["label_encoders"] = np.array(["first", "second"])
    elif "label_embeddings" in spec.needs:
        extras["Z"] = _embeddings(draw, points[ids])
    if spec.reads("attributions"):
        extras["attributions"] = _maps(draw, rows)
    reference = None
    if spec.reads("reference"):
        other = {"attributions": _maps(draw, rows)} if spec.reads("attributions") else {}
        values = _seen(draw, rows, 7).astype(np.float32)
        reference = replace(features, model="other", values=values, extras=other, _memo={})
    logits = _seen(draw, rows, 5) if spec.reads("logits") else None
    return replace(features, extras=extras, reference=reference, logits=logits, _memo={})


def _embeddings(draw: np.random.Generator, points: Array) -> Array:
    return np.stack([_seen(draw, points, 6) for _ in range(2)], axis=2)


def _maps(draw: np.random.Generator, rows: Array) -> npt.NDArray[np.float32]:
    maps = np.abs(_seen(draw, rows, 9)).astype(np.float32)
    maps[::5] = np.nan  # samples that were not attributed
    return maps


def _sizes(spec: EstimatorSpec, task: Task) -> list[Case]:
    def of(**sizes: int) -> Callable[[], Features]:
        return lambda: made_up(spec, task, **sizes)

    cases = [
        ("two samples", of(samples=2, classes=2)),
        ("three samples", of(samples=3, classes=2)),
        ("five samples", of(samples=5, classes=2)),
        ("fewer samples than features", of(samples=12, width=30)),
        ("one feature", of(width=1)),
    ]
    if task == "classification":
        cases += [
            ("two classes", of(classes=2)),
            ("a class for every sample", of(classes=42)),
            ("a class of one sample", lambda: _lonely(of(classes=4)())),
        ]
    return cases


def _lonely(features: Features) -> Features:
    """Leave one sample of the last class; the others join the first."""
    labels = features.labels.copy()
    labels[np.flatnonzero(labels == labels.max())[1:]] = 0
    return features.with_labels(labels)


def _changed(spec: EstimatorSpec, task: Task) -> list[Case]:
    """Change the values of ordinary features."""

    def to(change: Callable[[Any], Any]) -> Callable[[], Features]:
        def make() -> Features:
            features = made_up(spec, task)
            return replace(features, values=change(features.values), _memo={})

        return make

    def twice() -> Features:
        return made_up(spec, task).rows(np.repeat(np.arange(21), 2))

    cases = [
        ("every other feature constant", to(lambda x: np.where(np.arange(10) % 2, x, 3))),
        ("features that are all one number", to(np.ones_like)),
        ("two samples of the same features", lambda: _alike(made_up(spec, task, samples=2))),
        ("samples that are all alike but one", to(lambda x: np.where(_first(x), x, x[1]))),
        ("every sample there twice", twice),
        ("one sample a million times as large", to(lambda x: np.where(_first(x), 1e6 * x, x))),
        ("features around 1e15", to(lambda x: 1e15 * x)),
        ("features around 1e-15", to(lambda x: 1e-15 * x)),
        ("features far from zero", to(lambda x: x.astype(np.float64) + 1e6)),
        ("features in half precision", to(lambda x: (300 * x).astype(np.float16))),
        ("features that are whole numbers", to(lambda x: np.rint(2 * x).astype(np.int64))),
    ]
    if task == "regression":
        cases.append(("one target, as a vector", lambda: _one_target(made_up(spec, task))))
    return cases


def _first(values: Any) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.arange(len(values))[:, None] == 0
    return found


def _alike(features: Features) -> Features:
    return replace(features, values=np.ones_like(features.values), _memo={})


def _one_target(features: Features) -> Features:
    return features.with_labels(as_matrix(features.labels)[:, 0])


def _lacking(spec: EstimatorSpec, task: Task) -> Iterator[Case]:
    """Leave out what is only wanted, and make the rest say nothing."""

    def to(**fields: Any) -> Callable[[], Features]:
        return lambda: replace(made_up(spec, task), **fields, _memo={})

    plain = made_up(spec, task)
    if "labels" not in spec.needs and task != "text":
        yield "no labels", to(labels=np.zeros((len(plain.values), 0)))
    if "features" not in spec.needs:
        yield "no features", to(values=np.zeros((len(plain.values), 0)))
    if plain.reference is not None:
        yield "a reference that is the model itself", to(reference=plain)
        flat = replace(plain.reference, values=np.ones((len(plain.values), 3)), _memo={})
        yield "a reference whose features are all one number", to(reference=flat)
        if "reference" not in spec.needs:
            yield "no reference", to(reference=None)
    if plain.logits is not None:
        yield "logits that are all zero", to(logits=np.zeros_like(plain.logits))
        yield "one logit", to(logits=plain.logits[:, :1])
        if "logits" not in spec.needs:
            yield "no logits", to(logits=None)
    for name, array in plain.extras.items():
        left = {key: each for key, each in plain.extras.items() if key != name}
        if name == "attributions":
            yield "no sample attributed", to(extras={**left, name: np.full_like(array, np.nan)})
        if name in {"class_embeddings", "Z"}:
            yield "embeddings that are all alike", to(extras={**left, name: np.ones_like(array)})
        need = "attributions" if name == "attributions" else "label_embeddings"
        if name == "label_encoders" or (need not in spec.needs and task != "text"):
            yield f"no {name}", to(extras=left)
