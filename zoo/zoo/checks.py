"""One policy for awkward input, applied before any estimator sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.labels import as_matrix, varies

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features


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


def _finite(features: Features, *, drop: bool) -> Features:
    broken = np.zeros(len(features.labels), dtype=bool)
    for name, array in _numeric_arrays(features):
        rows = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if rows.any() and not drop:
            first = np.argwhere(~np.isfinite(array))[0]
            where = ", ".join(str(index) for index in first)
            raise InputError(
                f"{int((~np.isfinite(array)).sum())} {name} are NaN or infinite; "
                f"the first is at [{where}].",
                "Leave those samples out of every model, or find where they come from.",
            )
        broken |= rows
    return features.rows(~broken) if broken.any() else features


def _numeric_arrays(features: Features) -> list[tuple[str, npt.NDArray[Any]]]:
    arrays = [("features", features.values), ("labels", features.labels)]
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
