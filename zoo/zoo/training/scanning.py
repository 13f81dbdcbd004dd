"""Look at every input before anything is trained, and set aside what cannot be read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch.utils.data import Dataset

from zoo.errors import ZooError
from zoo.events import Event, Listener, ignore
from zoo.probes.decoding import UndecodableError, decode
from zoo.training.loading import make_loader, possible_workers
from zoo.types.probe import ImageInput

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Rows that are read with one request.
_CHUNK = 32

Skipped = tuple[str, str]


def scan(
    samples: Sequence[Any],
    on_event: Listener = ignore,
    *,
    names: Sequence[str] = (),
    workers: int | None = None,
) -> tuple[list[int], list[Skipped]]:
    """Find the inputs that can be read, decoding every image once.

    Args:
        samples: N :class:`zoo.types.ImageInput`, texts or pairs of texts; None for an empty row.
        on_event: hears ``prepare`` events.
        names: N words by which a person finds each; ``row 7`` where there are none.
        workers: processes; as many as there are cores to spare where it is None.

    Returns:
        The rows that are good, and (name, reason) of the others.
    """
    chunks = _Chunks(samples)
    if workers is None:
        workers = possible_workers("image") if _has_images(samples) else 0
    rows: list[int] = []
    skipped: list[Skipped] = []
    loader = make_loader(chunks, range(len(chunks)), _only, batch=1, workers=workers)
    row = 0
    for found in loader:
        for problem in found:
            if problem is None:
                rows.append(row)
            else:
                name, reason = problem
                skipped.append((name or (names[row] if names else f"row {row + 1}"), reason))
            row += 1
        on_event(Event(kind="prepare", done=row, total=len(samples)))
    return rows, skipped


class _Chunks(Dataset[list[Skipped | None]]):
    """Problems of consecutive rows: sequences that live in a file are read by slices."""

    def __init__(self, samples: Sequence[Any]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return math.ceil(len(self.samples) / _CHUNK)

    def __getitem__(self, number: int) -> list[Skipped | None]:
        return [_problem(each) for each in self.samples[number * _CHUNK : (number + 1) * _CHUNK]]


def _problem(sample: Any) -> Skipped | None:
    if sample is None:
        return "", "it is empty"
    if not isinstance(sample, ImageInput):
        return None
    try:
        decode(sample)
    except UndecodableError as error:
        return sample.name, error.reason
    except ZooError as error:
        return sample.name, error.message
    return None


def _has_images(samples: Sequence[Any]) -> bool:
    return any(isinstance(each, ImageInput) for each in samples[:_CHUNK])


def _only(items: Sequence[Any]) -> Any:
    (item,) = items
    return item
