"""Steps and FLOPs until a larger network is good: grown, padded, and from scratch; three seeds.

    python benchmarks/growth.py --data ../shared/data --work /tmp/growth
    python benchmarks/growth.py --data ../shared/data --work /tmp/growth --cost

The first trains; the second measures what growing a checkpoint costs beside loading and saving it.
Both write into the same results. Called again, they skip what is finished. The small networks of
one seed are grown, padded or forgotten; the larger ones of one seed see the same batches.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from growing import cost, picture, table
from growing.arms import ARMS, SMALL, Arm, open_small, plan, start
from growing.tasks import TASKS, Samples, make_small, read, save_small
from growing.training import Schedule, flops, train

from zoo.files import write_atomically

#: Peak rates to choose from, and the seed that chooses: one that no table has.
RATES, CHOOSER, HELD_OUT = (1e-3, 3e-3, 1e-2), 1000, 0.2
_LAST, _COMPARED = 3, 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """Everything that runs share.

    Attributes:
        data: with images/ and texts/.
        work: what is finished.
        device: that trains.
        scale: multiplies all steps.
        samples: task -> training and test samples.
    """

    data: Path
    work: Path
    device: str
    scale: float
    samples: dict[str, tuple[Samples, Samples]]

    def run(self, task: str, arm: str, seed: int, rate: float) -> dict[str, Any]:
        """Train one network, or read what it gave."""
        if arm == SMALL:
            task = TASKS[task].like or task
        slug = arm.replace(", ", "-").replace(" / ", "-").replace(" ", "-")
        name = f"{task}-{slug}-{rate:g}-{self.scale:g}-{seed}"
        answer = self.work / "runs" / f"{name}.json"
        if not answer.exists():
            found = self._trained(task, arm, seed, rate, answer.with_suffix(""))
            found = {"task": task, "arm": arm, "seed": seed, "rate": rate, **found}
            write_atomically(answer, json.dumps(found).encode())
            last = 100 * found["accuracy"][-1]
            print(f"{name}: {last:.1f} %, {found['seconds']:.0f} s", flush=True)
        result: dict[str, Any] = json.loads(answer.read_text())
        return result

    def _trained(self, name: str, arm: str, seed: int, rate: float, folder: Path) -> dict[str, Any]:
        task = TASKS[name]
        learn, test = self.split(name, seed)
        difference = None
        if arm == SMALL:
            network = make_small(task, learn.names, seed)
            steps: float = task.small
        else:
            small = open_small(self.small(name, seed), self.work / "home", task.kind)
            inputs = test.part(slice(_COMPARED)).inputs
            drawing = plan(small, task.growth, seed)
            network, difference = start(ARMS[arm], small, drawing, seed, inputs)
            steps = self._length(name, arm, seed, network)
        schedule = Schedule(
            steps=max(1, round(steps * self.scale)), batch=task.batch, rate=rate, seed=seed
        )
        network.to(self.device)
        found = train(network, schedule, learn.to(self.device), test.to(self.device))
        if arm == SMALL:
            save_small(network.cpu(), self.data, name, folder)
        count = sum(each.numel() for each in network.parameters())
        return {"parameters": count, "difference": difference, **found}

    def _length(self, name: str, arm: str, seed: int, network: Any) -> float:
        """Count steps, before they are scaled."""
        task, chosen = TASKS[name], ARMS[arm]
        if not chosen.total:
            return task.steps * chosen.length
        small = self.run(name, SMALL, seed, self.rate(name, SMALL))
        batch = self.samples[name][0].part(torch.arange(task.batch))
        return task.steps + float(task.small * small["flops"] / flops(network, batch))

    def split(self, name: str, seed: int) -> tuple[Samples, Samples]:
        """Give samples to learn and to judge by; rates are chosen without the test samples."""
        learn, test = self.samples[name]
        if seed != CHOOSER:
            return learn, test
        held = math.ceil(HELD_OUT * len(learn))
        return learn.part(slice(held, None)), learn.part(slice(held))

    def small(self, name: str, seed: int) -> Path:
        """Give the folder of a small network that is trained."""
        task, rate = TASKS[name].like or name, self.rate(name, SMALL)
        self.run(task, SMALL, seed, rate)
        return self.work / "runs" / f"{task}-{SMALL}-{rate:g}-{self.scale:g}-{seed}"

    def rate(self, name: str, arm: str) -> float:
        """Give the peak rate of an arm: the best of all for the one that it is chosen for."""
        chosen: Arm = ARMS[arm]
        return max(self.grid(name, chosen.rate_of), key=lambda each: each[1])[0] * chosen.rate

    def grid(self, name: str, arm: str) -> list[tuple[float, float]]:
        """Give every rate with the accuracy over its last judgements, on what was held out."""
        task = TASKS[name].like or name
        runs = [self.run(task, arm, CHOOSER, rate) for rate in RATES]
        return [(run["rate"], statistics.mean(run["accuracy"][-_LAST:])) for run in runs]


def main() -> None:
    """Train or measure everything, and write tables and picture after every part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="with images/, texts/ and zoo/")
    parser.add_argument("--work", type=Path, required=True, help="what is finished; may be used")
    parser.add_argument("--cost", action="store_true", help="measure time and memory of growing")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies all steps")
    parser.add_argument(
        "--rounds", type=int, default=cost.ROUNDS, help="of which medians are taken"
    )
    parser.add_argument("--device", default="cpu", help="cuda, where there is one")
    parser.add_argument("-o", "--output", type=Path, help="a .json; table and picture go beside it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work = options.work.resolve()
    (options.work / "runs").mkdir(parents=True, exist_ok=True)
    output = options.output or options.work / "growth.json"
    results: dict[str, Any] = json.loads(output.read_text()) if output.exists() else {}
    if options.cost:
        results["costs"] = cost.main(options.data, options.work, options.rounds)
        write(results, output)
        return
    wanted = dict.fromkeys(TASKS[name].like or name for name in options.tasks)
    samples = {name: read(options.data, TASKS[name]) for name in wanted}
    samples |= {name: samples[TASKS[name].like or name] for name in options.tasks}
    bench = Bench(
        data=options.data,
        work=options.work,
        device=options.device,
        scale=options.scale,
        samples=samples,
    )
    results |= {"titles": {name: each.title for name, each in TASKS.items()}, "runs": []}
    results |= {"rates": {}, "device": options.device, "scale": options.scale}
    for seed in range(options.seeds):
        for name in options.tasks:
            for arm in ARMS:
                run = bench.run(name, arm, seed, bench.rate(name, arm))
                results["runs"].append({**run, "task": name})
            results["rates"][name] = {
                arm: bench.grid(name, arm) for arm in ARMS if ARMS[arm].rate_of == arm
            }
            write(results, output)


def write(results: dict[str, Any], path: Path) -> None:
    """Write the numbers, and tables and picture beside them."""
    results["summary"] = table.summarise(results.get("runs", []))
    path.write_text(json.dumps(results) + "\n")
    if results.get("runs"):
        picture.draw(results, path.with_suffix(".png"))
    print(table.tables(results))


if __name__ == "__main__":
    main()
