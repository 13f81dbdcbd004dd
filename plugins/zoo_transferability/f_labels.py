"""F-labels: the label embeddings that EMMS explains, standardised, and the products it needs.

With few classes nothing of size N x E is ever formed: all K x K sums go through C x C matrices.
Otherwise the embeddings are expanded to samples, some dimensions at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.labels import as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]
    Ids = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

#: Entries of the largest expanded block.
BLOCK = 1 << 22
#: Beside the standard deviation, as the reference has it: constant dimensions become zero.
TINY = 1e-8


class Piece(Protocol):
    """Label columns (N, M), and how inner products of theirs add up to K x K.

    ``products`` of rows in the space of the columns are sums over the rows, so that those of
    several blocks of rows may be added and subtracted before they are contracted.
    """

    def columns(self) -> Any:
        """Give the columns, neither scaled nor necessarily centred; dense or sparse."""
        ...

    def gram(self) -> Array:
        """Give the K x K inner products of the standardised F-labels themselves."""
        ...

    def totals(self) -> Array:
        """Give the products of the centred columns."""
        ...

    def products(self, rows: Array) -> Array:
        """Give the products of any rows (R, M)."""
        ...

    def contract(self, products: Array) -> Array:
        """Turn products into the K x K inner products of the standardised F-labels."""
        ...

    def energies(self, rows: Array) -> Array:
        """Sum the squares of the standardised F-labels over every row, (R,)."""
        ...


class FLabels(Protocol):
    """K standardised label embeddings of N samples, each E wide."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, E and K."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """Give what together makes up all dimensions."""
        ...

    def only(self, kept: Mask) -> FLabels:
        """Keep some samples, and standardise over those; the pieces correspond."""
        ...

    def shuffles(self, labels: Sequence[npt.NDArray[Any]]) -> Iterator[FLabels]:
        """Give the F-labels of shuffled label arrays, one after the other."""
        ...


class Table:
    """Embeddings (C, E, K) of the classes, standardised with the class counts as weights."""

    def __init__(self, raw: npt.NDArray[Any], counts: Array) -> None:
        weights = counts / counts.sum()
        flat = np.asarray(raw, dtype=np.float64).reshape(len(raw), -1)
        centred = flat - weights @ flat
        self.flat: Array = centred / (np.sqrt(weights @ np.square(centred)) + TINY)
        self.encoders = raw.shape[2]

    @cached_property
    def kernels(self) -> dict[tuple[int, int], Array]:
        """Inner products (C, C) of the classes' embeddings, for every pair of encoders."""
        blocks = [self.flat[:, each :: self.encoders] for each in range(self.encoders)]
        return {
            (first, second): blocks[first] @ blocks[second].T
            for first in range(self.encoders)
            for second in range(first + 1)
        }

    @cached_property
    def spread(self) -> Array:
        """Sum of the encoders' own kernels, (C, C)."""
        return self.flat @ self.flat.T


