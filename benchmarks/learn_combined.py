"""Learn the weights of the combined score from public fine-tuning tables.

    python benchmarks/learn_combined.py --tables FOLDER [--sets] [-o WEIGHTS.json]

A pairwise logistic model (Bradley-Terry): the log odds that model i ends above model j are

    parameters * d(log10 parameters) + corpus * d(log10 corpus) + a(E) * d(logit evidence)

where d is the difference i - j, evidence is the share of the other models that the consensus of E
estimators sees beaten, and a(E) = evidence * E / (E + estimators): a consensus of few estimators is
worth less. Every table weighs the same, and every data set of a table. Each number printed is of a
data set (or a whole group of tables) that the weights have not seen.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from published_tables import Case, read_tables

from zoo.evaluation import static_order
from zoo.files import write_atomically
from zoo.ranking.consensus import Contest, log_odds
from zoo.ranking.quality import weighted_tau

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

#: Ridge penalties that are tried, weakest first.
PENALTIES = tuple(10.0 ** (power / 4) for power in range(-12, 9))
#: How many estimators a consensus is tried with, and how many different ones of each number.
NUMBERS, DRAWS = (1, 2, 3, 4), 25
#: Tried as the number of estimators at which half of the weight is reached.
HALVES = tuple(np.arange(0.5, 8.01, 0.25).tolist())


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of one data set whose results differ, the winner first.

    Attributes:
        case: the data set.
        prior: (P, 2) differences of the prior's features.
        consensus: one a draw: number of estimators, (P,) differences, (n,) the values themselves.
    """

    case: Case
    prior: Array
    consensus: tuple[tuple[int, Array, Array], ...]

    @classmethod
    def of(cls, case: Case, random: np.random.Generator) -> Pairs:
        """Collect them, and a consensus of every number of estimators."""
        first, second = np.nonzero(case.results[:, None] > case.results[None, :])
        draws = []
        for number in NUMBERS:
            for names in _subsets(sorted(case.scores), number, random):
                values = evidence(case, names)
                draws.append((number, values[first] - values[second], values))
        return cls(case, case.features[first] - case.features[second], tuple(draws))

    @cached_property
    def all_estimators(self) -> tuple[int, Array]:
        """How many estimators there are, and the consensus of all of them."""
        return len(self.case.scores), evidence(self.case, sorted(self.case.scores))


@dataclass(frozen=True)
class Weights:
    """What is learned; see above."""

    parameters: float
    corpus: float
    evidence: float
    estimators: float

    @property
    def prior(self) -> Array:
        """Of the two features."""
        return np.array([self.parameters, self.corpus])

    def of_evidence(self, number: int) -> float:
        """Weight of a consensus of so many estimators."""
        return self.evidence * number / (number + self.estimators)


def evidence(case: Case, names: Sequence[str]) -> Array:
    """Logit of the share of the other models that the estimators see beaten, (n,)."""
    values = np.array([case.scores[name] for name in names])
    return log_odds(Contest(values, np.full((*values.shape, 0), np.nan)).scores)


def _subsets(
    names: Sequence[str], number: int, random: np.random.Generator
) -> list[tuple[str, ...]]:
    found = list(itertools.combinations(names, number))
    if len(found) <= DRAWS:
        return found
    return [found[index] for index in random.choice(len(found), DRAWS, replace=False)]


def logistic(
    differences: Array, weights: Array, penalty: float, offset: Array | float = 0.0
) -> Array:
    """Minimise the weighted log loss of winners over losers, with a ridge; never below zero."""
    found = np.zeros(differences.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(np.clip(differences @ found + offset, -500, 500)))
        slope = -differences.T @ (weights * chance) + 2 * penalty * found
        curve = (differences.T * (weights * chance * (1 - chance))) @ differences
        step = np.linalg.solve(curve + (2 * penalty + 1e-12) * np.eye(len(found)), slope)
        found = np.maximum(found - step, 0.0)
        if np.abs(step).max() < 1e-9:
            break
    return found


def log_loss(odds: Array) -> float:
    """Mean loss of the log odds of winners."""
    return float(np.logaddexp(0.0, -odds).mean())


def shares(sets: Sequence[Pairs]) -> list[float]:
    """Weight of each set: tables count the same."""
    counts = {each.case.table: 0 for each in sets}
    for each in sets:
        counts[each.case.table] += 1
    return [1 / counts[each.case.table] / len(counts) for each in sets]


def fit_prior(sets: Sequence[Pairs], penalty: float) -> Array:
    """Weights of size and corpus."""
    sets = [each for each in sets if each.case.for_prior]
    rows = [np.full(len(each.prior), share / len(each.prior)) for each, share in _weighed(sets)]
    return logistic(np.vstack([each.prior for each in sets]), np.concatenate(rows), penalty)


