"""What follows from the metrics, in sentences that promise nothing the numbers do not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.building.evaluation import AGREEMENT, INSIDE, JOINT, OWN
from zoo.probes.words import are, listed

if TYPE_CHECKING:
    from zoo.building.evaluation import Metrics
    from zoo.building.intervals import Difference

_GAIN = {1: "a gain", 0: "no gain shown", -1: "a loss"}
_HELPED = {1: "it helped", 0: "no difference shown", -1: "it did harm"}
_BETTER = {1: "the student is better", 0: "no difference shown", -1: "the student is worse"}


def verdict(metrics: Metrics) -> tuple[str, ...]:
    """Say whether the method was worth it, one sentence each."""
    found = {(each.against, each.of): each for each in metrics.differences}
    sentences = [_trained(found["start", JOINT])] if ("start", JOINT) in found else []
    sentences += [
        _compared(metrics.method, found[key])
        for key in (("kd", JOINT), ("kd", INSIDE), ("kd", AGREEMENT), ("ensemble", JOINT))
        if key in found
    ]
    sentences += [_own(metrics.method, each) for each in metrics.differences if each.of == OWN]
    if not metrics.labelled:
        sentences.append(
            "Nothing was judged with labels: agreement says how well the teachers were copied, "
            "not how often they are right."
        )
    if metrics.unknown:
        count = len(metrics.unknown)
        sentences.append(
            f"{listed(metrics.unknown, most=6)} of the labelled data {are(count)} no "
            f"label{'s' * (count != 1)} of the student; their samples were left out."
        )
    return tuple(sentences)


def _compared(method: str, one: Difference) -> str:
    endings = _GAIN if one.against == "kd" else _BETTER
    apart, ending = _apart(one, one.against), endings[_side(one)]
    return f"{method} is {apart} in {one.of}{_interval(one)}: {ending}."


def _trained(one: Difference) -> str:
    """Compare a model with itself before the training."""
    apart = _apart(one, "its start")
    return f"The training left it {apart}{_interval(one)}: {_HELPED[_side(one)]}."


def _own(method: str, one: Difference) -> str:
    """Compare with a teacher on the task that it was trained for."""
    apart, ending = _apart(one, f"teacher {one.against}"), _BETTER[_side(one)]
    return f"{method} is {apart} on the teacher's own task{_interval(one)}: {ending}."


def _side(one: Difference) -> int:
    """Give 1 or -1 where the whole interval is on one side of zero."""
    return int(one.low > 0) - int(one.high < 0)


def _apart(one: Difference, other: str) -> str:
    points = abs(_points(one.value))
    if not points:
        return f"level with {other}"
    return f"{points:.1f} points {'above' if one.value > 0 else 'below'} {other}"


def _interval(one: Difference) -> str:
    return (
        f" (95 % interval {_points(one.low):.1f} to {_points(one.high):.1f}, "
        f"{one.samples:,} sample{'s' * (one.samples != 1)})"
    )


def _points(share: float) -> float:
    return round(100 * share, 1) + 0.0  # never -0.0
