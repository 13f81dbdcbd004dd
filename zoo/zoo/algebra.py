"""The large products and decompositions of scoring, in float64: by numpy, or on a GPU that is lent.

A worker that owns a GPU lends it (:func:`lent`) to what it scores. Only matrices that are large
enough for the copy to pay go there, through torch; without torch, without the device or without
room on it numpy does the work. Both compute in float64, so that results differ by rounding alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from zoo import sweeps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

T = TypeVar("T")

CPU = "cpu"
#: Smaller side of a matrix that is worth a copy: one core decomposes 1024 x 1024 in 0.4 s.
LEAST = 1024

_device: ContextVar[str] = ContextVar("device", default=CPU)


@contextmanager
def lent(device: str) -> Iterator[None]:
    """Let what is computed inside use a device; ``cpu`` is numpy, all else a name of torch's."""
    token = _device.set(device)
    try:
        yield
    finally:
        _device.reset(token)


def lends(size: int) -> bool:
    """Whether a matrix with a smaller side of ``size`` goes to a device."""
    return _device.get() != CPU and size >= LEAST


def gram(values: npt.NDArray[Any], mean: Array) -> Array:
    """Compute the Gram matrix on the smaller side: :func:`zoo.sweeps.gram_of`."""

    def on_device(torch: Any, device: str) -> Array:
        wide = values.shape[0] <= values.shape[1]
        rows = values.T if wide else values
        size = min(values.shape)
        total = torch.zeros((size, size), dtype=torch.float64, device=device)
        for block in _centred(rows, mean, by_row=wide):
            part = torch.from_numpy(block).to(device)
            total.addmm_(part.T, part)
        result: Array = np.asfortranarray(total.cpu().numpy())
        return result

    return _either(min(values.shape), on_device, lambda: sweeps.gram_of(values, mean))


def eigh(matrix: Array) -> tuple[Array, Array]:
    """Decompose a symmetric matrix: eigenvalues ascending, and its vectors as columns."""

    def on_device(torch: Any, device: str) -> tuple[Array, Array]:
        values, vectors = torch.linalg.eigh(torch.from_numpy(matrix).to(device))
        return values.cpu().numpy(), vectors.cpu().numpy()

    def on_processor() -> tuple[Array, Array]:
        from scipy.linalg import eigh as decompose

        values, vectors = decompose(
            matrix.copy(order="F"), driver="evd", overwrite_a=True, check_finite=False
        )
        return values, vectors

    return _either(len(matrix), on_device, on_processor)


def log_det(matrix: Array, scale: float) -> float:
    """Compute ln det(I + matrix / scale): :func:`zoo.sweeps.log_det`."""

    def on_device(torch: Any, device: str) -> float:
        shifted = torch.from_numpy(matrix).to(device) / scale
        shifted.diagonal().add_(1.0)
        return 2.0 * float(torch.linalg.cholesky(shifted).diagonal().log().sum())

    return _either(len(matrix), on_device, lambda: sweeps.log_det(matrix, scale))


def product(blocks: Callable[[], Iterable[Array]], right: Array) -> Array:
    """Multiply a tall matrix, which is given in blocks of rows, by another one."""

    def on_device(torch: Any, device: str) -> Array:
        factor = torch.from_numpy(right).to(device)
        parts = (torch.from_numpy(block).to(device) @ factor for block in blocks())
        return np.concatenate([part.cpu().numpy() for part in parts])

    return _either(
        min(right.shape), on_device, lambda: np.concatenate([each @ right for each in blocks()])
    )


def _centred(rows: npt.NDArray[Any], mean: Array, *, by_row: bool) -> Iterator[Array]:
    """Blocks of centred rows, in float64; ``by_row`` has one mean a row instead of a column."""
    step = max(1, sweeps.BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        which = slice(start, start + step)
        middle = mean[which, None] if by_row else mean
        yield np.subtract(rows[which], middle, dtype=np.float64, order="C")


def _either(size: int, on_device: Callable[[Any, str], T], on_processor: Callable[[], T]) -> T:
    if not lends(size):
        return on_processor()
    try:
        import torch
    except ImportError:
        return on_processor()
    try:
        return on_device(torch, _device.get())
    # No such device, no room on it, or a decomposition that it gives up on.
    except (RuntimeError, AssertionError):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return on_processor()
