"""Arrays that a person brings to ``zoo score`` -> :class:`zoo.types.Features`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from zoo.errors import InputError, unknown_name
from zoo.types.features import Features
from zoo.types.probe import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

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
    """Sort arrays by name: ``X``, ``y`` or ``Y``, ``logits`` or ``probs``; the rest are extras.

    Integer or text ``y`` are classes, other ``y`` are targets; ``Y`` of zeros and ones are
    labels, other ``Y`` are targets. What is absent becomes an array of width 0.

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
    per_sample = [name for name in ("X", "logits", "probs", "y", "Y") if name in arrays]
    if not {"X", "logits", "probs"} & set(per_sample):
        held = ", ".join(sorted(arrays)) or "nothing"
        raise InputError(f"{source} has no array X of features; it has {held}.", _RECIPE)
    samples = len(np.atleast_1d(arrays[per_sample[0]]))
    for name in per_sample:
        if len(np.atleast_1d(arrays[name])) != samples:
            raise InputError(
                f"{per_sample[0]} of {source} has {samples} rows, "
                f"but {name} has {len(np.atleast_1d(arrays[name]))}.",
                "Each row needs its label.",
            )
    labels, guess = _labels(arrays, task, source)
    return Features(
        model=source,
        values=_matrix(arrays, "X", samples, source),
        labels=np.zeros((samples, 0)) if labels is None else labels,
        task=guess,
        logits=_logits(arrays, samples, source),
        extras={name: array for name, array in arrays.items() if name not in {"X", "y", "Y"}},
    )


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
    if "logits" in arrays:
        return _matrix(arrays, "logits", samples, source)
    if "probs" not in arrays:
        return None
    probs = _matrix(arrays, "probs", samples, source).astype(np.float64)
    return np.log(np.maximum(probs, np.finfo(np.float64).tiny))


def _labels(
    arrays: Mapping[str, npt.NDArray[Any]], task: str | None, source: str
) -> tuple[npt.NDArray[Any] | None, Task]:
    names = [name for name in ("y", "Y") if name in arrays]
    if len(names) == 2:
        if task is None:
            raise InputError(
                f"{source} has both y and Y.", "--task classification takes y, the others take Y."
            )
        names = ["y"] if task == "classification" else ["Y"]
    if not names:
        return None, "classification"
    labels = arrays[names[0]]
    if labels.ndim == 2 and labels.shape[1] == 1 and names[0] == "y":
        labels = labels[:, 0]
    guess = _guess(labels) if task is None else task
    fits = labels.ndim == 1 if guess == "classification" else labels.ndim in {1, 2}
    kinds = "fiubUS" if guess == "classification" else "fiub"
    if not fits or labels.dtype.kind not in kinds:
        raise InputError(
            f"{names[0]} of {source} has the shape {labels.shape} of {labels.dtype}, "
            f"which does not fit {guess}.",
            "classification: y (N,); multi-label and regression: Y (N, T).",
        )
    if guess == "multi-label" and not np.isin(labels, (0, 1)).all():
        raise InputError(f"{names[0]} of {source} holds other values than 0 and 1: no multi-label.")
    known: Task = next(each for each in get_args(Task) if each == guess)
    return labels, known


def _guess(labels: npt.NDArray[Any]) -> Task:
    if labels.ndim == 2:
        return "multi-label" if np.isin(labels, (0, 1)).all() else "regression"
    whole = labels.dtype.kind != "f" or np.array_equal(labels, np.rint(labels))
    return "classification" if whole else "regression"
