"""What shorter numbers do to every estimator: its values, and the ranking that they make.

    python benchmarks/precision.py                                # packaged checkpoints, the demo
    python benchmarks/precision.py --data DATA --models FOLDER... --samples 200

Every checkpoint is measured at every layer in float32, and again in each other precision and
runtime. Estimators are deterministic, so that all differences come from the features. Estimators
that read attributions are left out unless ``--attributions`` is given: these are computed in
float32 whatever the precision is, and take most of the time. A table a variant says for every
estimator that can score the task:

* cells: pairs of checkpoint and layer with a value;
* change: the largest change of a value, over that value; and over the standard deviation of all
  values, which is what a ranking is made of;
* tau: Kendall's tau between the two orders of all cells, and of the checkpoints at the layer that
  a new head would read.

On a processor without instructions for short numbers, these are slower than float32.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.api import open_catalogue
from zoo.measurement import Measurement
from zoo.pipeline import prepare
from zoo.ranking.quality import tau_b
from zoo.runs import Request
from zoo.settings import Settings
from zoo.types import ProbeOptions

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.engine import ModelResult
    from zoo.events import Event

    #: (model, layer) -> value
    Cells = dict[tuple[str, str], float]

REFERENCE_HELP = "model that some estimators compare with; by default the first"


@dataclass(frozen=True)
class Values:
    """What one variant measured.

    Attributes:
        cells: estimator -> its values.
        usual: model -> the layer that a new head would read.
        seconds: of all forward passes.
    """

    cells: dict[str, Cells]
    usual: dict[str, str]
    seconds: float


def measure(request: Request, settings: Settings) -> Values:
    """Score every layer of every model; what cannot be measured is named and left out."""
    catalogue = open_catalogue(settings)
    prepared = prepare(request, settings, catalogue)

    def tell(event: Event) -> None:
        if event.kind in {"failure", "model"}:
            what = event.message or f"{event.done or ''}"
            print(f"  {event.kind} {event.model} {what}", file=sys.stderr)

    measurement = Measurement(prepared, settings, catalogue, tell)
    measured = measurement.run(time.monotonic(), lambda _results, _slices: ())
    for model, failures in measured.failures.items():
        for failure in failures:
            print(f"  {model}: {failure}", file=sys.stderr)
    return values_of(measured.results)


def values_of(results: dict[str, ModelResult]) -> Values:
    """Sort the records of all models by estimator."""
    cells: dict[str, Cells] = {}
    for model, result in results.items():
        for record in result.records:
            if record.value is not None:
                cells.setdefault(record.estimator, {})[model, record.layer] = record.value
    usual = {model: result.default_layer for model, result in results.items()}
    return Values(cells, usual, sum(each.forward_seconds for each in results.values()))


def table(exact: Values, other: Values) -> list[str]:
    """Compare two variants, estimator by estimator, as rows of a Markdown table."""
    lines = [
        "| estimator | cells | change of a value | of the spread | tau, cells | tau, checkpoints |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name in sorted(exact.cells):
        before, after = exact.cells[name], other.cells.get(name, {})
        common = [cell for cell in before if cell in after]
        if not common:
            continue
        old, new = (np.array([each[cell] for cell in common]) for each in (before, after))
        moved = np.abs(new - old)
        size = np.abs(old)
        relative = float(np.max(moved[size > 0] / size[size > 0], initial=0.0))
        spread = float(old.std())
        shares = f"{moved.max() / spread:.1e}" if spread > 0 else ""
        models = [row for row, (model, layer) in enumerate(common) if exact.usual[model] == layer]
        taus = f"{_tau(old, new)} | {_tau(old[models], new[models])}"
        lines.append(f"| {name} | {len(common)} | {relative:.1e} | {shares} | {taus} |")
        lost = len(before) - len(common)
        if lost:
            lines[-1] += f" {lost} cells lost"
    return lines


def _tau(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> str:
    value = tau_b(before.tolist(), after.tolist())
    return "" if math.isnan(value) else f"{value:.3f}"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", default="demo", help="images or texts; the demo when absent")
    parser.add_argument("--models", nargs="+", default=[], help="references or folders")
    parser.add_argument("--reference", default="", help=REFERENCE_HELP)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--estimators", nargs="+", default=[])
    parser.add_argument("--attributions", action="store_true", help="what reads these, too")
    parser.add_argument("--layers", choices=["last", "all"], default="all")
    parser.add_argument("--precisions", nargs="+", default=["bf16", "fp16"])
    parser.add_argument("--runtimes", nargs="+", default=["torch"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--home", type=Path, help="keep what is measured here")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, home: str) -> None:
    """Measure the variants and print a table each."""
    models = list(options.models)
    if not models and options.data == "demo":
        from zoo import embedded

        models = [str(embedded.folder(name)) for name in embedded.names()]
    specs = open_catalogue(Settings(home=home)).specs("estimator").values()
    wanted = [
        spec.name
        for spec in specs
        if spec.reads_features and (options.attributions or not spec.reads("attributions"))
    ]
    request = Request(
        data=options.data,
        probe=ProbeOptions(samples=options.samples, offline=True),
        folder=str(Path.cwd()),
        models=tuple(models),
        estimators=tuple(options.estimators or wanted),
        layers=options.layers,
        reference=options.reference or (models[0] if models else ""),
    )
    settings = Settings(
        home=home,
        device=options.device,
        jobs=options.jobs,
        offline=True,
        permutations=0,
        folds=0,
        runtime="torch",
    )
    exact = measure(request, settings)
    print(f"{len(exact.usual)} checkpoints, forward passes {exact.seconds:.1f} s in fp32 (torch)")
    for runtime in options.runtimes:
        for precision in ["fp32", *options.precisions]:
            if (runtime, precision) == ("torch", "fp32"):
                continue
            chosen = msgspec.structs.replace(settings, runtime=runtime, precision=precision)
            other = measure(request, chosen)
            print(f"\n## {precision} ({runtime}), forward passes {other.seconds:.1f} s\n")
            print("\n".join(table(exact, other)))


def main() -> None:
    """Measure in a store of its own, or in the one that was named."""
    options = parse()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{options.data}, {options.samples} samples, {options.device}, load {load:.1f}")
    with tempfile.TemporaryDirectory(prefix="zoo-precision-") as temporary:
        run(options, str(options.home or temporary))


if __name__ == "__main__":
    main()
