"""Whether what attention points at matters: take it away, and see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

#: How many random choices the classes of one class have to beat, all of them.
_DRAWS = 20
_MOST_TRIED = 20


def draws_for(tried: int) -> int:
    """Give the random choices to beat where several classes are tried, each in its turn.

    Random attention passes once in as many draws and one; what was tried more often has to pass a
    stricter test (Bonferroni), up to twenty classes.
    """
    return _DRAWS * min(max(tried, 1), _MOST_TRIED)


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """What happened to a classifier without its most attended classes.

    Attributes:
        whole: its quality.
        without: the same without them.
        chosen: the worst that taking away as many random classes did, in ``draws`` draws.
        replaced: the best that as many random classes reached in their place.
        count: how many were taken away.
        works: False where the whole is no better than chance.
    """

    whole: float
    without: float
    chosen: float
    replaced: float
    count: int
    draws: int
    works: bool = True

    @property
    def passed(self) -> bool:
        """Whether they matter: random classes neither hurt as much nor stand in for them."""
        return self.works and self.without < self.chosen and self.replaced < self.whole


def delete(
    quality: Callable[[npt.NDArray[Any]], float],
    weights: npt.NDArray[Any],
    top: npt.NDArray[Any],
    *,
    seed: int,
    draws: int,
    works: bool = True,
) -> Deletion:
    """Take away the contribution of some classes, and of as many random ones, and replace them.

    Attention that points at random classes passes in one case of ``draws + 1``: such classes and
    those in their place are drawn alike.

    Args:
        quality: of the classifier with some weights; higher is better.
        weights: (S,) attention.
        top: places of the classes to take away.
        seed: of the draws.
        draws: random choices, see :func:`draws_for`.
        works: whether the whole is better than chance.
    """
    random = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(len(weights)), top)
    count = min(len(top), len(others))
    chosen, replaced = [], []
    without = weights.copy()
    without[top] = 0
    for _ in range(draws):
        drawn = random.choice(others, count, replace=False)
        fewer, other = weights.copy(), without.copy()
        fewer[drawn] = 0
        other[drawn] += weights[top][:count]
        chosen.append(quality(fewer))
        replaced.append(quality(other))
    return Deletion(
        whole=quality(weights),
        without=quality(without),
        chosen=min(chosen),
        replaced=max(replaced),
        count=len(top),
        draws=draws,
        works=works,
    )


def separation(scores: npt.NDArray[Any], positive: npt.NDArray[Any]) -> float:
    """Compute the share of pairs in which an image of the class scores higher; ties count half.

    Args:
        scores: (N,).
        positive: (N,) bool; some of both.
    """
    from scipy.stats import rankdata

    ranks, ours = rankdata(scores), int(positive.sum())
    above = ranks[positive].sum() - ours * (ours + 1) / 2
    return float(above / (ours * (len(scores) - ours)))


def separation_error(value: float, ours: int, others: int) -> float:
    """Give the standard error of :func:`separation` (Hanley and McNeil, Radiology, 1982)."""
    first, second = value / (2 - value), 2 * value**2 / (1 + value)
    spread = value * (1 - value) + (ours - 1) * (first - value**2)
    spread += (others - 1) * (second - value**2)
    return float(np.sqrt(max(spread, 0.0) / (ours * others)))
