"""How long ``zoo --help`` takes: median of nine, byte-compiled, beside a bare interpreter."""

from __future__ import annotations

import compileall
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 9
LIMIT_MS = 200
ROOT = Path(__file__).resolve().parent.parent


def measure(command: list[str]) -> tuple[float, float]:
    """Median wall and CPU milliseconds of a command."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    wall, cpu = [], []
    for _ in range(REPEATS + 1):  # the first one warms the file cache up
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(wall[1:]) * 1000, statistics.median(cpu[1:]) * 1000


def main() -> int:
    """Print the figures; fail over the limit."""
    for package in ("zoo", "cli", "plugins"):
        compileall.compile_dir(ROOT / package, quiet=1)
    zoo = str(Path(sys.executable).with_name("zoo"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "zoo --help": [zoo, "--help"],
        "zoo recommend --help": [zoo, "recommend", "--help"],
        "zoo plugins list": [zoo, "plugins", "list"],
    }
    measured = {name: measure(command) for name, command in commands.items()}
    print(f"{'median of ' + str(REPEATS):<26}{'wall ms':>9}{'CPU ms':>9}")
    for name, (wall, cpu) in measured.items():
        print(f"{name:<26}{wall:>9.0f}{cpu:>9.0f}")
    return int(measured["zoo --help"][0] > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
