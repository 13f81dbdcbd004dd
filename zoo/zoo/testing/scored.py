"""What a score has to look like, and whether arrays are still what they were."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.testing.promises import BrokenPromiseError, asking
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.features import Features


def answer(what: str, ask: Callable[..., Any], *given: Any) -> Any:
    """Call a method, which ``what`` names; where it has nothing to say, that is its answer.

    Raises:
        BrokenPromiseError: it raises something else than NotApplicable with a reason.
    """
    with asking(what):
        try:
            return ask(*given)
        except NotApplicable as error:
            if not error.message.strip():
                raise BrokenPromiseError(f"{what} raises NotApplicable without a reason") from error
            return error


def broken_answer(what: str, ask: Callable[..., Any], *given: Any) -> str:
    """Say what is wrong with what an estimator answers, in a few words; empty: nothing."""
    try:
        said = answer(what, ask, *given)
    except BrokenPromiseError as broken:
        return str(broken)
    if isinstance(said, NotApplicable):
        return ""
    wrong = broken_score(said)
    return f"{what} {wrong}" if wrong else ""


def broken_score(score: Any) -> str:
    """Say what is wrong with a score, in a few words; empty: nothing."""
    if not isinstance(score, Score):
        return f"gives {_kind(score)}, not zoo.Score"
    return next(_faults(score), "")


def _faults(score: Score) -> Iterator[str]:
    if wrong := _no_number(score.value):
        yield f"gives a Score whose value is {wrong}"
        return
    if not math.isfinite(score.value):
        yield f"gives {score.value}"
        return
    for name, each in score.details.items():
        if wrong := _no_number(each):
            yield f"gives a Score whose detail {name!r} is {wrong}"
    if not isinstance(score.note, str):
        yield f"gives a Score whose note is {_kind(score.note)}"
    if type(score.saturated) is not bool:
        yield f"gives a Score whose saturated is {_kind(score.saturated)}"
    if score.bounds is None:
        return
    low, high = score.bounds
    if wrong := _no_number(low) or _no_number(high):
        yield f"gives a Score of which a bound is {wrong}"
        return
    slack = 1e-9 * max(1.0, abs(score.value))
    if not low - slack <= score.value <= high + slack:
        yield f"gives {score.value:.6g}, which is outside its bounds {low:g} to {high:g}"


def _no_number(value: Any) -> str:
    """Name what JSON, which the store keeps scores in, does not know."""
    return "" if type(value) in {float, int} else f"{_kind(value)}, not a float: write float(...)"


def _kind(thing: Any) -> str:
    kind = type(thing)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return "None" if thing is None else f"{'an' if name[0] in 'aeio' else 'a'} {name}"


def far(value: float, other: float) -> bool:
    """Whether two scores differ by more than the rounding of 32-bit numbers explains."""
    return not math.isclose(value, other, rel_tol=1e-4, abs_tol=1e-9)


def held(
    features: Features,
    sets: Sequence[npt.NDArray[Any]] = (),
    folds: Sequence[npt.NDArray[Any]] = (),
) -> dict[str, tuple[Any, ...]]:
    """Copy everything that an estimator is given, bit by bit, by its name."""
    factorisation = features.factorisation
    arrays = {
        **_of(features, ""),
        **(_of(features.reference, " of the reference") if features.reference else {}),
        "the factorisation that others share": np.concatenate(
            [
                np.ravel(each)
                for each in (
                    factorisation.mean,
                    factorisation.gram,
                    factorisation.eigenvalues,
                    factorisation.left_vectors,
                    factorisation.squared_norms,
                )
            ]
        ),
        **{f"label set {number}": each for number, each in enumerate(sets)},
        **{f"fold {number}": each for number, each in enumerate(folds)},
    }
    return {
        name: (each.dtype.str, each.shape, each.tobytes(), each.flags.writeable)
        for name, each in arrays.items()
    }


def read_only(features: Features) -> Features:
    """Copy features so that nobody can write into their arrays."""
    return replace(
        features,
        values=_frozen(features.values),
        labels=_frozen(features.labels),
        logits=None if features.logits is None else _frozen(features.logits),
        reference=None if features.reference is None else read_only(features.reference),
        extras={name: _frozen(each) for name, each in features.extras.items()},
        _memo={},
    )


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    copied = array.copy()
    copied.setflags(write=False)
    return copied


def _of(features: Features, whose: str) -> dict[str, npt.NDArray[Any]]:
    arrays = {f"the features{whose}": features.values, f"the labels{whose}": features.labels}
    if features.logits is not None:
        arrays[f"the logits{whose}"] = features.logits
    return arrays | {f"extras[{name!r}]{whose}": each for name, each in features.extras.items()}


def written_over(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Name the first thing that is not what it was; empty: all is."""
    named = {**before, **after}
    return next((name for name in named if before.get(name) != after.get(name)), "")
