"""Mean and deviation of a stream of numbers, and the file that keeps them.

Batches are merged by the shifted formula of Chan, Golub and LeVeque (1979), so that a mean that is
large beside its deviation costs no digits.
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.errors import InputError
from zoo.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    Array = npt.NDArray[np.float64]

#: Share of the typical deviation below which a column counts as one that never moves.
_DEAD = 1e-3
#: Rounding of float32, as a share of the largest mean.
_NOISE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """What is needed to go on counting.

    Attributes:
        count: numbers a column.
        mean: (C,) float64.
        squares: (C,) sum of the squared distances from the mean.
    """

    count: int
    mean: Array
    squares: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """Where a column lies and how far it moves.

    Attributes:
        mean: (C,) float64.
        std: (C,) of the whole (not of a sample of it); never zero, see :func:`spread`.
    """

    mean: Array
    std: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statistics:
    """What the teachers' numbers look like over the data.

    Attributes:
        logits: of each teacher, one column a logit; None without a head.
        features: for each stage, of each teacher, one column a channel.
    """

    logits: tuple[Spread | None, ...]
    features: tuple[tuple[Spread, ...], ...] = ()

    def save(self, path: Path) -> None:
        """Write everything to one ``.npz``, whole or not at all."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "shape": np.array([len(self.logits), len(self.features)])
        }
        for teacher, each in enumerate(self.logits):
            arrays.update(_named(f"logits.{teacher}", each))
        for stage, spreads in enumerate(self.features):
            for teacher, each in enumerate(spreads):
                arrays.update(_named(f"features.{stage}.{teacher}", each))
        write_atomically(path, pack(arrays))

    @classmethod
    def load(cls, path: Path) -> Statistics:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: the file is something else, or damaged.
        """
        try:
            arrays = unpack(path.read_bytes())
            teachers, stages = arrays["shape"].tolist()
            return cls(
                logits=tuple(_spread(arrays, f"logits.{each}") for each in range(teachers)),
                features=tuple(
                    tuple(_present(arrays, f"features.{stage}.{each}") for each in range(teachers))
                    for stage in range(stages)
                ),
            )
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{path} does not hold the statistics of teachers: {error}", "remove it"
            ) from error


def moments(values: Tensor) -> Moments:
    """Count (B, C) or (B, C, H, W) in float64, one column a channel."""
    exact = values.detach().to(torch.float64, copy=True)
    exact = exact.reshape(*values.shape[:2], math.prod(values.shape[2:]))
    mean = exact.mean((0, 2))
    squares = exact.sub_(mean[:, None]).square_().sum((0, 2))
    count = exact.shape[0] * exact.shape[2]
    return Moments(count=count, mean=mean.cpu().numpy(), squares=squares.cpu().numpy())


def merged(first: Moments, second: Moments) -> Moments:
    """Count both together."""
    count = first.count + second.count
    if not first.count or not second.count:
        return first if first.count else second
    step = second.mean - first.mean
    mean = first.mean + step * (second.count / count)
    shift = np.square(step) * (first.count * second.count / count)
    return Moments(count=count, mean=mean, squares=first.squares + second.squares + shift)


def spread(total: Moments) -> Spread:
    """Turn counts into mean and deviation.

    A column that (almost) never moves would be blown up by its deviation: it gets at least a
    thousandth of the typical one, and one where all of them stand still.
    """
    std = np.sqrt(total.squares / max(total.count, 1))
    typical = float(np.sqrt(np.mean(np.square(std)))) if std.size else 0.0
    noise = _NOISE * float(np.abs(total.mean).max(initial=0.0))
    floor = max(_DEAD * typical, noise)
    return Spread(mean=total.mean, std=np.where(std > floor, std, floor if typical > noise else 1))


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Write arrays as the bytes of an ``.npz``."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Read what :func:`pack` wrote.

    Raises:
        ValueError: it is damaged, or would run code.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError, OSError, KeyError) as error:
        raise ValueError(str(error) or "it is cut short") from error


def _named(name: str, each: Spread | None) -> Iterable[tuple[str, Array]]:
    return () if each is None else ((f"{name}.mean", each.mean), (f"{name}.std", each.std))


def _spread(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Spread | None:
    return _present(arrays, name) if f"{name}.mean" in arrays else None


def _present(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Spread:
    return Spread(mean=arrays[f"{name}.mean"], std=arrays[f"{name}.std"])
