"""Fine-tune every checkpoint of a registry on every data set of a folder, and write one CSV.

    python benchmarks/rank_quality/truth.py --registry registry.json --data images/ -o truth.csv

Two recipes (README.md beside this file has every number): ``head`` trains a linear head on frozen
features, ``full`` trains all weights. Rows that the CSV has are not measured again, so the same
command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from head import TRAINED, head_result, rows_of
from probe_sets import ProbeSet, cost_of, features_of, open_set
from truth_table import Cell, TruthRow, TruthTable, short_name

from zoo.api import open_catalogue
from zoo.errors import ZooError
from zoo.settings import Settings, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.catalogue import Catalogue
    from zoo.plan import PlannedModel

#: Raised when a recipe changes what a row means.
VERSION = "1"
_METRIC = {"classification": "accuracy", "regression": "r2"}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all pairs share."""

    table: TruthTable
    settings: Settings
    catalogue: Catalogue
    seeds: int
    deadline: float

    @property
    def over(self) -> bool:
        """Whether nothing new may be started."""
        return time.monotonic() >= self.deadline

    def missing(self, data: ProbeSet, model: str, recipe: str) -> list[int]:
        """Seeds that the CSV lacks."""
        cells = {seed: Cell(data.name, model, recipe, VERSION, seed) for seed in range(self.seeds)}
        return [seed for seed, cell in cells.items() if cell not in self.table]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing."""
    arguments = _arguments(argv)
    flags = {"device": arguments.device, "jobs": arguments.jobs}
    settings = resolve(flags).settings
    bench = Bench(
        table=TruthTable(arguments.output),
        settings=settings,
        catalogue=open_catalogue(settings),
        seeds=arguments.seeds,
        deadline=time.monotonic() + arguments.hours * 3600,
    )
    before = len(bench.table.rows)
    sizes = (arguments.train, arguments.test)
    try:
        sets = list(_open_sets(arguments.data, arguments.registry, sizes, bench))
        if arguments.recipe in {"head", "both"}:
            measure_heads(sets, bench)
        if arguments.recipe in {"full", "both"}:
            measure_full(sets, bench)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    late = ", stopped by --hours" if bench.over else ""
    print(f"{len(bench.table.rows) - before} new rows, {len(bench.table.rows)} in all{late}")
    return 0


def measure_heads(sets: Sequence[ProbeSet], bench: Bench) -> None:
    """Measure the head-only recipe, cheap models first so that the cover is wide."""
    for data, models in _tiers(sets):
        wanted = {short_name(each.candidate.model): each for each in models}
        todo = {name: each for name, each in wanted.items() if bench.missing(data, name, "head")}
        if not todo or bench.over:
            continue
        started = time.monotonic()
        found, problems = features_of(data, list(todo.values()), bench.settings, bench.catalogue)
        for model, reason in problems.items():
            _say(f"left out: {model} on {data.name}: {reason}")
        for model, splits in found.items():
            values = []
            for seed in bench.missing(data, model, "head"):
                began = time.monotonic()
                rows = rows_of(data.train.labels, data.train.task, TRAINED, seed)
                value = head_result(
                    splits.train[rows],
                    data.train.labels[rows],
                    splits.test,
                    data.test_labels,
                    task=data.train.task,
                    seed=seed,
                )
                values.append(value)
                _add(bench, data, model, "head", seed, value, time.monotonic() - began)
            _say(f"{data.name} {model} head {_shown(values)}")
        _say(f"{data.name}: {len(found)} models in {time.monotonic() - started:.0f} s")


def measure_full(sets: Sequence[ProbeSet], bench: Bench) -> None:
    """Train all weights, cheap pairs first."""
    pairs = [(data, planned) for data in sets for planned in data.plan.models]
    for data, planned in sorted(pairs, key=_pair_cost):
        model = short_name(planned.candidate.model)
        todo = bench.missing(data, model, "full")
        if not todo or bench.over:
            continue
        from full import FullTuning

        try:
            tuning = FullTuning(data, planned, bench.settings, bench.catalogue)
        except (ZooError, OSError, ValueError) as error:
            _say(f"left out: {model} on {data.name}: {error}")
            continue
        for seed in todo:
            if bench.over:
                break
            began = time.monotonic()
            rows = rows_of(data.train.labels, data.train.task, TRAINED, seed)
            value = tuning.run(rows, seed)
            seconds = time.monotonic() - began
            _add(bench, data, model, "full", seed, value, seconds)
            _say(f"{data.name} {model} full seed {seed} {value:.3f} in {seconds:.0f} s")


def _open_sets(
    folder: Path, registry: Path, sizes: tuple[int, int], bench: Bench
) -> Iterator[ProbeSet]:
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            data = open_set(each, registry, sizes, bench.settings, bench.catalogue)
        except ZooError as error:
            _say(f"left out: {each.name}: {error}")
            continue
        if data.train.task not in _METRIC:
            _say(f"left out: {each.name}: there is no recipe for {data.train.task}")
            continue
        for exclusion in data.plan.excluded:
            _say(f"left out: {short_name(exclusion.model)} on {each.name}: {exclusion.reason}")
        for failure in data.plan.failures:
            _say(f"left out: {short_name(failure.model or '')} on {each.name}: {failure}")
        bench.table.check_sizes(each.name, VERSION, _trained(data), data.test.samples)
        yield data


def _tiers(sets: Sequence[ProbeSet]) -> list[tuple[ProbeSet, list[PlannedModel]]]:
    """Group the models of each set by cost, a factor of 64 a group; cheap groups first."""
    groups: dict[tuple[int, int], list[PlannedModel]] = {}
    for place, data in enumerate(sets):
        cheapest = min(map(cost_of, data.plan.models), default=1.0)
        for planned in sorted(data.plan.models, key=cost_of):
            tier = int(math.log2(cost_of(planned) / cheapest) / 6)
            groups.setdefault((tier, place), []).append(planned)

    def order(group: tuple[int, int]) -> tuple[int, int]:
        return group[0], sets[group[1]].train.samples + sets[group[1]].test.samples

    return [(sets[group[1]], groups[group]) for group in sorted(groups, key=order)]


def _pair_cost(pair: tuple[ProbeSet, PlannedModel]) -> float:
    data, planned = pair
    return cost_of(planned) * (data.train.samples + data.test.samples)


def _trained(data: ProbeSet) -> int:
    return len(rows_of(data.train.labels, data.train.task, TRAINED, 0))


def _add(
    bench: Bench, data: ProbeSet, model: str, recipe: str, seed: int, value: float, seconds: float
) -> None:
    bench.table.add(
        TruthRow(
            set=data.name,
            model=model,
            recipe=recipe,
            version=VERSION,
            seed=seed,
            metric=_METRIC[data.train.task],
            value=round(value, 4),
            train=_trained(data),
            test=data.test.samples,
            seconds=round(seconds, 2),
        )
    )


def _shown(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="a folder of data set folders")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the CSV")
    parser.add_argument("--recipe", choices=("head", "full", "both"), default="both")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, default=400, help="pool of train samples")
    parser.add_argument("--test", type=int, default=400, help="test samples")
    parser.add_argument("--hours", type=float, default=math.inf, help="start nothing later")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1, help="processes that extract features")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
