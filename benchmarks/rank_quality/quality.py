"""Say how well Zoo's rankings agree with measured results: estimators, prior, combined, score.

    python benchmarks/rank_quality/quality.py truth.csv --registry registry.json --data images/

Every data set of the CSV that the folder has is ranked on a sample of its train split; the
measured results come from the test split. ``static`` orders the models by their results on the
other data sets: what one could know without any estimator. ``one seed`` is how well the results of
one seed agree with the mean of the others: the noise of the truth itself.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from truth_table import read_rows, short_name

from zoo.api import load_probe, open_catalogue, recommend
from zoo.errors import InputError, ZooError
from zoo.files import write_atomically
from zoo.ranking.quality import average_ranks, regret_at_k, tau_b, weighted_tau
from zoo.settings import resolve
from zoo.types import ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from truth_table import TruthRow

    from zoo.settings import Settings
    from zoo.types import Ranking

    Scores = dict[str, float]
    #: data set -> order -> model -> score
    Orders = dict[str, dict[str, Scores]]

MEASURES: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "weighted tau": weighted_tau,
    "tau_b": tau_b,
    "regret@1": partial(regret_at_k, k=1),
}
#: Fewer models than this have no order worth a number.
_FEWEST = 3
_FIRST = ("score", "combined", "evidence", "prior", "static", "one seed")
_MODELS = "models"


def main(argv: Sequence[str] | None = None) -> int:
    """Rank, compare and print."""
    arguments = _arguments(argv)
    settings = resolve({"jobs": arguments.jobs}).settings
    try:
        rows = [row for row in read_rows(arguments.truth) if row.recipe == arguments.recipe]
        truth = by_set(rows)
        if not truth:
            raise InputError(f"{arguments.truth} has no rows of the recipe {arguments.recipe!r}.")
        orders: Orders = {}
        for name in sorted(truth):
            folder = arguments.data / name
            if not folder.is_dir():
                continue
            orders[name] = ranked(
                folder, arguments.registry, arguments.estimator, arguments.samples, settings
            )
            print(f"{name}: {len(orders[name]['score'])} models", file=sys.stderr, flush=True)
        text = report(orders, rows, arguments.recipe)
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.output:
        write_atomically(arguments.output.absolute(), text.encode())
    print(text, end="")
    return 0


def by_set(rows: Iterable[TruthRow]) -> dict[str, Scores]:
    """Average the seeds: data set -> model -> result."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(row.set, {}).setdefault(row.model, []).append(row.value)
    return {
        name: {model: float(np.mean(each)) for model, each in models.items()}
        for name, models in values.items()
    }


def ranked(
    folder: Path, registry: Path, asked: Sequence[str], samples: int, settings: Settings
) -> dict[str, Scores]:
    """Rank as Zoo does by default; estimators that were asked for besides add their own orders."""

    def ranking_by(names: Sequence[str]) -> dict[str, Scores]:
        ranking = recommend(
            folder,
            registry=registry.absolute(),
            estimators=names,
            probe=ProbeOptions(split="train", samples=samples, offline=settings.offline),
            settings=settings,
        )
        return orders_of(ranking)

    orders = ranking_by(())
    names = _every(folder, samples, settings) if list(asked) == ["all"] else list(asked)
    return {**ranking_by(names), **orders} if names else orders


def _every(folder: Path, samples: int, settings: Settings) -> list[str]:
    """Name every estimator that reads the data and does its task."""
    task = load_probe(folder, settings=settings, split="train", samples=samples).task
    specs = open_catalogue(settings).specs("estimator")
    return [name for name, spec in specs.items() if not spec.data_free and task in spec.tasks]


def orders_of(ranking: Ranking) -> dict[str, Scores]:
    """Give every order of a ranking: score, evidence, prior, combined, each estimator."""
    orders: dict[str, Scores] = {
        "score": {short_name(row.model): row.score for row in ranking.ranking},
        "prior": {short_name(row.model): row.score for row in ranking.prior},
    }
    for row in ranking.ranking:
        values = {name: cell.value for name, cell in row.estimators.items() if not cell.saturated}
        for name, value in {**values, "evidence": row.evidence}.items():
            if value is not None:
                orders.setdefault(name, {})[short_name(row.model)] = value
    return orders


def measured(scores: Scores, results: Scores) -> dict[str, float]:
    """Every measure over the models that have both, and how many; empty where too few have."""
    shared = sorted(scores.keys() & results.keys())
    if len(shared) < _FEWEST:
        return {}
    pair = [scores[each] for each in shared], [results[each] for each in shared]
    values = {name: measure(*pair) for name, measure in MEASURES.items()}
    return {**values, _MODELS: len(shared)}


def seed_agreement(rows: Iterable[TruthRow]) -> dict[str, float]:
    """Every measure of one seed's results against the mean of the other seeds', averaged."""
    seeds: dict[int, list[TruthRow]] = {}
    for row in rows:
        seeds.setdefault(row.seed, []).append(row)
    found = []
    for seed, own in seeds.items() if len(seeds) > 1 else ():
        rest = by_set(row for other, each in seeds.items() if other != seed for row in each)
        ours = by_set(own)
        found += [measured(ours[name], rest.get(name, {})) for name in ours]
    found = [each for each in found if each]
    names = (*MEASURES, _MODELS)
    return {name: _mean([each[name] for each in found]) for name in names} if found else {}


