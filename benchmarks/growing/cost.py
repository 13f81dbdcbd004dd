"""What growing a checkpoint costs: processor time beside loading and saving it, and memory.

Every checkpoint is measured in a process of its own, on one thread.
"""

from __future__ import annotations

import ctypes
import gc
import json
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from amalgamating.teachers import EMBEDDED
from distilling.timing import Live
from growing.arms import grow, open_small, plan
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

from zoo.errors import ZooError
from zoo.types.growing import Widen

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, ROUNDS = "2x", 3
_WARMING = "vit-digit-parity"


def checkpoints(data: Path, work: Path) -> Iterator[tuple[str, Path]]:
    """List real checkpoints, and a ViT-B of random weights, which is written where absent."""
    for folder in sorted((data / "zoo").iterdir()):
        if (folder / "config.json").exists():
            yield folder.name, folder
    folder = work / "vit-b"
    if not folder.exists():
        torch.manual_seed(0)
        ViTForImageClassification(ViTConfig(num_labels=1000)).save_pretrained(folder)
        ViTImageProcessorPil().save_pretrained(folder)
    yield "ViT-B, random weights", folder


def measure(name: str, folder: Path, home: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure one checkpoint in a new process.

    Returns:
        ``seconds`` of the processor, medians; ``times``: growing over loading and saving, and over
        loading and saving the larger one; ``peak``: bytes of the process above what it had before,
        over those of both networks; ``tensors``: the most that tensors hold while it grows, both
        networks included, over the same. Or ``why`` it cannot be grown.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(_measured, folder, home, rounds).result()
    return {"name": name, "growth": f"width {WIDTH}", **found}


def _measured(folder: Path, home: Path, rounds: int) -> dict[str, Any]:
    found = peak_of(folder, home)  # first: later, the process holds what it once held
    return found if "why" in found else {**found, **times_of(folder, home, rounds)}


def peak_of(folder: Path, home: Path) -> dict[str, Any]:
    """Load and grow once, and give the memory that it took."""
    torch.set_num_threads(1)
    warm = open_small(EMBEDDED / _WARMING, home, "image")
    grow(warm, plan(warm, [Widen(width=WIDTH)], 0), 0)
    del warm
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _resident("VmRSS")
    _forget_peak()
    try:
        small = open_small(folder, home, _kind(folder))
        drawing = plan(small, [Widen(width=WIDTH)], 0)
        larger = grow(small, drawing, 0).network
    except ZooError as error:
        return {"why": str(error)}
    peak = _resident("VmHWM") - before
    sizes = [_bytes(each.module) for each in (small, larger)]
    counts = [sum(p.numel() for p in each.module.parameters()) for each in (small, larger)]
    del larger
    with Live([*small.module.parameters(), *small.module.buffers()]) as live:
        grow(small, drawing, 0)
    return {
        "parameters": counts[0],
        "larger": counts[1],
        "bytes": sizes,
        "peak": peak / sum(sizes) if peak > 0 else None,
        "tensors": (sizes[0] + live.peak) / sum(sizes),
    }


def times_of(folder: Path, home: Path, rounds: int) -> dict[str, Any]:
    """Load, save, grow and save the larger network some times."""
    torch.set_num_threads(1)
    took: list[dict[str, float]] = []
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as place:
            one = _once(folder, home, Path(place))
        if number:  # the first one imports
            took.append(one)
    seconds = {name: statistics.median(each[name] for each in took) for name in took[0]}
    both = statistics.median(each["grow"] / (each["load"] + each["save"]) for each in took)
    larger = statistics.median(each["grow"] / (each["load"] + each["save larger"]) for each in took)
    return {"seconds": seconds, "times": both, "times larger": larger}


def _once(folder: Path, home: Path, place: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    moment = time.process_time()

    def lap(name: str) -> None:
        nonlocal moment
        found[name] = time.process_time() - moment
        moment = time.process_time()

    small = open_small(folder, home, _kind(folder))
    lap("load")
    small.save(place / "small")
    lap("save")
    larger = grow(small, plan(small, [Widen(width=WIDTH)], 0), 0)
    lap("grow")
    larger.network.save(place / "larger")
    lap("save larger")
    return found


def _kind(folder: Path) -> str:
    texts = ("tokenizer.json", "vocab.txt", "vocab.json")
    return "text" if any((folder / name).exists() for name in texts) else "image"


def _bytes(module: torch.nn.Module) -> int:
    return sum(each.nbytes for each in (*module.parameters(), *module.buffers()))


def _resident(field: str) -> int:
    """Read a line of what Linux says of this process, in bytes."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return 1024 * int(found[0]) if found else 0


def _forget_peak() -> None:
    """Let the peak begin at what is there now."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5")


def main(data: Path, work: Path, rounds: int) -> list[dict[str, Any]]:
    """Measure all checkpoints that have not been."""
    found = []
    for name, folder in checkpoints(data, work):
        answer = work / "runs" / f"cost-{folder.name}.json"
        if not answer.exists():
            print(f"{name}: growing", flush=True)
            answer.write_text(json.dumps(measure(name, folder, work / "home", rounds), indent=1))
        found.append(json.loads(answer.read_text()))
    return found
