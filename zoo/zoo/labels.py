"""Labels as the estimators need them: columns, shuffles and folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.probe import Task

    Array = npt.NDArray[np.float64]
    Labels = npt.NDArray[Any]


def label_columns(labels: Labels, task: Task) -> Array:
    """Turn labels into numeric targets (N, M), without the columns that never vary.

    Classes become one-versus-rest indicators of the classes present; label and regression
    targets stay as they are.
    """
    if task == "classification":
        classes, ids = np.unique(labels, return_inverse=True)
        return np.eye(len(classes))[ids]
    columns = as_matrix(labels)
    return columns[:, varies(columns)]


def stacked_columns(label_sets: Sequence[Labels], task: Task) -> Any:
    """Set the columns of B label sets side by side: (N, B * M), sparse for classes."""
    if task != "classification":
        return np.concatenate([label_columns(each, task) for each in label_sets], axis=1)
    from scipy.sparse import csr_array

    ids = [np.unique(each, return_inverse=True)[1] for each in label_sets]
    samples, classes = len(ids[0]), int(ids[0].max()) + 1
    rows = np.concatenate([each + index * classes for index, each in enumerate(ids)])
    samples_of = np.tile(np.arange(samples), len(ids))
    entries = (np.ones(len(rows)), (rows, samples_of))
    return csr_array(entries, shape=(classes * len(ids), samples)).T


def as_matrix(labels: Labels) -> Array:
    """Give numeric labels as (N, T) float64."""
    return np.asarray(labels, dtype=np.float64).reshape(len(labels), -1)


def varies(columns: Array) -> npt.NDArray[np.bool_]:
    """Tell which columns hold more than one value, (M,)."""
    changes: npt.NDArray[np.bool_] = (columns != columns[:1]).any(axis=0)
    return changes


def shuffled(labels: Labels, count: int, seed: int) -> list[Labels]:
    """Shuffle the labels ``count`` times; equal for every model and layer of a run."""
    generator = np.random.default_rng([seed, 1])
    return [labels[generator.permutation(len(labels))] for _ in range(count)]


def stratified_folds(labels: Labels, task: Task, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Deal the samples into folds that resemble each other; equal for every model of a run.

    Classes are dealt one after the other; numeric targets in blocks of neighbours.

    Returns:
        (N,) fold of each sample; -1 for the only sample of a class, which always stays.
    """
    samples = len(labels)
    count = min(folds, samples // 2)
    result = np.full(samples, -1, dtype=np.int64)
    if count < 2:
        return result
    generator = np.random.default_rng([seed, 2])
    shuffle = generator.permutation(samples)
    if task == "classification":
        _, ids, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        order = shuffle[np.argsort(ids[shuffle], kind="stable")]
        order = order[sizes[ids[order]] > 1]
        result[order] = np.arange(len(order)) % count
    else:
        order = shuffle[np.lexsort(as_matrix(labels)[shuffle].T[::-1])]
        blocks = -(-samples // count)
        dealt = np.concatenate([generator.permutation(count) for _ in range(blocks)])
        result[order] = dealt[:samples]
    return result


def groups(folds: npt.NDArray[np.int64]) -> list[npt.NDArray[np.bool_]]:
    """Turn the folds into one (N,) bool mask each: the samples to leave out."""
    return [folds == fold for fold in range(int(folds.max(initial=-1)) + 1)]
