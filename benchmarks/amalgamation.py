"""Two and four teachers into one smaller student, three seeds: teachers, ensemble, KD, CFL, gated.

    python benchmarks/amalgamation.py --data ../shared/data --work /tmp/amalgamation

Every run is one ``zoo amalgamate`` in a process of its own. It trains two students from one start,
``cfl`` and ``kd``, so that each gives two rows of the table. Called again, it skips what is
finished and goes on with what was interrupted. No student sees a label; the labelled images only
judge.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amalgamating.summary import summarise, write
from amalgamating.teachers import EMBEDDED, SETTINGS, prepare

STUDENT = EMBEDDED / "mobilenet-v1-shapes"
TARGETS = ("standardised", "gated")
#: Teachers -> passes over how many images (0 takes all) in how many fixed views.
SIZES = {2: (15, 2000, 2), 4: (8, 0, 1)}
#: What is kept of a plan.
_PLANNED = ("estimates", "grid", "extras", "outputs", "steps", "weights", "cache")
#: One thread a process, and no network.
_QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        teachers: how many.
        targets: ``--targets``; empty leaves it to the preset.
        epochs: ``--epochs``.
        samples: ``--samples``.
        views: ``--views``.
    """

    teachers: int
    targets: str
    seed: int
    epochs: float
    samples: int = 0
    views: int = 2
    preset: str = "quick"

    @property
    def name(self) -> str:
        """What its files are called."""
        size = f"{self.epochs:g}x{self.samples or 'all'}"
        return f"{self.teachers}-{self.preset}-{self.targets or 'own'}-{size}-{self.seed}"

    def command(self, work: Path, out: Path) -> list[str]:
        """Give the arguments of ``zoo``."""
        teachers = [
            word
            for task in SETTINGS[self.teachers]
            for word in ("--teacher", f"{task.alias}={work / 'teachers' / task.alias}")
        ]
        data = work / f"data-{self.teachers}"
        words = ["amalgamate", *teachers, "--student", str(STUDENT)]
        words += ["--data", str(data / "unlabelled"), "--eval", str(data / "labelled")]
        words += ["--labels", "separate", "--preset", self.preset, "--epochs", f"{self.epochs:g}"]
        words += [
            "--samples",
            str(self.samples),
            "--views",
            str(self.views),
            "--seed",
            str(self.seed),
        ]
        words += ["-o", str(out)]
        return words + (["--targets", self.targets] if self.targets else [])


def carry_out(run: Run, work: Path) -> dict[str, Any]:
    """Do a run, go on with it, or read what it gave."""
    out, answer = work / "runs" / run.name, work / "runs" / f"{run.name}.json"
    if not (answer.exists() and (out / "metrics.json").exists()):
        if run.seed == 0 and not out.exists():  # the others cost the same
            plan = zoo(work, [*run.command(work, out), "--dry-run"])
            (work / "runs" / f"{run.name}.plan.json").write_text(json.dumps(plan, indent=1))
        if out.exists() and not (out / "training").exists():
            shutil.rmtree(out)
        words = ["resume", str(out)] if out.exists() else run.command(work, out)
        print(f"{run.name}: {words[0]}", flush=True)
        answer.write_text(json.dumps(zoo(work, words), indent=1))
    found: dict[str, Any] = json.loads(answer.read_text())
    plan_file = work / "runs" / f"{run.name}.plan.json"
    plan = json.loads(plan_file.read_text()) if plan_file.exists() else {}
    metrics = json.loads((out / "metrics.json").read_text())
    print(f"{run.name}: {found['seconds']:.0f} s", flush=True)
    return {
        "run": run.name,
        "teachers": run.teachers,
        "preset": run.preset,
        "targets": run.targets or "concat",
        "seed": run.seed,
        "epochs": run.epochs,
        "parameters": found["parameters"],
        "seconds": found["seconds"],
        "peak_bytes": found["peak_bytes"],
        "notes": found["notes"],
        "samples": run.samples,
        "views": run.views,
        "plan": {name: plan[name] for name in _PLANNED if name in plan},
        "metrics": metrics,
    }


def zoo(work: Path, words: list[str]) -> Any:
    """Run one command of Zoo and give its answer.

    Raises:
        SystemExit: it fails.
    """
    asked = [sys.executable, "-m", "zoo_cli", *words, "--json", "--no-progress"]
    if words[0] == "amalgamate":
        asked.append("--yes")
    environment = {**os.environ, **_QUIET, "ZOO_HOME": str(work / "home")}
    done = subprocess.run(asked, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def runs_of(options: argparse.Namespace) -> list[Run]:
    """List the runs, those that are compared first."""
    every = []
    for targets in TARGETS:
        for teachers in options.teachers:
            epochs, samples, views = SIZES[teachers]
            epochs = options.epochs or epochs
            every += [
                Run(teachers, targets, seed, epochs, samples, views)
                for seed in range(options.seeds)
            ]
    if options.paper and 2 in options.teachers:
        first = next(run for run in every if run.teachers == 2)
        every.append(replace(first, preset="paper", targets=""))
    return every


def main() -> None:
    """Make the teachers, do all runs, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="with zoo/ and images/")
    parser.add_argument("--work", type=Path, required=True, help="teachers and runs; may be used")
    parser.add_argument("--teachers", type=int, nargs="+", default=[2, 4], choices=sorted(SETTINGS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, help=f"instead of those of {SIZES}")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one core each")
    parser.add_argument("--no-paper", dest="paper", action="store_false", help="no such run")
    parser.add_argument("-o", "--output", type=Path, help="a .json; the table goes beside it")
    options = parser.parse_args()
    work = options.work.resolve()
    (work / "runs").mkdir(parents=True, exist_ok=True)
    accuracy = {count: prepare(options.data, work, count) for count in options.teachers}
    with ThreadPoolExecutor(options.jobs) as pool:
        done = list(pool.map(lambda run: carry_out(run, work), runs_of(options)))
    results = {"teachers": accuracy, "runs": done, "summary": summarise(done)}
    write(results, options.output or work / "amalgamation.json")


if __name__ == "__main__":
    main()
