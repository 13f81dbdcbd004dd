"""Which quantities went with good transfers, tested so that chance passes rarely.

Ranks within each target, effects that hold what size alone gives fixed, permutations of sources,
Benjamini-Hochberg over everything tested, and a bootstrap over targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from zoo_explanation.contexts.chance import (
    centred,
    draws_of,
    effect_of,
    interval_of,
    p_of,
    within_ranks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Vector = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When an association may be reported.

    Attributes:
        transfers: least number; also of targets and of sources, of those where it varies.
        group: least number of transfers with a flag, and without.
        permutations: of each kind.
        resamples: of the targets.
        q: largest false-discovery rate.
        share: of the resampled effects that the interval holds, in percent.
    """

    transfers: int = 20
    targets: int = 4
    sources: int = 4
    group: int = 8
    permutations: int = 999
    resamples: int = 999
    q: float = 0.1
    share: float = 90.0


RULES = Rules()


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfers:
    """Recorded transfers as columns of N values; no pair of source and target twice.

    Attributes:
        sources: (N,) numbers of the models.
        targets: (N,) numbers of the data sets.
        outcome: (N,) how well it went; compared within a target only.
        quantities: name -> (N,), NaN where it is not known.
        controls: names of quantities whose effect is held fixed.
        flags: names of quantities that are 0 or 1.
    """

    sources: Codes
    targets: Codes
    outcome: Vector
    quantities: Mapping[str, Vector]
    controls: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Association:
    """A quantity that was tested.

    Attributes:
        effect: partial Spearman's rho within targets, or the rank-biserial correlation of a flag.
        low: of the interval over resampled targets; NaN where q is too large to report.
        p: two-sided, the larger of permuting sources inside each target and over all of them.
        q: after Benjamini-Hochberg over everything tested.
        transfers: where the quantity varies within a target; targets and sources of those.
        controlled: quantities that were held fixed.
    """

    name: str
    flag: bool
    effect: float
    p: float
    q: float = 1.0
    low: float = float("nan")
    high: float = float("nan")
    transfers: int
    targets: int
    sources: int
    controlled: tuple[str, ...] = ()

    def passes(self, rules: Rules = RULES) -> bool:
        """Whether it may be reported."""
        return self.q <= rules.q and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What was tested, in the order of the names, and what could not be."""

    associations: tuple[Association, ...]
    untested: Mapping[str, str] = field(default_factory=dict)


def associations(transfers: Transfers, rules: Rules = RULES, seed: int = 0) -> Tested:
    """Test every quantity against the outcome.

    Args:
        transfers: to test on.
        rules: minimum, permutations and what passes.
        seed: of permutations and resamples.
    """
    alike: dict[bytes, list[str]] = {}
    untested = {}
    for name in sorted(transfers.quantities):
        kept = _informative(transfers, name)
        if reason := _too_few(transfers, name, kept, rules):
            untested[name] = reason
        else:
            alike.setdefault(kept.tobytes(), []).append(name)
    found: list[tuple[Association, Callable[[], tuple[float, float]]]] = []
    for key, names in alike.items():
        columns = _Columns(transfers, np.frombuffer(key, dtype=bool), names, rules, seed)
        for name in names:
            if tested := columns.test(name):
                found.append(tested)
            else:
                untested[name] = "it says no more than what was held fixed"
    ordered = sorted(found, key=lambda each: each[0].name)
    measured = corrected([each for each, _ in ordered])
    return Tested(
        associations=tuple(
            _with_interval(each, interval) if each.q <= rules.q else each
            for each, (_, interval) in zip(measured, ordered, strict=True)
        ),
        untested=untested,
    )


def _with_interval(each: Association, interval: Callable[[], tuple[float, float]]) -> Association:
    low, high = interval()
    return replace(each, low=low, high=high)


def corrected(found: Sequence[Association]) -> tuple[Association, ...]:
    """Set q by Benjamini-Hochberg over all of them."""
    from scipy.stats import false_discovery_control

    if not found:
        return ()
    rates = false_discovery_control([each.p for each in found], method="bh")
    return tuple(replace(each, q=float(q)) for each, q in zip(found, rates, strict=True))


def _informative(transfers: Transfers, name: str) -> npt.NDArray[np.bool_]:
    """Mark the transfers whose target has at least two values of the quantity."""
    values = transfers.quantities[name]
    known = np.isfinite(values) & np.isfinite(transfers.outcome)
    targets = int(transfers.targets.max(initial=-1)) + 1
    least, most = np.full(targets, np.inf), np.full(targets, -np.inf)
    np.minimum.at(least, transfers.targets[known], values[known])
    np.maximum.at(most, transfers.targets[known], values[known])
    return known & (least < most)[transfers.targets]


def _too_few(transfers: Transfers, name: str, kept: npt.NDArray[np.bool_], rules: Rules) -> str:
    count = int(kept.sum())
    targets = len(np.unique(transfers.targets[kept]))
    sources = len(np.unique(transfers.sources[kept]))
    if count < rules.transfers or targets < rules.targets or sources < rules.sources:
        return f"it varies within {targets} targets, over {count} transfers of {sources} models"
    if name in transfers.flags:
        with_it = int(transfers.quantities[name][kept].sum())
        if min(with_it, count - with_it) < rules.group:
            return f"{with_it} transfers have it and {count - with_it} do not"
    return ""


class _Columns:
    """Quantities that are known for the same transfers, as ranks, and what they are tested with."""

    def __init__(
        self,
        transfers: Transfers,
        kept: npt.NDArray[np.bool_],
        names: Sequence[str],
        rules: Rules,
        seed: int,
    ) -> None:
        self.draws = draws_of(transfers.targets[kept], transfers.sources[kept], rules, seed)
        self.share, self.flags = rules.share, transfers.flags
        self.targets = self.draws.targets
        self.controls = [
            each
            for each in transfers.controls
            if np.isfinite(transfers.quantities[each][kept]).all()
        ]
        every = sorted({*names, *self.controls})
        values = [transfers.quantities[each][kept] for each in every]
        ranks = within_ranks(np.column_stack([transfers.outcome[kept], *values]), self.targets)
        self.outcome = ranks[:, 0]
        self.columns = {
            each: centred(column, self.targets) if each in transfers.flags else rank
            for each, column, rank in zip(every, values, ranks.T[1:], strict=True)
        }

    def test(self, name: str) -> tuple[Association, Callable[[], tuple[float, float]]] | None:
        """Test one of them; its interval is computed when asked for."""
        controls = tuple(each for each in self.controls if each != name)
        fixed = np.array([self.columns[each] for each in controls])
        fixed = fixed.reshape(-1, len(self.targets)).T
        left, sizes, _ = np.linalg.svd(fixed, full_matrices=False)
        basis = left[:, sizes > 1e-9]
        column, flag = self.columns[name], name in self.flags
        rest = column - basis @ (basis.T @ column)
        outcome = self.outcome - basis @ (basis.T @ self.outcome)
        if rest @ rest <= 1e-9 * (column @ column) or outcome @ outcome < 1e-12:
            return None
        association = Association(
            name=name,
            flag=flag,
            effect=effect_of(rest, outcome, flag=flag),
            p=max(p_of(column, outcome, basis, order) for order in self.draws.orders),
            transfers=len(column),
            targets=int(self.targets.max()) + 1,
            sources=int(self.draws.sources.max()) + 1,
            controlled=controls,
        )
        table = np.column_stack([column, self.outcome, fixed])
        return association, lambda: interval_of(table, self.draws, self.share, flag=flag)
