"""Events as a person follows them: two bars on a terminal, one line a milestone in a log."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.events import Event, Listener, ignore
from zoo.render.quantities import size_text
from zoo_cli.output import encodable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo_cli.context import Context

_MILESTONES = frozenset({"plan", "fetched", "model", "failure", "note"})
_QUIET_SECONDS = 60.0


@contextmanager
def listening(context: Context, models: int = 0) -> Iterator[Listener]:
    """Give a listener that shows what goes on, on standard error, for as long as the block lasts.

    Args:
        context: decides between bars, lines and nothing.
        models: how many models the run has, when it is known before the ``plan`` event.
    """
    if not context.progress:
        yield ignore
    elif context.output.live:
        with _bars(models, color=context.output.color(sys.stderr)) as listener:
            yield listener
    else:
        yield Lines()


class Lines:
    """One line a milestone; in between one a minute, so that a log shows that it goes on."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Show one event; called from any thread."""
        if event.kind in _MILESTONES:
            if event.message or event.model:
                self._say(_words(event))
        elif time.monotonic() - self._said >= _QUIET_SECONDS:
            said = f", {event.message}" if event.message else ""
            self._say(f"{_name(event)}: {_amount(event)}{said}")

    def _say(self, line: str) -> None:
        with self._lock:
            self._said = time.monotonic()
            sys.stderr.write(encodable(f"{line}\n", sys.stderr))
            sys.stderr.flush()


def _name(event: Event) -> str:
    """Say what is under way."""
    return event.model or ("reading the data" if event.kind == "prepare" else "samples")


def _words(event: Event) -> str:
    text = event.message or event.model
    if event.model and event.model not in text:
        text = f"{event.model}: {text}"
    if event.kind == "model" and event.seconds:
        text += f" ({event.seconds:.1f} s)"
    return f"failed: {text}" if event.kind == "failure" else text


def _amount(event: Event) -> str:
    if event.kind == "fetch":
        return f"{size_text(event.done)} of {size_text(event.total or None)}"
    return f"{event.done}/{event.total or '?'}"


@contextmanager
def _bars(models: int, *, color: bool) -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class Display(Progress):
        def get_renderables(self) -> Iterator[Any]:
            yield self.make_tasks_table(self.tasks)
            for task in self.tasks:
                if task.fields.get("said"):
                    yield Text(f"  {task.fields['said']}", style="dim")

    console = Console(stderr=True, no_color=not color, highlight=False, emoji=False, markup=False)
    amount = TextColumn("{task.fields[amount]}", markup=False, justify="right")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), amount)
    with Display(*columns, Remaining(), console=console, transient=True) as progress:
        yield Bars(progress, models)


class Bars:
    """One bar for the models, if their number is known, and one for each thing under way.

    Lines of finished models are printed above the bars and stay in the scroll-back; what an event
    says about what is under way stands below them.
    """

    def __init__(self, progress: Any, models: int) -> None:
        self._progress = progress
        self._finished = 0
        self._models = models
        self._all = progress.add_task(
            "models", total=models or None, visible=bool(models), amount=""
        )
        self._current: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Show one event; called from any thread."""
        with self._lock:
            if event.kind in _MILESTONES:
                self._milestone(event)
            else:
                self._advance(event)

    def _milestone(self, event: Event) -> None:
        if event.kind == "plan" and event.total:
            self._models, self._finished = event.total, 0  # of this round, where there are several
        if event.kind in {"model", "failure"} and event.model:
            self._finish(event.model)
            self._finished += 1
        self._progress.update(
            self._all,
            completed=self._finished,
            total=self._models or None,
            visible=bool(self._models),
            amount=f"{self._finished}/{self._models or '?'}",
        )
        if event.kind == "fetched":
            self._finish(event.model)
        elif event.message or event.model:
            self._progress.console.print(_words(event), soft_wrap=True)

    def _advance(self, event: Event) -> None:
        name = event.model or event.kind
        ranked = event.model and self._models  # there is more to do for a model than its batches
        if name not in self._current:
            self._current[name] = self._progress.add_task(
                name, total=event.total or None, amount=""
            )
        self._progress.update(
            self._current[name],
            completed=event.done,
            total=event.total or None,
            description=f"{name} ({event.kind})" if ranked else _name(event),
            amount=_amount(event),
            said=event.message,
        )
        if event.total and event.done >= event.total and not ranked:
            self._finish(name)

    def _finish(self, name: str) -> None:
        task = self._current.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)
