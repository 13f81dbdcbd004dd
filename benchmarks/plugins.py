"""What installed plugins cost at start: help and the plan of a ranking with 0, 1, 10, 100 of them.

The plugins are real distributions of mixed kinds in a folder of their own, some with commands, one
of them broken. ``first`` is the run right after an installation, which asks the plugins for their
commands; afterwards help reads what was found.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNTS = (0, 1, 10, 100)
HELP_MS, DRY_MS = 300, 2000
_KINDS = (
    ("estimators", "EstimatorSpec", ""),
    ("reporters", "ReporterSpec", ""),
    ("commands", "CommandSpec", ""),
    ("amalgamators", "AmalgamatorSpec", ""),
    ("sources", "SourceSpec", ""),
    ("probes", "ProbeSpec", ""),
    ("distillers", "DistillerSpec", ""),
)
_MODULE = """
from zoo import hookimpl
from zoo.types import {spec}

@hookimpl
def zoo_{hook}():
    target = "zoo_bench_{number}_parts:Thing"
    return [{spec}(name="bench-{number}", target=target, summary="s"{more})]

@hookimpl
def zoo_score_recorded(record):
    pass
"""
_PARTS = """
class Thing:
    def claims(self, data):
        return False
    def score(self, features):
        return None
"""


def make_plugins(folder: Path, count: int) -> None:
    """Write so many distributions, as an installer would leave them; the last one is broken."""
    for number in range(count):
        hook, spec, more = _KINDS[number % len(_KINDS)]
        own = ", default=False" if spec == "EstimatorSpec" else more
        name = f"zoo_bench_{number}"
        text = _MODULE.format(hook=hook, spec=spec, number=number, more=own)
        if count > 1 and number == count - 1:
            text = "import a_module_that_nobody_has"
        (folder / f"{name}.py").write_text(text)
        (folder / f"{name}_parts.py").write_text(_PARTS)
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[zoo.v1]\nb{number} = {name}\n")


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU milliseconds of one run; 3 is the exit code beside a broken plugin."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in {0, 3}:
        raise SystemExit(done.stderr.decode())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000


def main() -> int:
    """Print the table; fail over a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    zoo = str(Path(sys.executable).with_name("zoo"))
    commands = {
        "zoo --help": [zoo, "--help"],
        "zoo recommend --demo --dry-run": [zoo, "recommend", "--demo", "--dry-run", "--json"],
    }
    print("| plugins | command | wall ms (first) | wall ms | CPU ms |")
    print("|--:|---|--:|--:|--:|")
    slow = False
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as temporary:
            site = Path(temporary) / "site"
            site.mkdir()
            make_plugins(site, count)
            environment = os.environ | {
                "PYTHONPATH": str(site),
                "ZOO_HOME": str(Path(temporary) / "home"),
                "ZOO_OFFLINE": "1",
            }
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            for name, command in commands.items():
                first, _ = measure(command, environment)
                measure(command, environment)  # byte-compiling left new folders behind
                runs = [measure(command, environment) for _ in range(repeats)]
                wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
                print(f"| {count} | `{name}` | {first:.0f} | {wall:.0f} | {cpu:.0f} |", flush=True)
                slow |= wall > (HELP_MS if name.endswith("help") else DRY_MS)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