def report(orders: Orders, rows: Sequence[TruthRow], recipe: str) -> str:
    """One Markdown table a measure, and where the prior is not beaten.

    Args:
        orders: data set -> order -> model -> score.
        rows: the measured results of one recipe.
        recipe: its name.
    """
    rows = [row for row in rows if row.model in orders.get(row.set, {}).get("score", {})]
    truth = {name: by_set(rows).get(name, {}) for name in orders}
    static = static_orders(truth)
    table = {
        name: {order: measured(scores, truth[name]) for order, scores in each.items()}
        | {"static": measured(static[name], truth[name])}
        | {"one seed": seed_agreement(row for row in rows if row.set == name)}
        for name, each in orders.items()
    }
    table = {name: each for name, each in table.items() if any(each.values())}
    if not table:
        return f"No data set has results of recipe {recipe} for {_FEWEST} ranked models.\n"
    said = (
        "In brackets: how many models; behind a value: that it is of fewer, and not comparable. "
        "A dash: fewer than three models have a value that is not saturated."
    )
    parts = [f"Truth: recipe `{recipe}`, mean of its seeds. {said}\n"]
    parts += [_markdown(measure, table) for measure in MEASURES]
    parts += _against_the_prior(table)
    return "\n".join(parts)


def _markdown(measure: str, table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    regret = measure.startswith("regret")
    digits = 3 if regret else 2
    counts = {
        name: {order: int(each.get(_MODELS, 0)) for order, each in orders.items()}
        for name, orders in table.items()
    }
    most = {name: max(each.values()) for name, each in counts.items()}
    known = {order for each in table.values() for order in each}
    means = {order: _mean([_of(e, order, measure) for e in table.values()]) for order in known}
    first = [order for order in _FIRST if order in known]
    rest = known - set(first)
    lines = [
        f"### {measure}\n",
        f"| by | {' | '.join(f'{name} ({most[name]})' for name in table)} | mean |",
        f"|---|{'--:|' * (len(table) + 1)}",
    ]
    for order in [*first, *sorted(rest, key=lambda each: _last(means[each], regret=regret))]:
        cells = []
        for name, each in table.items():
            count = counts[name].get(order, 0)
            suffix = f" ({count})" if 0 < count < most[name] else ""
            cells.append(_shown(_of(each, order, measure), digits) + suffix)
        lines.append(f"| {order} | {' | '.join([*cells, _shown(means[order], digits)])} |")
    return "\n".join([*lines, ""])


def _against_the_prior(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    lines = []
    for ours in ("score", "combined"):
        behind = [
            name
            for name, each in table.items()
            if _tau(each, ours) < _tau(each, "prior")  # NaN compares false
        ]
        if any(ours in each for each in table.values()):
            lines.append(f"`{ours}` is behind the prior on: {', '.join(behind) or 'no data set'}.")
    unbeaten = [
        name
        for name, each in table.items()
        if all(
            not _tau(each, order) > _tau(each, "prior")
            for order in each.keys() - {"prior", "static", "one seed"}
        )
    ]
    lines.append(f"The prior is unbeaten on: {', '.join(unbeaten) or 'no data set'}.")
    return [*lines, ""]


def _tau(orders: Mapping[str, Mapping[str, float]], order: str) -> float:
    return _of(orders, order, "weighted tau")


def _of(orders: Mapping[str, Mapping[str, float]], order: str, measure: str) -> float:
    return orders.get(order, {}).get(measure, math.nan)


def static_orders(truth: Mapping[str, Scores]) -> dict[str, Scores]:
    """Order the models of each data set by their mean rank on the others."""
    ranks = {
        name: dict(zip(each, average_ranks(np.array(list(each.values()))) / len(each), strict=True))
        for name, each in truth.items()
        if len(each) >= _FEWEST
    }
    orders = {}
    for name in truth:
        others = [each for other, each in ranks.items() if other != name]
        orders[name] = {
            model: float(np.mean([each[model] for each in others if model in each]))
            for model in {model for each in others for model in each}
        }
    return orders


def _mean(values: Sequence[float]) -> float:
    defined = [each for each in values if not math.isnan(each)]
    return float(np.mean(defined)) if defined else math.nan


def _last(mean: float, *, regret: bool) -> float:
    """Sort the best mean first and undefined ones last."""
    if math.isnan(mean):
        return math.inf
    return mean if regret else -mean


def _shown(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("truth", type=Path, help="the CSV of truth.py")
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="a folder of data set folders")
    parser.add_argument("--recipe", choices=("head", "full"), default="head")
    parser.add_argument("--samples", type=int, default=400, help="size of the probe")
    parser.add_argument(
        "-e",
        "--estimator",
        action="append",
        default=[],
        help="a name to show beside the default ones, or all; repeat it",
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="write the Markdown here too")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
