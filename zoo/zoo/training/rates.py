"""How fast this machine computes, by a second's trial of what networks are made of."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from zoo.building.cost import Rates

if TYPE_CHECKING:
    from collections.abc import Callable

_TRIES = 3


def measure_rates(device: str, threads: int) -> Rates:
    """Time convolutions, products, sums and the decoding of an image.

    Args:
        device: where networks will run.
        threads: compute threads that they will have.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads))
    try:
        with torch.no_grad():
            place = torch.device(device)
            return Rates(
                dense=_dense(place),
                grouped=_grouped(place),
                moved=_moved(place),
                image=_seconds(_read_image, torch.device("cpu")),
            )
    finally:
        torch.set_num_threads(before)


def _dense(device: torch.device) -> float:
    """Harmonic mean of a convolution and of a product, which take turns in most networks."""
    images = torch.ones(8, 64, 56, 56, device=device)
    kernel = torch.ones(64, 64, 3, 3, device=device)
    flops = 2.0 * images.numel() * 64 * 9
    seconds = _seconds(lambda: functional.conv2d(images, kernel, padding=1), device)
    tokens, weights = torch.ones(2048, 384, device=device), torch.ones(384, 1536, device=device)
    flops += 2.0 * 2048 * 384 * 1536
    return flops / (seconds + _seconds(lambda: tokens @ weights, device))


def _grouped(device: torch.device) -> float:
    images = torch.ones(8, 96, 56, 56, device=device)
    kernel = torch.ones(96, 1, 3, 3, device=device)
    work = 2.0 * images.numel() * 9
    return work / _seconds(lambda: functional.conv2d(images, kernel, padding=1, groups=96), device)


def _moved(device: torch.device) -> float:
    values = torch.ones(8 << 20, device=device)
    return 2 * values.nbytes / _seconds(lambda: functional.relu(values), device)


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """Best of a few, after one that does not count."""
    found = []
    for _ in range(_TRIES + 1):
        _wait(device)
        started = time.perf_counter()
        run()
        _wait(device)
        found.append(time.perf_counter() - started)
    return max(min(found[1:]), 1e-9)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _read_image() -> None:
    from PIL import Image

    if not _ENCODED:
        noise = torch.rand(375, 500, 3, generator=torch.Generator().manual_seed(0))
        buffer = io.BytesIO()
        Image.fromarray((noise * 255).byte().numpy()).save(buffer, "JPEG")
        _ENCODED.append(buffer.getvalue())
    image = Image.open(io.BytesIO(_ENCODED[0])).convert("RGB")
    image.resize((224, 224), Image.Resampling.BICUBIC)


_ENCODED: list[bytes] = []
