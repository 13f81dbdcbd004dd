"""Features that a person brings: ``.npz`` with ``X`` and ``y`` or ``Y``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from zoo.errors import InputError
from zoo.feature_files import read_npz
from zoo.probes import checks, label_texts
from zoo.probes.build import choose, finish, task_of
from zoo.probes.fingerprint import digest_rows
from zoo.probes.label_values import Labels
from zoo.probes.words import are, count, listed
from zoo.typed_paths import is_file, typed_path
from zoo.types.probe import Probe, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.protocols import ProbeOptions

_RECIPE = "numpy.savez(FILE, X=features, y=labels)"


class ArraysLoader:
    """``X`` (N, D) with ``y`` (N,) or ``Y`` (N, T); ``label_names`` if there are names."""

    def claims(self, data: str) -> bool:
        """Whether it is an ``.npz`` file."""
        path = typed_path(data)
        return path.suffix.lower() == ".npz" and is_file(path)

    def load(self, data: str, options: ProbeOptions) -> Probe:
        """Read features and labels."""
        if options.text or options.image or options.split:
            raise InputError(f"{data!r} holds features: it has no texts, images or splits.")
        arrays = read_npz(data)
        key = _label_key(arrays, options, data)
        features, found = _features(arrays, data), _labels(arrays, key, options, data)
        if len(features) != len(found.values):
            raise InputError(
                f"X of {data!r} has {count(len(features), 'row')}, but {key} has "
                f"{len(found.values)}.",
                "Each row of X needs one label.",
            )
        checks.check(found, data)
        index = choose(found, options)
        values, names = found.values[index], found.names
        if found.task == "text":
            sampled = label_texts.of_sample(replace(found, values=values))
            values, names = sampled.values, sampled.names
        probe = Probe(
            name=Path(data).stem,
            source=data,
            task=found.task,
            modality="features",
            inputs=cast("Sequence[Any]", features[index]),
            labels=values,
            label_names=names,
            fingerprint="",
            rows=len(features),
            seed=options.seed,
            columns={"features": "X", "label": key},
            notes=(*found.notes, *checks.thin_notes(found)),
        )
        return finish(probe, digest_rows(features[index]))


def _label_key(arrays: dict[str, Any], options: ProbeOptions, source: str) -> str:
    if "X" not in arrays:
        has = f"it has {listed(sorted(arrays))}" if arrays else "it is empty"
        raise InputError(f"{source!r} has no array X of features; {has}.", _RECIPE)
    if len(options.label) > 1:
        raise InputError(f"{source!r} takes one --label: the name of one array.")
    wanted = options.label or tuple(name for name in ("y", "Y") if name in arrays)
    if len(wanted) > 1:
        raise InputError(f"{source!r} has both y and Y.", "--label y or --label Y")
    if not wanted or wanted[0] not in arrays:
        name = wanted[0] if wanted else "y"
        raise InputError(
            f"{source!r} has no array {name!r} of labels; it has {listed(sorted(arrays))}.",
            _RECIPE,
        )
    return wanted[0]


def _features(arrays: dict[str, Any], source: str) -> npt.NDArray[Any]:
    features: npt.NDArray[Any] = arrays["X"]
    if features.ndim != 2 or features.dtype.kind not in "fiub" or not features.size:
        raise InputError(
            f"X of {source!r} has the shape {features.shape} of {features.dtype}; "
            "it must be numbers, one row a sample."
        )
    wrong = ~np.isfinite(features)
    if wrong.any():
        bad = int(wrong.sum())
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"X of {source!r} holds {count(bad, 'value')} that {are(bad)} NaN or infinite; "
            f"the first is X[{row}, {column}].",
            "Correct or drop those rows.",
        )
    return features


def _labels(arrays: dict[str, Any], key: str, options: ProbeOptions, source: str) -> Labels:
    values = arrays[key]
    task = task_of(options.task) or _recorded(arrays)
    if values.ndim == 2 and values.shape[1] == 1 and task != "multi-label":
        values = values[:, 0]
    if values.ndim not in {1, 2} or values.dtype.kind not in "fiubUS" or not values.size:
        raise InputError(f"{key} of {source!r} has the shape {values.shape} of {values.dtype}.")
    numbers = values.dtype.kind not in "US"
    if numbers and not np.isfinite(values).all():
        wrong = np.argwhere(~np.isfinite(values))
        raise InputError(
            f"{key} of {source!r} holds {count(len(wrong), 'label')} that {are(len(wrong))} NaN or "
            f"infinite; the first is {key}[{wrong[0][0]}]."
        )
    task = task or _guess(values, numbers=numbers)
    if (task in {"classification", "text"}) != (values.ndim == 1) and task != "regression":
        raise InputError(
            f"{key} of {source!r} has the shape {values.shape}, which does not fit {task}.",
            "classification and text: y (N,); multi-label and regression: Y (N, T).",
        )
    return _read(values, key, task, arrays, source, numbers=numbers)


def _recorded(arrays: dict[str, Any]) -> Task | None:
    """Read the task that ``zoo probes sample`` wrote."""
    said = str(arrays.get("task", ""))
    return cast("Task", said) if said in get_args(Task) else None


def _guess(values: npt.NDArray[Any], *, numbers: bool) -> Task:
    if values.ndim == 2:
        return "multi-label" if numbers and set(np.unique(values)) <= {0, 1} else "regression"
    whole = not numbers or np.array_equal(values, np.rint(values))
    return "classification" if whole else "regression"


def _read(
    values: npt.NDArray[Any],
    key: str,
    task: Task,
    arrays: dict[str, Any],
    source: str,
    *,
    numbers: bool,
) -> Labels:
    given = tuple(str(each) for each in np.ravel(arrays.get("label_names", ())))
    present = np.ones(len(values), dtype=bool)
    if task == "text":
        return _texts(values, key, given, source, numbers=numbers)
    if task == "classification":
        if numbers and given:
            ids, names = _ids(values, key, given, source), given
        else:
            distinct, ids = np.unique(values, return_inverse=True)
            names = tuple(_text(each) for each in distinct)
        return Labels(task=task, values=ids.astype(np.int64), names=names, present=present)
    if not numbers:
        raise InputError(f"{key} of {source!r} holds texts, which is no {task}.")
    if task == "multi-label" and not set(np.unique(values)) <= {0, 1}:
        raise InputError(f"{key} of {source!r} holds other values than 0 and 1: no multi-label.")
    width = 1 if values.ndim == 1 else values.shape[1]
    names = given if len(given) == width else tuple(f"{key}[{n}]" for n in range(width))
    names = (key,) if width == 1 and len(given) != 1 else names
    return Labels(task=task, values=values.astype(np.float64), names=names, present=present)


def _ids(
    values: npt.NDArray[Any], key: str, given: tuple[str, ...], source: str
) -> npt.NDArray[np.int64]:
    ids = values.astype(np.int64)
    if ids.min() < 0 or ids.max() >= len(given):
        raise InputError(f"{key} of {source!r} goes beyond its {len(given)} label_names.")
    return ids


def _texts(
    values: npt.NDArray[Any], key: str, given: tuple[str, ...], source: str, *, numbers: bool
) -> Labels:
    if numbers and not given:
        raise InputError(
            f"{key} of {source!r} holds numbers, and no label_names say which texts they are.",
            "numpy.savez(FILE, X=features, y=texts)",
        )
    if numbers:
        texts = [given[each] for each in _ids(values, key, given, source)]
    else:
        texts = [_text(each) for each in values]
    found = label_texts.numbered([label_texts.clean(each) for each in texts])
    if not found.present.all():
        row = int(np.flatnonzero(~found.present)[0])
        raise InputError(f"{key}[{row}] of {source!r} is an empty text.", "Drop those rows.")
    return found


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return f"{value:g}" if isinstance(value, np.floating) else str(value)
