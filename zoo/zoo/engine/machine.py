"""What this machine lends us: cores, memory, and whether it may have a GPU."""

from __future__ import annotations

import functools
import math
import os
import platform
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_GPU_NODES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def usable_cores() -> int:
    """Count the cores this process may use, within the container's share of time."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, _quota()))


def usable_memory() -> int:
    """Give the bytes that can be had without swapping, within the container's limit."""
    free = _available()
    limit = _number("memory.max")
    if limit is None:
        return free
    used = (_number("memory.current") or 0) - _reclaimable()
    return min(free, max(0, limit - used))


def may_have_gpu() -> bool:
    """Tell, without a framework, whether asking one for GPUs is worth its import."""
    if sys.platform == "darwin":
        return False
    return not sys.platform.startswith("linux") or any(Path(node).exists() for node in _GPU_NODES)


@functools.cache
def describe_machine() -> str:
    """Name what decides how fast a network runs here: processor, cores and GPUs."""
    gpus = sorted(
        line.partition(":")[2].strip()
        for path in Path("/proc/driver/nvidia/gpus").glob("*/information")
        for line in _lines(path)
        if line.startswith("Model")
    )
    models = (
        line.partition(":")[2].strip()
        for line in _lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    )
    processor = next(models, platform.processor() or platform.machine())
    return ", ".join([processor, f"{usable_cores()} cores", *gpus])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _quota() -> int:
    try:
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return sys.maxsize


def _available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 4 << 30


def _number(name: str) -> int | None:
    try:
        return int((_CGROUP / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _reclaimable() -> int:
    try:
        lines = (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        return int(dict(line.split() for line in lines).get("file", 0))
    except (OSError, ValueError):
        return 0
