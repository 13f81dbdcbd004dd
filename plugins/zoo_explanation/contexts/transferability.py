"""How well features transferred from a source to a target, and how far two domains differ.

Chen et al., KR 2018: r_local is the result of training on the target alone, r_hard with
frozen features of the source, r_soft with all of them fine-tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from zoo.types import TransferRecord

#: Quantities of a record that are results and not known before the transfer.
RESULTS = ("local", "hard", "soft")
INDEX = "feature transferability index"


def specificity(local: float, hard: float) -> float:
    """FSI = (r_local - r_hard) / r_hard: what frozen features lose.

    Raises:
        InputError: a result that is not above zero.
    """
    return (local - _positive(hard, "hard")) / hard


def generality(local: float, soft: float) -> float:
    """FGI = (r_soft - r_local) / r_local: what fine-tuned features gain.

    Raises:
        InputError: a result that is not above zero.
    """
    return (soft - _positive(local, "local")) / local


def transferability(local: float, hard: float, soft: float) -> float:
    """FTI = FGI - FSI: large where the features transfer well, frozen and fine-tuned."""
    return generality(local, soft) - specificity(local, hard)


@dataclass(frozen=True, kw_only=True)
class Factors:
    """How two sets of entailments differ, each in [0, 1].

    Attributes:
        new: share of the target's that the source does not have.
        obsolete: share of the source's that the target does not have.
        invariant: share of all that both have.
    """

    new: float
    obsolete: float
    invariant: float


def general_factors(source: Collection[Hashable], target: Collection[Hashable]) -> Factors:
    """Compare two domains by their entailments.

    Raises:
        InputError: one of them has none.
    """
    source, target = set(source), set(target)
    if not source or not target:
        raise InputError("a domain without any entailment cannot be compared.")
    return Factors(
        new=len(target - source) / len(target),
        obsolete=len(source - target) / len(source),
        invariant=len(source & target) / len(source | target),
    )


def outcomes(records: Sequence[TransferRecord]) -> tuple[list[float], str]:
    """Say how well each transfer went, and by what measure.

    The transferability index where every record has local, hard and soft results; else the gain
    over the median model of the same target.
    """
    if records and all(set(RESULTS) <= set(each.quantities) for each in records):
        results = [[each.quantities[name] for name in RESULTS] for each in records]
        return [transferability(*each) for each in results], INDEX
    of_target: dict[str, list[float]] = {}
    for each in records:
        of_target.setdefault(each.target, []).append(each.value)
    middle = {target: median(values) for target, values in of_target.items()}
    return [each.value - middle[each.target] for each in records], "gain over the median model"


def _positive(value: float, name: str) -> float:
    if not value > 0:
        raise InputError(f"the {name} result is {value}; it has to be above zero to be compared.")
    return value
