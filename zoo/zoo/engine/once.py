"""Do a thing once for everybody who asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Once:
    """Answers by key: the first to ask starts the work, the others wait for its answer.

    Not for several threads; nothing blocks, everybody is called back.
    """

    def __init__(self) -> None:
        self._answers: dict[str, Any] = {}
        self._waiting: dict[str, list[Callable[[Any], None]]] = {}

    def ask(
        self, key: str, start: Callable[[Callable[[Any], None]], None], then: Callable[[Any], None]
    ) -> None:
        """Call ``then`` with the answer; ``start`` is given what to call with it, if need be."""
        if key in self._answers:
            then(self._answers[key])
        elif key in self._waiting:
            self._waiting[key].append(then)
        else:
            self._waiting[key] = [then]
            start(lambda answer: self._tell(key, answer))

    def forget(self, key: str) -> None:
        """Let the next to ask start again."""
        self._answers.pop(key, None)

    def _tell(self, key: str, answer: Any) -> None:
        self._answers[key] = answer
        for then in self._waiting.pop(key):
            then(answer)


def gather(
    asks: Sequence[Callable[[Callable[[Any], None]], None]], then: Callable[[list[Any]], None]
) -> None:
    """Call ``then`` with all answers, in the order of the questions, once the last is there."""
    answers: list[Any] = [None] * len(asks)
    missing = len(asks)

    def take(index: int, answer: Any) -> None:
        nonlocal missing
        answers[index] = answer
        missing -= 1
        if not missing:
            then(answers)

    if not asks:
        then([])
    for index, ask in enumerate(asks):
        ask(lambda answer, index=index: take(index, answer))  # type: ignore[misc]
