"""One policy for awkward input, applied before any estimator sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.labels import as_matrix, varies
from zoo.types.features import BY_SAMPLE

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features


#: Extras, by the beginnings of their names, of which no sample can be left out.
_WITHOUT_ROWS = ("class_embeddings", "feat.", "grad.")
#: The largest feature lies between these.
_SMALLEST, _LARGEST = 1e-50, 1e40
#: Tasks whose labels are ids.
CLASS_TASKS = frozenset({"classification", "text"})


def check_features(
    features: Features, *, on_nonfinite: Literal["raise", "drop"] = "raise"
) -> Features:
    """Refuse what cannot be scored and settle what can.

    Class ids become 0..C-1 over the classes present, with the original ids kept in
    ``extras["classes"]``. Label and target columns that never vary are dropped.

    Args:
        features: as they come.
        on_nonfinite: ``drop`` leaves out the samples with NaN or infinity; the caller must then
            leave them out for every other model too.

    Raises:
        InputError: shapes that do not fit, NaN or infinity.
        NotApplicable: too little to score: one class, one sample, constant targets, a dead layer.
    """
    _check_shapes(features)
    features = _finite(features, drop=on_nonfinite == "drop")
    if len(features.labels) < 2:
        raise NotApplicable(f"needs at least 2 samples, and there is {len(features.labels)}.")
    if features.labels.size:
        features = _settle_labels(features)
    if features.values.shape[1] and not features.values.any():
        raise NotApplicable("every activation of this layer is zero.")
    _check_range(features.values)
    return features


def _check_shapes(features: Features) -> None:
    values, labels = features.values, features.labels
    if values.ndim != 2:
        raise InputError(f"features must be (samples, width), and these are {values.shape}.")
    for name, array in (("features", values), ("labels", labels), ("logits", features.logits)):
        if array is not None and array.dtype == object:
            raise InputError(f"the {name} are Python objects, not numbers.")
    if len(labels) != len(values):
        raise InputError(f"there are {len(values)} samples of features and {len(labels)} labels.")
    if features.logits is not None and len(features.logits) != len(values):
        raise InputError(
            f"there are {len(values)} samples of features and {len(features.logits)} of logits."
        )
    if features.task in CLASS_TASKS and labels.ndim != 1 and labels.size:
        raise InputError(f"class labels must be (samples,), and these are {labels.shape}.")
    reference = features.reference
    if reference is not None and len(reference.values) != len(values):
        raise InputError(
            f"there are {len(values)} samples of features and {len(reference.values)} of the "
            "reference: both must be the same samples."
        )
    _check_extras(features)


def _check_extras(features: Features) -> None:
    samples = len(features.labels)
    for name in BY_SAMPLE & features.extras.keys():
        rows_there = len(features.extras[name])
        if rows_there != samples:
            raise InputError(f"there are {samples} samples and {rows_there} rows of {name}.")
    for name, rows in (("class_embeddings", "classes"), ("Z", "samples")):
        array = features.extras.get(name)
        if array is None:
            continue
        if array.ndim != 3 or not array.size or array.dtype.kind not in "fiub":
            raise InputError(
                f"{name} has the shape {array.shape} of {array.dtype}; it must be numbers, "
                f"({rows}, width, encoders)."
            )


def _finite(features: Features, *, drop: bool) -> Features:
    for name, array in features.extras.items():
        # Where every sample is a class of its own, its embedding can leave with it.
        own = array is features.extras.get("Z")
        if name.startswith(_WITHOUT_ROWS) and array.dtype.kind == "f" and not own:
            _require_finite(f"values of {name}", array)
    broken = np.zeros(len(features.labels), dtype=bool)
    for name, array in _rows_of_numbers(features):
        rows = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if rows.any() and not drop:
            _require_finite(name, array)
        broken |= rows
    return features.rows(~broken) if broken.any() else features


def _require_finite(name: str, array: npt.NDArray[Any]) -> None:
    broken = ~np.isfinite(array)
    if broken.any():
        where = ", ".join(str(index) for index in np.argwhere(broken)[0])
        raise InputError(
            f"{int(broken.sum())} {name} are NaN or infinite; the first is at [{where}].",
            "Leave those samples out of every model, or find where they come from.",
        )


def _check_range(values: npt.NDArray[Any]) -> None:
    """Refuse what no 32-bit number could hold, whose products leave the range of 64 bits."""
    if not values.size:
        return
    largest = max(float(values.max()), -float(values.min()))
    if not _SMALLEST < largest < _LARGEST:
        raise InputError(
            f"the largest feature is {largest:.1e}: products of such numbers have no room in 64 "
            "bits.",
            "Divide all features by one number.",
        )


def _rows_of_numbers(features: Features) -> list[tuple[str, npt.NDArray[Any]]]:
    """Arrays that have a row a sample, with the words for what they hold."""
    arrays = [("features", features.values), ("labels", features.labels)]
    # Logits may have been made of probabilities; samples without attributions have NaN there.
    named = sorted(BY_SAMPLE - {"attributions"})
    extras = [(f"values of {name}", features.extras.get(name)) for name in named]
    arrays += [(name, array) for name, array in extras if array is not None]
    if features.logits is not None:
        arrays.append(("logits", features.logits))
    if features.reference is not None:
        arrays.append(("reference features", features.reference.values))
    return [(name, array) for name, array in arrays if array.dtype.kind == "f"]


def _settle_labels(features: Features) -> Features:
    if features.task in CLASS_TASKS:
        classes, ids = np.unique(features.labels, return_inverse=True)
        if len(classes) < 2:
            what = "classes" if features.task == "classification" else "distinct label texts"
            raise NotApplicable(f"needs at least 2 {what}, and every label is {classes[0]!s}.")
        extras = _of_classes(features.extras, classes)
        if extras is features.extras and np.array_equal(ids, features.labels):
            return features
        return replace(features, labels=ids.astype(np.int64), extras={**extras, "classes": classes})
    columns = as_matrix(features.labels)
    kept = varies(columns)
    if not kept.any():
        what = "label" if features.task == "multi-label" else "target"
        raise NotApplicable(f"no {what} varies from sample to sample.")
    return features if kept.all() else features.with_labels(columns[:, kept])


def _of_classes(
    extras: dict[str, npt.NDArray[Any]], classes: npt.NDArray[Any]
) -> dict[str, npt.NDArray[Any]]:
    """Keep the embeddings of the classes that are present."""
    table = extras.get("class_embeddings")
    if table is None or np.array_equal(classes, np.arange(len(table))):
        return extras
    if classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() >= len(table):
        raise InputError(
            f"class_embeddings has {len(table)} rows, one a class id, and the labels reach from "
            f"{classes.min()!s} to {classes.max()!s}."
        )
    return {**extras, "class_embeddings": table[classes]}
