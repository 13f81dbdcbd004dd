"""What every kind of object promises, whatever it does: found out by using it once or twice."""

from __future__ import annotations

import contextlib
import random
import sys
from typing import TYPE_CHECKING, Any

from zoo.catalogue import load_target, options_of
from zoo.errors import PluginError
from zoo.testing.kit import Check, Trial, kit_of
from zoo.testing.outcomes import same
from zoo.testing.promises import BrokenPromiseError, NotTriedError
from zoo.testing.watching import Watched, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

#: By the id of a trial, whose spec may have no hash: the trial, and what was seen of its last use.
_SEEN: dict[int, tuple[Trial, Watched]] = {}
_MOST = 128


def _target(trial: Trial) -> Iterator[str]:
    """Ask whether the object can be had, by its name and with options that have defaults."""
    try:
        target = load_target(trial.spec)
    except PluginError as error:
        raise BrokenPromiseError(error.message.rstrip(".")) from error
    if unknown := set(trial.spec.expected_failures) - _names(trial):
        yield f"expected_failures names {min(unknown)!r}, which is no check of this kind"
    for name, reason in trial.spec.expected_failures.items():
        if not reason.strip():
            yield f"expected_failures gives no reason for {name!r}"
    if trial.noun == "command":
        return
    required = [each.name for each in options_of(target).values() if each.default is each.empty]
    if required:
        yield f"its option {required[0]!r} has no default"
    else:
        trial.make()


def _names(trial: Trial) -> set[str]:
    from zoo.testing.kit import checks_of

    return {each.name for each in checks_of(trial)}


def _reproducible(trial: Trial) -> Iterator[str]:
    """Use it twice, with other numbers in the process's own random generators."""
    with _numbers_of_the_process():
        _seed(1)
        first, _ = _used(trial)
        _seed(2)
        before = _state()
        second, _ = _used(trial)
        after = _state()
    if not same(first, second):
        yield "two uses with the same input and options give different results"
    if not same(before, after):
        yield "it draws from, or seeds, the random numbers of the whole process"


def _quiet(trial: Trial) -> Iterator[str]:
    seen = _seen(trial)
    for words in seen.printed:
        first = words.strip().splitlines()[:1]
        yield f"it prints {first[0]!r}" if first else "it prints an empty line"


def _no_writes(trial: Trial) -> Iterator[str]:
    seen = _seen(trial)
    for path in dict.fromkeys(seen.written):
        yield f"it writes {path}"


def _no_network(trial: Trial) -> Iterator[str]:
    seen = _seen(trial)
    for host in dict.fromkeys(seen.asked):
        yield f"it asks {host}"


TARGET = Check("target", "the object is there, and every option has a default", _target)
MANNERS = (
    Check("reproducible", "the same input and options give the same result", _reproducible),
    Check("quiet", "standard output belongs to the command: nothing is printed", _quiet),
    Check("no-writes", "nothing is written outside the store and temporary folders", _no_writes),
    Check("no-network", "nobody but this machine is asked", _no_network),
)


def _used(trial: Trial) -> tuple[Any, Watched]:
    exercise = kit_of(trial.noun).exercise
    if exercise is None:
        raise NotTriedError("this kind cannot be tried without an example")
    with watched() as seen:
        outcome = exercise(trial)
    while len(_SEEN) >= _MOST:
        del _SEEN[next(iter(_SEEN))]
    _SEEN[id(trial)] = trial, seen
    return outcome, seen


def _seen(trial: Trial) -> Watched:
    """Give what was seen when it was used last: one use does for several checks."""
    known = _SEEN.get(id(trial))
    return known[1] if known else _used(trial)[1]


@contextlib.contextmanager
def _numbers_of_the_process() -> Iterator[None]:
    """Leave the generators of the process as they were."""
    before = _state()
    try:
        yield
    finally:
        random.setstate(before["random"])
        if "numpy" in before:
            sys.modules["numpy"].random.set_state(before["numpy"])
        if "torch" in before:
            sys.modules["torch"].set_rng_state(before["torch"])


def _seed(seed: int) -> None:
    """Seed every generator of the process that is there."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _state() -> dict[str, Any]:
    states: dict[str, Any] = {"random": random.getstate()}
    if "numpy" in sys.modules:
        states["numpy"] = sys.modules["numpy"].random.get_state()
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state()
    return states
