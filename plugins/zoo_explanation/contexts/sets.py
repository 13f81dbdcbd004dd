"""Core contexts: two or three things that hold together, found on some targets, tried on others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from zoo_explanation.contexts.significance import RULES, Tested, associations, corrected

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo_explanation.contexts.significance import Association, Rules, Transfers


@dataclass(frozen=True, kw_only=True)
class Core:
    """A set of flags.

    Attributes:
        members: names of the flags.
        found: on the half of the targets that it was looked for on.
        held_out: on the other half; its numbers are the ones to report.
    """

    members: tuple[str, ...]
    found: Association
    held_out: Association | None = None

    def passes(self, rules: Rules = RULES) -> bool:
        """Whether both halves say the same."""
        other = self.held_out
        return (
            self.found.passes(rules)
            and other is not None
            and other.p <= rules.q
            and (other.low > 0 or other.high < 0)
            and (other.effect > 0) == (self.found.effect > 0)
        )


def cores_of(
    transfers: Transfers, tested: Tested, rules: Rules = RULES, seed: int = 0
) -> tuple[Tested, tuple[Core, ...]]:
    """Try sets of two and three flags that pass alone and point the same way.

    Args:
        transfers: what the flags were tested on.
        tested: what was found.
        rules: each half of the targets has to satisfy them by itself.
        seed: of permutations and resamples.

    Returns:
        What was tested, its q over the sets too, and the sets.
    """
    alone = [each for each in tested.associations if each.flag and each.passes(rules)]
    sets = {
        " + ".join(each.name for each in group): tuple(each.name for each in group)
        for size in (2, 3)
        for group in combinations(alone, size)
        if len({each.effect > 0 for each in group}) == 1
    }
    new = {
        name: np.prod([transfers.quantities[each] for each in members], axis=0)
        for name, members in sets.items()
    }
    first = transfers.targets % 2 == 0
    seen = {each.name: each for each in _tested(transfers, new, first, rules, seed)}
    other = {each.name: each for each in _tested(transfers, new, ~first, rules, seed)}
    every = corrected([*tested.associations, *seen.values()])
    singles = every[: len(tested.associations)]
    passing = {each.name for each in singles if each.passes(rules)}
    found = every[len(tested.associations) :]
    return replace(tested, associations=singles), tuple(
        Core(members=sets[each.name], found=each, held_out=other.get(each.name))
        for each in found
        if passing.issuperset(sets[each.name])
    )


def _tested(
    transfers: Transfers,
    new: dict[str, npt.NDArray[np.float64]],
    half: npt.NDArray[np.bool_],
    rules: Rules,
    seed: int,
) -> tuple[Association, ...]:
    if not new:
        return ()
    kept = {name: transfers.quantities[name][half] for name in transfers.controls}
    part = replace(
        transfers,
        sources=transfers.sources[half],
        targets=transfers.targets[half],
        outcome=transfers.outcome[half],
        quantities={name: flag[half] for name, flag in new.items()} | kept,
        flags=frozenset(new),
    )
    found = associations(part, replace(rules, q=1.0), seed).associations
    return tuple(each for each in found if each.name in new)
