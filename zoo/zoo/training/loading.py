"""Processes that read ahead, where they are worth it."""

from __future__ import annotations

import atexit
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from zoo.engine.machine import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.utils.data import Dataset, Sampler

_MOST_WORKERS = 8
_AHEAD = 2
# Below this, handing a batch from process to process costs as much as making it.
_CHEAP_SECONDS = 0.004
_TRIED = 8


def possible_workers(modality: str) -> int:
    """Count the processes that may read ahead: none for texts, nor where there is no core to spare.

    They are forked, so that samples and readers need not be sent; only Linux does that safely.
    """
    if modality != "image" or not sys.platform.startswith("linux"):
        return 0
    return min(_MOST_WORKERS, usable_cores() - 1)


def choose_workers(
    data: Dataset[Any], collate: Callable[[Sequence[Any]], Any], first: Sequence[int], modality: str
) -> int:
    """Count the processes to start, by what the first batch costs and weighs.

    Args:
        data: the samples.
        collate: makes a batch of some.
        first: indices of the first batch.
        modality: of the samples.
    """
    workers = possible_workers(modality)
    if not workers:
        return 0
    tried = first[:_TRIED]
    collate([data[tried[0]]])  # the first one also pays for imports
    started = time.perf_counter()
    batch = collate([data[index] for index in tried])
    seconds = (time.perf_counter() - started) * len(first) / len(tried)
    weight = _bytes(batch) * len(first) // len(tried)
    if seconds < _CHEAP_SECONDS:
        return 0
    room = _shared_memory() // max(1, 2 * _AHEAD * weight)
    return max(0, min(workers, room))


def make_loader(
    data: Dataset[Any],
    order: Sequence[int] | Sampler[int],
    collate: Callable[[Sequence[Any]], Any],
    *,
    batch: int,
    workers: int,
    pinned: bool = False,
) -> DataLoader[Any]:
    """Make a loader whose batches are the same for any number of workers.

    It is read once: its workers end with the iteration, also with one that is broken off.
    """
    ahead: dict[str, Any] = {}
    if workers:
        atexit.register(_end_in_silence)
        ahead = {
            "prefetch_factor": _AHEAD,
            "multiprocessing_context": "fork",
            "worker_init_fn": _leave_signals_to_the_loop,
        }
    return DataLoader(
        data,
        batch_size=batch,
        sampler=order,
        collate_fn=collate,
        num_workers=workers,
        pin_memory=pinned,
        generator=torch.Generator(),  # its own: nothing that is drawn elsewhere moves
        **ahead,
    )


def _leave_signals_to_the_loop(worker: int) -> None:
    # Ctrl-C reaches every process of the terminal; the loop finishes its step and needs its batch.
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_in_silence() -> None:
    # Workers that somebody's traceback still holds are terminated at the exit of the process, and
    # torch would report that as their crash. Its handler listens to SIGCHLD.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _bytes(batch: Any) -> int:
    if isinstance(batch, dict):
        return sum(map(_bytes, batch.values()))
    return int(batch.nbytes) if isinstance(batch, torch.Tensor | np.ndarray) else 0


def _shared_memory() -> int:
    """Count the bytes that batches may take on their way; containers often have only 64 MB."""
    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108 -- where torch puts them
    except OSError:
        return sys.maxsize
