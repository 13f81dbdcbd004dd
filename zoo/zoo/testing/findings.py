"""One trial that finds out about many promises: run once, asked by every check of its own.

Trying a method takes the same networks and lessons whatever is looked at, so a kind has one trial,
which says under which check each sentence belongs; :func:`named` makes the checks of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from zoo.errors import InputError
from zoo.host import PLUGIN_ERRORS
from zoo.testing.kit import Check, Trial
from zoo.testing.promises import BrokenPromiseError, NotTriedError, described

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from zoo.types.specs import Spec

T = TypeVar("T")
#: Whatever belongs under no other check, too.
METHODS = "methods"
#: Outcomes that are kept, as sentences: enough for whoever asks check after check of many specs.
_MOST = 128


class Found(NamedTuple):
    """What a trial says of one promise; without a sentence it was tried, and kept so far."""

    check: str
    sentence: str = ""


if TYPE_CHECKING:
    #: Tries one spec, by an object that somebody made or by one of its own (None).
    Ask = Callable[[Any, Any], Iterable[Found]]


@contextmanager
def promised(check: str) -> Iterator[None]:
    """Say under which check a broken promise belongs, unless it is said already."""
    try:
        yield
    except BrokenPromiseError as broken:
        broken.check = broken.check or check
        raise


def under(check: str, sentences: Iterable[str]) -> Iterator[Found]:
    """Put sentences under a check, and say that it was tried."""
    with promised(check):
        for each in sentences:
            yield Found(check, each)
    yield Found(check)


def said(found: Iterable[Found], before: str = "", after: str = "") -> Iterator[Found]:
    """Say in every sentence with what it was found."""
    for each in found:
        yield Found(each.check, f"{before}{each.sentence}{after}" if each.sentence else "")


def collected(found: Iterable[Found]) -> list[Found]:
    """Take everything, and what is raised in the end."""
    kept: list[Found] = []
    try:
        for each in found:
            kept.append(each)  # noqa: PERF402 -- what came before an exception is kept
    except BrokenPromiseError as broken:
        kept.append(Found(broken.check or METHODS, str(broken)))
    return kept


def stopped(found: Iterable[Found], expected: Collection[str]) -> bool:
    """Whether a promise is broken that its author expects to keep: a trial ends there."""
    return any(each.sentence and each.check not in expected for each in found)


def until_broken(found: Iterable[Found], expected: Collection[str]) -> Iterator[Found]:
    """Take everything up to the first sentence that is not expected."""
    for each in found:
        yield each
        if stopped([each], expected):
            return


def among(
    cases: Iterable[T],
    ask: Callable[[T, bool], Iterable[Found]],
    *,
    words: str,
    refused: Found,
    expected: Collection[str],
) -> Iterator[Found]:
    """Try one case after the other, and leave out those that the method refuses.

    Args:
        cases: what it is tried on.
        ask: tries one; told whether it is the first that is not refused. An
            :class:`zoo.errors.InputError` refuses it.
        words: names a case, ``with {}, ``.
        refused: what to say if all are refused, but for the reason.
        expected: checks that are expected to fail.
    """
    refusal, tried = None, 0
    for case in cases:
        try:
            found = collected(ask(case, not tried))
        except InputError as error:
            refusal = error
            continue
        tried += 1
        yield from said(found, words.format(case))
        if stopped(found, expected):
            return
    if not tried:
        reason = str(refusal).rstrip(".")
        yield Found(refused.check, f"{refused.sentence}: {reason}")


def broken_promises(ask: Ask, spec: Spec, method: object = None) -> list[str]:
    """Try everything at once: one sentence a broken promise that is not expected to be."""
    return [
        f"{spec.name}: {each.sentence.rstrip('.')}."
        for each in _outcome(ask, spec, method)
        if each.sentence and each.check not in spec.expected_failures
    ]


def named(
    ask: Ask, check: str, promise: str, applies: Callable[[Trial], bool] | None = None
) -> Check:
    """Make one check of a trial.

    Args:
        ask: the trial.
        check: name of the check.
        promise: what is promised, as a sentence without a full stop.
        applies: whether this spec promises it; None: all do.
    """

    def broken(trial: Trial) -> Iterator[str]:
        found = _once(ask, trial.spec)
        own = [each.sentence for each in found if each.check == check]
        yield from dict.fromkeys(filter(None, own))
        if not own:
            first = next((each.check for each in found if each.sentence), "")
            raise NotTriedError(
                f"its promise {first!r} is broken, and the trial ends there"
                if first
                else "there is nothing of the kind to try"
            )

    return Check(check, promise, broken, applies) if applies else Check(check, promise, broken)


_KEPT: dict[tuple[Any, int], tuple[Spec, tuple[Found, ...]]] = {}


def _once(ask: Ask, spec: Spec) -> tuple[Found, ...]:
    """Try a spec, or remember how it went; a spec may hold what has no hash, so that ids do."""
    key = (ask, id(spec))
    if key not in _KEPT:
        while len(_KEPT) >= _MOST:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[key] = spec, tuple(_outcome(ask, spec))
    return _KEPT[key][1]


def _outcome(ask: Ask, spec: Spec, method: object = None) -> list[Found]:
    try:
        return collected(ask(spec, method))
    except PLUGIN_ERRORS as error:
        return [Found(METHODS, f"it raises {described(error)}")]
