"""Copies between this process's memory and a device, so that neither waits for the other.

A pass on a GPU is only queued when Python goes on. While it computes, the next part of the batch
is stacked and copied on a stream of its own, and the results come back in one copy a part. On a
CPU nothing is copied and a batch is one part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: Parts of a batch that overlap, and how many inputs make one worth a launch of every kernel.
_PARTS = 4
_LEAST_ROWS = 64


def parts(rows: Sequence[int], device: torch.device) -> list[list[int]]:
    """Cut the rows of a batch into what overlaps: parts of equal size, in order."""
    count = min(_PARTS, len(rows) // _LEAST_ROWS) if device.type == "cuda" else 1
    size = -(-len(rows) // max(1, count)) or 1
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


class Upload:
    """Brings tensors to a device, from pinned memory and beside what it computes."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        cuda = device.type == "cuda"
        self._stream: Any = torch.cuda.Stream(device) if cuda else None  # type: ignore[no-untyped-call]

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Queue the copy; what is queued after it sees the values."""
        if self._stream is None:
            return values.to(self._device)
        pinned = values.pin_memory()
        computing = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            moved = pinned.to(self._device, non_blocking=True)
        computing.wait_stream(self._stream)
        moved.record_stream(computing)  # its memory belongs to the other stream
        return moved


def download(pooled: Mapping[str, torch.Tensor]) -> Callable[[], dict[str, Array]]:
    """Queue one copy of all the taps of a pass to this process's memory.

    Args:
        pooled: name -> (B, D) on one device.

    Returns:
        What waits for the copy, and gives name -> (B, D) float32.
    """
    if all(values.device.type == "cpu" for values in pooled.values()):
        ready = {name: values.float().numpy() for name, values in pooled.items()}
        return lambda: ready
    joined = torch.cat([values.float() for values in pooled.values()], dim=1)
    names, widths = list(pooled), [values.shape[1] for values in pooled.values()]
    host = torch.empty(joined.shape, dtype=joined.dtype, pin_memory=True)
    host.copy_(joined, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(joined.device))

    def arrive() -> dict[str, Array]:
        copied.synchronize()
        columns = torch.split(host, widths, dim=1)
        return {name: part.numpy() for name, part in zip(names, columns, strict=True)}

    return arrive