def fit_evidence(sets: Sequence[Pairs], prior: Array, half: float, penalty: float) -> float:
    """Weight of the evidence beside a prior that is given."""
    odds, offsets, rows = [], [], []
    for each, share in _weighed([each for each in sets if each.consensus]):
        at_hand = {number for number, _, _ in each.consensus}
        for number, difference, _ in each.consensus:
            same = sum(other == number for other, _, _ in each.consensus) * len(at_hand)
            odds.append(difference * number / (number + half))
            offsets.append(each.prior @ prior)
            rows.append(np.full(len(difference), share / same / len(difference)))
    flat = np.concatenate(odds)[:, None]
    return float(logistic(flat, np.concatenate(rows), penalty, np.concatenate(offsets))[0])


def _weighed(sets: Sequence[Pairs]) -> list[tuple[Pairs, float]]:
    return list(zip(sets, shares(sets), strict=True))


def without(sets: Sequence[Pairs], left_out: Pairs, *, whole: bool) -> list[Pairs]:
    """Leave out a data set wherever the same models meet it, or all tables of these models."""
    case = left_out.case
    return [
        each
        for each in sets
        if each.case.group != case.group or (not whole and each.case.set != case.set)
    ]


def choose_prior_penalty(sets: Sequence[Pairs]) -> float:
    """Take the penalty with the smallest log loss on groups of tables that were left out."""
    cases = [each for each in sets if each.case.for_prior]

    def loss(penalty: float) -> float:
        fitted: dict[str, Array] = {}
        total = 0.0
        for each, share in _weighed(cases):
            group = each.case.group
            if group not in fitted:
                fitted[group] = fit_prior(without(cases, each, whole=True), penalty)
            total += share * log_loss(each.prior @ fitted[group])
        return total

    return min(PENALTIES, key=loss)


def choose_half(sets: Sequence[Pairs], prior: Array) -> float:
    """Take the number of estimators with half the weight by the smallest log loss."""

    def loss(half: float) -> float:
        weight = fit_evidence(sets, prior, half, 1e-3)
        total = 0.0
        for each, share in _weighed([each for each in sets if each.consensus]):
            offset = each.prior @ prior
            losses: dict[int, list[float]] = {}
            for number, difference, _ in each.consensus:
                factor = weight * number / (number + half)
                losses.setdefault(number, []).append(log_loss(offset + factor * difference))
            total += share * float(np.mean([np.mean(each) for each in losses.values()]))
        return total

    return min(HALVES, key=loss)


def choose_penalty(sets: Sequence[Pairs], prior_penalty: float, half: float) -> float:
    """Take the weakest penalty with which the prior alone is not better on average.

    The average is over sets that are left out one by one, tables counting the same, each with the
    consensus of all estimators that its table has.
    """
    cases = [each for each in sets if each.consensus]
    others = [without(sets, each, whole=False) for each in cases]
    priors = [fit_prior(rest, prior_penalty) for rest in others]
    for penalty in PENALTIES:
        gain = 0.0
        for each, rest, prior, share in zip(cases, others, priors, shares(cases), strict=True):
            number, values = each.all_estimators
            weight = fit_evidence(rest, prior, half, penalty) * number / (number + half)
            odds, results = each.case.features @ prior, each.case.results
            tau = weighted_tau(odds, results)
            gain += share * (weighted_tau(odds + weight * values, results) - tau)
        if gain >= 0:
            return penalty
    return math.inf


def by_number(sets: Sequence[Pairs], weights: Weights) -> dict[int, tuple[float, float]]:
    """Average the prior and the combined order over consensuses of so many drawn estimators."""
    found: dict[int, list[tuple[float, float, float]]] = {}
    for each, share in _weighed([each for each in sets if each.consensus]):
        odds, results = each.case.features @ weights.prior, each.case.results
        tau = weighted_tau(odds, results)
        for number in NUMBERS:
            factor = weights.of_evidence(number)
            draws = [values for other, _, values in each.consensus if other == number]
            taus = [weighted_tau(odds + factor * values, results) for values in draws]
            found.setdefault(number, []).append((share, tau, float(np.mean(taus))))
    return {
        number: (sum(s * tau for s, tau, _ in rows), sum(s * tau for s, _, tau in rows))
        for number, rows in found.items()
    }


def learn(sets: Sequence[Pairs], penalties: tuple[float, float], half: float) -> Weights:
    """Fit everything on these sets."""
    prior = fit_prior(sets, penalties[0])
    weight = fit_evidence(sets, prior, half, penalties[1])
    return Weights(float(prior[0]), float(prior[1]), weight, half)


@dataclass(frozen=True)
class Row:
    """Weighted tau of the orders on one data set that was not learned from."""

    table: str
    set: str
    prior: float
    evidence: float
    combined: float
    static: float