@dataclass(eq=False)
class ByClass:
    """F-labels through the classes; their only piece is the class indicators."""

    ids: Ids
    raw: npt.NDArray[Any]
    table: Table
    #: What the labels call the classes.
    classes: npt.NDArray[Any]
    #: Kernels cost more than one contraction and less than many.
    kernels: bool = False

    @classmethod
    def of(cls, labels: npt.NDArray[Any], raw: npt.NDArray[Any]) -> ByClass:
        """Standardise a table, whose rows the labels name, for the samples there are."""
        return cls._of(labels, raw, np.arange(len(raw)))

    @classmethod
    def one_hot(cls, labels: npt.NDArray[Any]) -> ByClass:
        """Give every class present a dimension of its own."""
        classes, ids = np.unique(labels, return_inverse=True)
        return cls._of(ids, np.eye(len(classes))[:, :, None], classes)

    @classmethod
    def _of(cls, ids: Ids, raw: npt.NDArray[Any], classes: npt.NDArray[Any]) -> ByClass:
        return cls(ids, raw, Table(raw, _counts(ids, len(raw))), classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, E and K."""
        return len(self.ids), self.raw.shape[1], self.raw.shape[2]

    @property
    def all_present(self) -> bool:
        """Whether every class of the table has a sample."""
        return bool(_counts(self.ids, len(self.raw)).all())

    def pieces(self) -> Iterator[Piece]:
        """Give the one piece."""
        yield self

    def only(self, kept: Mask) -> ByClass:
        """Keep some samples."""
        return ByClass._of(self.ids[kept], self.raw, self.classes)

    def shuffles(self, labels: Sequence[npt.NDArray[Any]]) -> Iterator[ByClass]:
        """Share the table: shuffling changes no count."""
        for each in labels:
            ids = np.searchsorted(self.classes, each)
            yield ByClass(ids, self.raw, self.table, self.classes, kernels=True)

    def columns(self) -> Any:
        """Give the indicators (N, C), sparse."""
        from scipy.sparse import csr_array

        samples = len(self.ids)
        entries = (np.ones(samples), self.ids, np.arange(samples + 1))
        return csr_array(entries, shape=(samples, len(self.raw)))

    def gram(self) -> Array:
        """Weigh every class with its count."""
        counts = np.repeat(_counts(self.ids, len(self.raw)), self.raw.shape[1])
        rows = self.table.flat.reshape(-1, self.table.encoders)
        gram: Array = (rows * counts[:, None]).T @ rows
        return gram

    def totals(self) -> Array:
        """Give diag(n) - n n' / N."""
        counts = _counts(self.ids, len(self.raw))
        totals: Array = np.diag(counts) - np.outer(counts, counts / len(self.ids))
        return totals

    def products(self, rows: Array) -> Array:
        """Give a (C, C) matrix."""
        return rows.T @ rows

    def contract(self, products: Array) -> Array:
        """Weigh every pair of classes with the inner products of their embeddings."""
        encoders = self.table.encoders
        if not self.kernels:
            moved = (products @ self.table.flat).reshape(-1, encoders)
            found: Array = self.table.flat.reshape(-1, encoders).T @ moved
            return found
        result = np.empty((encoders, encoders))
        for (first, second), kernel in self.table.kernels.items():
            result[first, second] = result[second, first] = np.vdot(products, kernel)
        return result

    def energies(self, rows: Array) -> Array:
        """Sum squares over every row."""
        energies: Array = np.einsum("rc,rc->r", rows @ self.table.spread, rows)
        return energies


@dataclass(eq=False)
class BySample:
    """F-labels of each sample.

    Attributes:
        embeddings: (N, E, K), or with ids a table (U, E, K).
        ids: (N,) rows of the table.
        numeric: the embeddings are the labels themselves.
        step: dimensions to expand at a time; 0 takes what fits.
    """

    embeddings: npt.NDArray[Any]
    ids: Ids | None = None
    numeric: bool = False
    step: int = 0

    @classmethod
    def of_numbers(cls, labels: npt.NDArray[Any]) -> BySample:
        """Take columns of numbers as the one embedding."""
        return cls(as_matrix(labels)[:, :, None], numeric=True)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, E and K."""
        samples = len(self.embeddings if self.ids is None else self.ids)
        return samples, self.embeddings.shape[1], self.embeddings.shape[2]

    def pieces(self) -> Iterator[Piece]:
        """Expand some dimensions at a time."""
        for start in range(0, self.shape[1], self._step):
            block = self.embeddings[:, start : start + self._step]
            yield Block(np.asarray(block if self.ids is None else block[self.ids], dtype=float))

    def only(self, kept: Mask) -> BySample:
        """Keep some samples; the pieces stay the same dimensions."""
        if self.ids is None:
            return BySample(self.embeddings[kept], step=self._step)
        return BySample(self.embeddings, self.ids[kept], step=self._step)

    @property
    def _step(self) -> int:
        samples, _, encoders = self.shape
        return self.step or max(1, BLOCK // (samples * encoders))

    def shuffles(self, labels: Sequence[npt.NDArray[Any]]) -> Iterator[BySample]:
        """Shuffle ids as the labels were; embeddings without ids in an order of their own."""
        generator = np.random.default_rng([0, 1])
        for each in labels:
            if self.ids is not None:
                yield BySample(self.embeddings, each)
            elif self.numeric:
                yield BySample.of_numbers(each)
            else:
                yield BySample(self.embeddings[generator.permutation(len(self.embeddings))])


class Block:
    """Some dimensions of the F-labels of every sample, (N, e, K)."""

    def __init__(self, values: Array) -> None:
        self._values: Array = values - values.mean(axis=0)
        self._scale: Array = 1.0 / (values.std(axis=0) + TINY)

    def columns(self) -> Array:
        """Give the centred values, (N, e K)."""
        return self._values.reshape(len(self._values), -1)

    def gram(self) -> Array:
        """Contract the products of the columns."""
        return self.contract(self.totals())

    def totals(self) -> Array:
        """Give the products of the columns themselves."""
        return self.products(self.columns())

    def products(self, rows: Array) -> Array:
        """Give an (e, K, K) array."""
        by_dimension = rows.reshape(len(rows), *self._scale.shape).transpose(1, 2, 0)
        products: Array = by_dimension @ by_dimension.transpose(0, 2, 1)
        return products

    def contract(self, products: Array) -> Array:
        """Scale and add up the dimensions."""
        found: Array = np.einsum("ekl,ek,el->kl", products, self._scale, self._scale)
        return found

    def energies(self, rows: Array) -> Array:
        """Sum squares over every row."""
        energies: Array = np.square(rows) @ np.square(self._scale).ravel()
        return energies


def read_f_labels(features: Features, *, expand: bool) -> tuple[FLabels, str]:
    """Find the F-labels of some features; without any, the labels themselves.

    Args:
        features: with ``class_embeddings`` (C, E, K) or ``Z`` (N, E, K) among the extras, or not.
        expand: take more classes than the F-labels have columns by sample.

    Returns:
        The F-labels, and what a person should know of them.

    Raises:
        InputError: embeddings of the wrong shape, or that are no numbers.
        NotApplicable: there is nothing to explain.
    """
    labels, extras = features.labels, features.extras
    if features.task not in {"classification", "text"} and labels.size:
        return BySample.of_numbers(labels), ""
    if "class_embeddings" in extras and labels.size:
        table = _checked(
            extras["class_embeddings"], "class_embeddings", "(classes, width, encoders)"
        )
        if labels.min() < 0 or labels.max() >= len(table):
            raise InputError(
                f"class_embeddings has {len(table)} rows, and the labels reach from "
                f"{labels.min()!s} to {labels.max()!s}."
            )
        most = table.shape[1] * table.shape[2] if expand else features.values.shape[1]
        few = len(table) <= most
        return (ByClass.of(labels, table) if few else BySample(table, labels)), ""
    if "Z" in extras:
        embeddings = _checked(extras["Z"], "Z", "(samples, width, encoders)")
        if len(embeddings) != len(features.values):
            raise InputError(
                f"there are {len(features.values)} samples of features and {len(embeddings)} of Z."
            )
        return BySample(embeddings), ""
    if features.task == "text" or not labels.size:
        raise NotApplicable("needs labels, or embeddings of them: class_embeddings or Z.")
    return ByClass.one_hot(labels), "without label embeddings: all classes equally far apart"


def _counts(ids: Ids, classes: int) -> Array:
    return np.bincount(ids, minlength=classes).astype(np.float64)


def _checked(array: npt.NDArray[Any], name: str, shape: str) -> npt.NDArray[Any]:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or not array.size or array.dtype.kind not in "fiub":
        raise InputError(f"{name} must be numbers {shape}, and it is {array.shape} {array.dtype}.")
    if not np.isfinite(array).all():
        first = ", ".join(str(index) for index in np.argwhere(~np.isfinite(array))[0])
        broken = int((~np.isfinite(array)).sum())
        raise InputError(f"{broken} {name} are NaN or infinite; the first is at [{first}].")
    return array
