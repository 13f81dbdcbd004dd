"""Students of every layout, and what somebody wants to look at in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.testing.findings import Found, among
from zoo.testing.lessons import Networks
from zoo.testing.promises import BrokenPromiseError, described

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from zoo.testing.lessons import Layout
    from zoo.types.training import FeatureShape

#: Layers that a student may have: those of a teacher say nothing here.
LAYOUTS: tuple[Layout, ...] = ("maps", "tokens", "vectors")
#: Samples beyond the smallest batch.
MORE = 6


def among_students(
    asked: str, ask: Callable[[Networks], Iterable[Found]], expected: Collection[str]
) -> Iterator[Found]:
    """Try every kind of student; one that is refused is left out.

    Args:
        asked: the method that names layers.
        ask: tries one student.
        expected: checks that are expected to fail.
    """
    yield from among(
        LAYOUTS,
        lambda layout, _: ask(student_of(layout)),
        words="with a student of {}, ",
        refused=Found("layers", f"{asked} refuses all students"),
        expected=expected,
    )


def student_of(layout: Layout) -> Networks:
    """Give a student, with a teacher of whom nobody reads anything."""
    return Networks(layout=layout, count=1)


def first_student(ask: Callable[[Networks], Any]) -> Any:
    """Use the first kind of student that is not refused.

    Raises:
        BrokenPromiseError: all are.
    """
    for layout in LAYOUTS:
        try:
            return ask(student_of(layout))
        except InputError:
            continue
    raise BrokenPromiseError("it refuses all students")


def tapped(
    asked: str, ask: Callable[[], Any], student: Sequence[FeatureShape]
) -> tuple[FeatureShape, ...]:
    """Ask which layers are looked at.

    Raises:
        InputError: a student without such a layer, says the method.
        BrokenPromiseError: what it says makes no sense.
    """
    try:
        given = ask()
        taps = [given] if asked == "tap" else list(given)
    except InputError:
        raise
    except Exception as error:
        raise BrokenPromiseError(f"{asked} raises {described(error)}") from error
    known = {each.tap: each for each in student}
    if strange := [each for each in taps if each not in known]:
        raise BrokenPromiseError(f"{asked} names {strange[0]!r}, which is no layer of the student")
    return tuple(known[tap] for tap in taps)