def measure(
    sets: Sequence[Pairs], fit: Callable[[Sequence[Pairs]], Weights], *, whole: bool
) -> list[Row]:
    """Leave out each data set, or each group of tables, and measure what the rest taught."""
    rows = []
    for each in sets:
        weights = fit(without(sets, each, whole=whole))
        case = each.case
        prior = case.features @ weights.prior
        alone, together = math.nan, math.nan
        if case.scores:
            number, values = each.all_estimators
            alone = weighted_tau(values, case.results)
            odds = prior + weights.of_evidence(number) * values
            together = weighted_tau(odds, case.results)
        static = _static(sets, case)
        tau = weighted_tau(np.round(prior, 9), case.results)
        rows.append(Row(case.table, case.set, tau, alone, together, static))
    return rows


def _static(sets: Sequence[Pairs], case: Case) -> float:
    truth = {
        each.case.set: dict(zip(each.case.models, each.case.results.tolist(), strict=True))
        for each in sets
        if each.case.table == case.table
    }
    order = static_order(truth)[case.set]
    known = [index for index, model in enumerate(case.models) if model in order]
    scores = [order[case.models[index]] for index in known]
    return weighted_tau(scores, case.results[known]) if len(known) > 1 else math.nan


def averages(rows: Sequence[Row]) -> list[Row]:
    """Average each table, and the tables with evidence."""
    tables = dict.fromkeys(row.table for row in rows)
    means = [_average(table, [row for row in rows if row.table == table]) for table in tables]
    return [
        *means,
        _average("mean of tables with scores", [m for m in means if m.combined == m.combined]),
    ]


def _average(name: str, rows: Sequence[Row]) -> Row:
    columns = []
    for field in ("prior", "evidence", "combined", "static"):
        values = [value for row in rows if not math.isnan(value := getattr(row, field))]
        columns.append(float(np.mean(values)) if values else math.nan)
    return Row(name, "", *columns)


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a table."""
    print(f"\n{title}\n{'':44}  prior  evidence  combined  static")
    for row in rows:
        values = (row.prior, row.evidence, row.combined, row.static)
        cells = ["-" if math.isnan(value) else f"{value:.3f}" for value in values]
        name = f"{row.table} {row.set}".strip()
        print(f"{name[:44]:44}  {cells[0]:>5}  {cells[1]:>8}  {cells[2]:>8}  {cells[3]:>6}")


def document(
    weights: Weights,
    penalties: tuple[float, float],
    sets: Sequence[Pairs],
    results: dict[str, Sequence[Row]],
) -> dict[str, object]:
    """Collect what is stored: numbers, and which script made them."""
    names = ("learn_combined.py", "published_tables.py")
    sources = [Path(__file__).with_name(name) for name in names]
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()
    rounded = {name: round(value, 4) for name, value in vars(weights).items()}
    sizes = np.concatenate([each.case.features[:, 0] for each in sets if each.case.for_prior])
    rounded |= {"smallest": round(10 ** sizes.min()), "largest": round(10 ** sizes.max())}
    quality = {
        name: [
            {
                key: None
                if value != value
                else round(value, 3)
                if isinstance(value, float)
                else value
                for key, value in vars(row).items()
                if key != "set"
            }
            for row in averages(rows)
        ]
        for name, rows in results.items()
    }
    return {
        "schema_version": 1,
        "weights": rounded,
        "scripts": names,
        "sha256": digest,
        "penalties": {"prior": penalties[0], "evidence": penalties[1]},
        "columns_of_results": sum(each.case.for_prior for each in sets),
        "columns_of_scores": sum(bool(each.case.scores) for each in sets),
        "weighted_tau": quality,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Read, learn, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of the public tables")
    parser.add_argument("--sets", action="store_true", help="print every data set as well")
    parser.add_argument("-o", "--output", type=Path, help="where to write the weights")
    arguments = parser.parse_args(argv)
    random = np.random.default_rng(0)
    sets = [Pairs.of(case, random) for case in read_tables(arguments.tables)]
    prior_penalty = choose_prior_penalty(sets)
    half = choose_half(sets, fit_prior(sets, prior_penalty))
    penalties = prior_penalty, choose_penalty(sets, prior_penalty, half)

    def fit(some: Sequence[Pairs]) -> Weights:
        return learn(some, penalties, half)

    weights = fit(sets)
    results = {
        "one data set left out": measure(sets, fit, whole=False),
        "all tables of these models left out": measure(sets, fit, whole=True),
    }
    for title, rows in results.items():
        show(title, averages(rows))
        if arguments.sets:
            show(f"{title}, set by set", rows)
    print("\nconsensus of so many drawn estimators, nothing left out: weight, prior, combined")
    for number, (prior, combined) in by_number(sets, weights).items():
        weight = weights.of_evidence(number)
        print(f"{number}: {weight:.3f}  {prior:.3f}  {combined:.3f}")
    print(f"\n{weights}\npenalties: prior {penalties[0]:.4f}, evidence {penalties[1]:.4f}")
    if arguments.output:
        text = json.dumps(document(weights, penalties, sets, results), indent=2)
        write_atomically(arguments.output.absolute(), f"{text}\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
