"""Labels as the estimators need them: columns, shuffles and folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.types.features import Features
    from zoo.types.probe import Task

    Array = npt.NDArray[np.float64]
    Labels = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Classes:
    """Class labels, sorted out.

    Attributes:
        ids: (N,) 0..C-1 over the classes present.
        counts: (C,) samples of each.
        order: (N,) samples, class after class.
    """

    ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]

    @property
    def members(self) -> Iterator[npt.NDArray[np.int64]]:
        """The samples of each class in turn."""
        bounds = np.cumsum(self.counts)
        for start, end in zip(bounds - self.counts, bounds, strict=True):
            yield self.order[start:end]

    def indicators(self) -> Any:
        """One-versus-rest columns (N, C), sparse."""
        return _indicators([self.ids], len(self.counts))


def classes_of(labels: Labels) -> Classes:
    """Sort class labels (N,) out."""
    _, ids, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return Classes(ids=ids, counts=counts, order=np.argsort(ids, kind="stable"))


def embedding_table(features: Features) -> Array | None:
    """Give the vectors that stand for the distinct texts, (U, E); None where labels are no texts.

    It is the mean over the K label encoders.

    Raises:
        NotApplicable: the labels are texts, and nothing was embedded, or all of them alike.
        InputError: the embeddings are no numbers.
    """
    if features.task != "text":
        return None
    if "class_embeddings" not in features.extras:
        raise NotApplicable("needs embeddings of the label texts, which are not here.")
    table = np.asarray(features.extras["class_embeddings"], dtype=np.float64)
    if not np.isfinite(table).all():
        raise InputError("class_embeddings holds NaN or infinity.")
    mean: Array = table.reshape(*table.shape[:2], -1).mean(axis=2)
    if not varies(mean).any():
        raise NotApplicable("every label text has the same embedding.")
    return mean


def targets(features: Features) -> Array:
    """Turn labels into numeric columns (N, M): indicators, embeddings of texts, or the numbers.

    Columns that never vary are left out. Indicators of many classes are large: prefer
    :func:`label_sets` or ``Factorisation.left_classes`` for them.

    Raises:
        NotApplicable: the labels are texts, and nothing was embedded.
    """
    return label_columns(features.labels, features.task, embedding_table(features))


def label_columns(labels: Labels, task: Task, table: Array | None = None) -> Array:
    """Turn labels into numeric columns (N, M), without the columns that never vary.

    Classes become one-versus-rest indicators of the classes present and texts the rows of
    ``table`` (U, E); label and regression targets stay as they are.
    """
    if task == "classification":
        classes, ids = np.unique(labels, return_inverse=True)
        return np.eye(len(classes))[ids]
    columns = as_matrix(labels) if table is None else table[labels]
    return columns[:, varies(columns)]


def label_sets(
    features: Features, sets: Sequence[Labels], most: int = 4096
) -> Iterator[tuple[Any, int]]:
    """Give the columns of many label sets side by side, at most about ``most`` at a time.

    Yields:
        Columns (N, B * M), sparse for classes, and M.
    """
    table = embedding_table(features)
    # Shuffled sets all have the same columns.
    if features.task == "classification":
        width = len(np.unique(sets[0]))
    else:
        width = label_columns(sets[0], features.task, table).shape[1]
    step = max(1, most // max(1, width))
    for start in range(0, len(sets), step):
        yield stacked_columns(sets[start : start + step], features.task, table), width


def stacked_columns(sets: Sequence[Labels], task: Task, table: Array | None = None) -> Any:
    """Set the columns of B label sets side by side: (N, B * M), sparse for classes."""
    if task != "classification":
        return np.concatenate([label_columns(each, task, table) for each in sets], axis=1)
    ids = [np.unique(each, return_inverse=True)[1] for each in sets]
    return _indicators(ids, int(ids[0].max()) + 1)


def _indicators(ids: Sequence[npt.NDArray[np.int64]], classes: int) -> Any:
    from scipy.sparse import csr_array

    samples, sets = len(ids[0]), len(ids)
    columns = np.stack(ids, axis=1) + classes * np.arange(sets)
    entries = (np.ones(columns.size), columns.ravel(), np.arange(samples + 1) * sets)
    return csr_array(entries, shape=(samples, classes * sets))


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
    if not labels.size:
        result[shuffle] = np.arange(samples) % count
    elif task == "classification":
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
