"""Every predictable problem in one list, before anything is fetched or written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo.errors import CheckpointError, HubError, InputError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Problems(InputError):  # noqa: N818 -- many errors, and the name says so
    """What is wrong with a recipe, all at once.

    Attributes:
        problems: one a thing, each with its own hint.
    """

    def __init__(self, problems: Sequence[ZooError]) -> None:
        self.problems = tuple(problems)
        super().__init__(*_said(self.problems))

    def __reduce__(self) -> tuple[type[Problems], tuple[tuple[ZooError, ...]]]:  # type: ignore[override]
        """Survive the trip back from a worker process."""
        return type(self), (self.problems,)


class Collector:
    """Gathers problems, so that one does not hide the next."""

    def __init__(self) -> None:
        self.problems: list[ZooError] = []

    def add(self, message: str, hint: str = "") -> None:
        """Note a problem."""
        self.problems.append(InputError(message, hint))

    @contextmanager
    def watching(self, about: str = "") -> Iterator[None]:
        """Note the explained failure of a block, and go on after it.

        Args:
            about: who it concerns, where its sentence may not say so.
        """
        try:
            yield
        except Problems as error:
            self.problems.extend(error.problems)
        except ZooError as error:
            named = about and about not in error.message
            message = f"{about}: {error.message}" if named else error.message
            said = type(error) if isinstance(error, HubError | CheckpointError) else InputError
            self.problems.append(said(message, error.hint))

    def finish(self) -> None:
        """Raise what was gathered, if anything was.

        Raises:
            HubError: nothing is wrong but that the Hub does not answer.
            Problems: everything.
        """
        if self.problems and all(isinstance(each, HubError) for each in self.problems):
            raise self.problems[0]
        if self.problems:
            raise Problems(self.problems)


def _said(problems: Sequence[ZooError]) -> tuple[str, str]:
    """Give one problem as it is, and number several with the hint of each below it."""
    if len(problems) == 1:
        return problems[0].message, problems[0].hint
    lines = [f"{len(problems)} problems; no weight was fetched and nothing was written."]
    for number, each in enumerate(problems, start=1):
        lines.append(f"  {number}. {each.message}")
        if each.hint:
            lines.append(f"     Hint: {each.hint}")
    return "\n".join(lines), ""
