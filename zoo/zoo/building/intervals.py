"""Shares with the 95 % intervals that belong to them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Right = npt.NDArray[np.bool_]

#: 97.5 % point of the standard normal distribution.
_Z = 1.959963984540054


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How often something is so.

    Attributes:
        value: in [0, 1].
        low: end of the 95 % interval.
        high: the other.
        samples: how many were looked at.
    """

    value: float
    low: float
    high: float
    samples: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How much more often the student is right than another, on the same samples.

    Attributes:
        against: the other one.
        of: what is compared.
        value: share of the student less that of the other.
        low: end of the 95 % interval.
        high: the other.
        samples: how many were looked at.
    """

    against: str
    of: str
    value: float
    low: float
    high: float
    samples: int


def share(right: Right) -> Share | None:
    """Give the share with Wilson's interval (1927; recommended by Brown, Cai, DasGupta 2001).

    Args:
        right: (N,); None comes back for no samples.
    """
    count = len(right)
    if not count:
        return None
    value, z2 = float(np.mean(right)), _Z**2
    centre = (value + z2 / (2 * count)) / (1 + z2 / count)
    spread = value * (1 - value) / count + z2 / (4 * count**2)
    half = _Z * math.sqrt(spread) / (1 + z2 / count)
    low, high = min(value, centre - half), max(value, centre + half)
    return Share(value=value, low=max(0.0, low), high=min(1.0, high), samples=count)


def difference(student: Right, other: Right, *, against: str, of: str) -> Difference | None:
    """Compare two on the same samples, with the adjusted Wald interval for paired shares.

    Bonett and Price, Journal of Educational and Behavioral Statistics 37(4), 2012.

    Args:
        student: (N,) where the student is right; None comes back for no samples.
        other: (N,) where the other is.
        against: its name.
        of: what being right means.
    """
    count = len(student)
    if not count:
        return None
    better, worse = _discordant(student, other), _discordant(other, student)
    up, down = (better + 1) / (count + 2), (worse + 1) / (count + 2)
    half = _Z * math.sqrt((up + down - (up - down) ** 2) / (count + 2))
    value = (better - worse) / count
    return Difference(
        against=against,
        of=of,
        value=value,
        low=max(-1.0, min(value, up - down - half)),
        high=min(1.0, max(value, up - down + half)),
        samples=count,
    )


def _discordant(one: Any, other: Any) -> int:
    return int(np.count_nonzero(one & ~other))
