"""Arrays that a person brings to ``zoo score`` -> :class:`zoo.types.Features`."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from zoo.errors import InputError, unknown_name
from zoo.types.features import Features
from zoo.types.probe import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

#: How the arrays of an attribution graph begin.
GRAPH_ARRAYS = ("feat.", "grad.")
_REFERENCES = ("reference", "X_reference", "ref", "X_ref")
_SORTED = {"X", "y", "Y", "logits", *_REFERENCES}
_RECIPE = "numpy.savez('features.npz', X=features, y=labels)"


def read_npz(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Read every array of an ``.npz``; never a pickle.

    Raises:
        InputError: no such file, damaged, or it holds Python objects.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"{str(path)!r} is not a file.", _RECIPE)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, zipfile.BadZipFile, ValueError, TypeError) as error:
        if "allow_pickle" in str(error) and zipfile.is_zipfile(path):
            raise InputError(
                f"{str(path)!r} holds Python objects, which can run code when they are read.",
                "Save plain arrays: numbers, or strings with dtype=str.",
            ) from error
        raise InputError(f"{str(path)!r} is no .npz file, or is damaged.", _RECIPE) from error


def features_of(
    arrays: Mapping[str, npt.NDArray[Any]], *, task: str | None = None, source: str = "the arrays"
) -> Features:
    """Sort arrays by name; what no name is known for goes on as an extra.

    ``X``, features; ``y`` or ``Y``, labels; ``logits`` or ``probs``, the source head;
    ``class_embeddings`` (C, E, K) or ``Z`` (N, E, K), label embeddings; ``reference``, the same
    samples through another model. Integer or text ``y`` are classes, other ``y`` are targets;
    ``Y`` of zeros and ones are labels, other ``Y`` are targets; ``Z`` without either makes every
    sample a text of its own. An attribution graph is ``feat.MODEL.LAYER`` (P, D) with
    ``grad.MODEL.LAYER`` and ``images`` (P, ...) of the same inputs through two models: it needs no
    ``X``. What is absent becomes an array of width 0.

    Args:
        arrays: name -> array.
        task: overrides the guess.
        source: names the arrays in messages.

    Raises:
        InputError: nothing to score, or shapes and types that make no sense.
    """
    if task is not None and task not in get_args(Task):
        raise unknown_name("task", task, get_args(Task))
    for name, array in arrays.items():
        if array.dtype == object:
            raise InputError(f"{name} of {source} holds Python objects, not numbers.", _RECIPE)
    samples = _count(arrays, source)
    extras = {name: array for name, array in arrays.items() if name not in _SORTED}
    labels, guess = _labels(arrays, task, source)
    if labels is None and "Z" in arrays and task in {None, "text"}:
        labels, guess = np.arange(samples), "text"
        extras["class_embeddings"] = extras["Z"]
    features = Features(
        model=source,
        values=_matrix(arrays, "X", samples, source),
        labels=np.zeros((samples, 0)) if labels is None else labels,
        task=guess,
        logits=_logits(arrays, samples, source),
        extras=extras,
    )
    name = next((name for name in _REFERENCES if name in arrays), "")
    if not name:
        return features
    return with_reference(features, {"X": arrays[name]}, source=f"{name} of {source}")


def with_reference(
    features: Features, arrays: Mapping[str, npt.NDArray[Any]], *, source: str
) -> Features:
    """Add what a reference model made of the same samples.

    Args:
        features: of the model to score.
        arrays: ``X`` (N, D) of the reference, and its ``attributions`` (N, G) where there are any.
        source: names them in messages.

    Raises:
        InputError: no ``X``, or of other samples.
    """
    if "X" not in arrays:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise InputError(f"the reference {source} has no array X; it has {held}.", _RECIPE)
    values = _matrix(arrays, "X", len(np.atleast_1d(arrays["X"])), source)
    if len(values) != len(features.values):
        raise InputError(
            f"{features.model} has {len(features.values)} rows, and the reference {source} has "
            f"{len(values)}.",
            "Both must be the same samples in the same order.",
        )
    extras = {name: arrays[name] for name in ("attributions",) if name in arrays}
    reference = Features(
        model=source, values=values, labels=features.labels, task=features.task, extras=extras
    )
    return replace(features, reference=reference)


def reference_beside(path: str | Path) -> Path | None:
    """Find ``ref_NAME.npz`` beside ``NAME.npz`` or ``cls_NAME.npz``."""
    path = Path(path).expanduser()
    names = dict.fromkeys((path.name, path.name.removeprefix("cls_")))
    found = (path.with_name(f"ref_{name}") for name in names)
    return next((each for each in found if each.is_file()), None)


def _count(arrays: Mapping[str, npt.NDArray[Any]], source: str) -> int:
    """Count the samples, after every array that has a row a sample was found to have as many."""
    graphs = [name for name in arrays if name.startswith(GRAPH_ARRAYS) and "X" not in arrays]
    known = ["X", "logits", "probs", *graphs, "y", "Y", "Z"]
    per_sample = [name for name in known if name in arrays]
    if not {"X", "logits", "probs", *graphs} & set(per_sample):
        held = ", ".join(sorted(arrays)) or "nothing"
        raise InputError(f"{source} has no array X of features; it has {held}.", _RECIPE)
    if graphs and "images" in arrays:
        per_sample.append("images")
    samples = len(np.atleast_1d(arrays[per_sample[0]]))
    for name in per_sample:
        if len(np.atleast_1d(arrays[name])) != samples:
            raise InputError(
                f"{per_sample[0]} of {source} has {samples} rows, "
                f"but {name} has {len(np.atleast_1d(arrays[name]))}.",
                "Each row needs its label." if name in {"y", "Y"} else "All are of one sample.",
            )
        if name in graphs and (arrays[name].ndim < 2 or arrays[name].dtype.kind not in "fiub"):
            raise InputError(
                f"{name} of {source} has the shape {arrays[name].shape} of {arrays[name].dtype}; "
                "it must be numbers, one row an input."
            )
    return samples


def _matrix(
    arrays: Mapping[str, npt.NDArray[Any]], name: str, samples: int, source: str
) -> npt.NDArray[Any]:
    array = arrays.get(name)
    if array is None:
        return np.zeros((samples, 0))
    if array.ndim != 2 or array.dtype.kind not in "fiub" or not array.size:
        raise InputError(
            f"{name} of {source} has the shape {array.shape} of {array.dtype}; "
            "it must be numbers, one row a sample.",
            _RECIPE,
        )
    return array


def _logits(
    arrays: Mapping[str, npt.NDArray[Any]], samples: int, source: str
) -> npt.NDArray[Any] | None:
    probs = None if "probs" not in arrays else _probabilities(arrays, samples, source)
    if "logits" in arrays:
        return _matrix(arrays, "logits", samples, source)
    return None if probs is None else np.log(np.maximum(probs, np.finfo(np.float64).tiny))


def _probabilities(
    arrays: Mapping[str, npt.NDArray[Any]], samples: int, source: str
) -> npt.NDArray[Any]:
    """Read ``probs``; rows with NaN are left to the checks that count them."""
    probs = _matrix(arrays, "probs", samples, source).astype(np.float64)
    if (probs < 0).any():
        row, column = np.argwhere(probs < 0)[0]
        raise InputError(
            f"probs of {source} is negative at [{row}, {column}]: no probability.",
            "Save outputs before the softmax as logits.",
        )
    sums = probs.sum(axis=1)
    wrong = np.isfinite(sums) & (np.abs(sums - 1) > 1e-2)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"row {row} of probs of {source} sums to {sums[row]:.4g}, not to 1.",
            "Save outputs before the softmax as logits.",
        )
    return probs


def _labels(
    arrays: Mapping[str, npt.NDArray[Any]], task: str | None, source: str
) -> tuple[npt.NDArray[Any] | None, Task]:
    names = [name for name in ("y", "Y") if name in arrays]
    if len(names) == 2:
        if task is None:
            raise InputError(
                f"{source} has both y and Y.", "--task classification takes y, the others take Y."
            )
        names = ["y"] if task in {"classification", "text"} else ["Y"]
    if not names:
        return None, _known(task or "classification")
    labels = arrays[names[0]]
    if labels.ndim == 2 and labels.shape[1] == 1 and names[0] == "y":
        labels = labels[:, 0]
    guess = _guess(labels) if task is None else task
    by_id = guess in {"classification", "text"}
    fits = labels.ndim == 1 if by_id else labels.ndim in {1, 2}
    kinds = "fiubUS" if by_id else "fiub"
    if not fits or labels.dtype.kind not in kinds:
        raise InputError(
            f"{names[0]} of {source} has the shape {labels.shape} of {labels.dtype}, "
            f"which does not fit {guess}.",
            "classification and text: y (N,); multi-label and regression: Y (N, T).",
        )
    if guess == "multi-label" and not np.isin(labels, (0, 1)).all():
        raise InputError(f"{names[0]} of {source} holds other values than 0 and 1: no multi-label.")
    return labels, _known(guess)


def _known(name: str) -> Task:
    task: Task = next(each for each in get_args(Task) if each == name)
    return task


def _guess(labels: npt.NDArray[Any]) -> Task:
    if labels.ndim == 2:
        return "multi-label" if np.isin(labels, (0, 1)).all() else "regression"
    whole = labels.dtype.kind != "f" or np.array_equal(labels, np.rint(labels))
    return "classification" if whole else "regression"
