"""A contest of runtimes inside a worker: the first batches of real work, and the faster goes on.

Every batch that is timed is work done: the winner's features are those it would have made alone.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from msgspec.structs import replace as replace_fields

from zoo.catalogue import build
from zoo.engine.choices import FASTER, keep_choice, opening_seconds, read_choice
from zoo.engine.extract import ForwardPass
from zoo.engine.failures import ERRORS
from zoo.engine.process import report
from zoo.errors import NotApplicable, OutOfMemoryError, ZooError
from zoo.events import Event
from zoo.types.runtimes import OnDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.engine.choices import Choice
    from zoo.store import Store
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Backbone, RuntimeOptions
    from zoo.types.specs import RuntimeSpec

#: Largest difference between two runtimes, relative to the largest value of a tap.
TOLERANCE = 1e-4
#: The first batch warms up, the others are timed.
_BATCHES = 3
#: With fewer batches left than this, timing them is most of the work.
_FEWEST = 6.0
#: A rival may cost this share of what is left before it has run: one that is twice as fast saves
#: twice that.
_WORTH = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another runtime that reads the same prepared inputs.

    Attributes:
        key: of the features, if it makes them.
    """

    runtime: RuntimeSpec
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Who may take over, and when that is looked into.

    Attributes:
        memory: key of what is remembered.
        least: seconds of work that have to be left.
    """

    rivals: tuple[Rival, ...]
    memory: str
    least: float


@dataclass(kw_only=True, eq=False)
class Entrant:
    """An open checkpoint, in the runtime that runs it; use it in a ``with`` block.

    Attributes:
        key: of the features it makes.
        device: where it says it runs, else where it was told to.
        forward: its pass over the inputs, once it has begun.
    """

    runtime: RuntimeSpec
    key: str
    checkpoint: Checkpoint
    backbone: Backbone
    device: str
    load_seconds: float
    forward: ForwardPass = field(init=False)
    closed: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory; a second time does nothing."""
        if not self.closed:
            self.closed = True
            self.backbone.close()

    @property
    def name(self) -> str:
        """Of the runtime."""
        return self.runtime.name

    def begin(self, inputs: Sequence[Any], progress: Callable[[int], None]) -> None:
        """Encode the inputs."""
        self.forward = ForwardPass(self.backbone, inputs, progress)

    def time(self) -> None:
        """Run as many batches as it takes to tell its pace."""
        for _ in range(_BATCHES):
            self.forward.step()


def enter(
    runtime: RuntimeSpec, key: str, checkpoint: Checkpoint, options: RuntimeOptions
) -> Entrant:
    """Open a checkpoint; whatever its runtime raises passes through."""
    started = time.perf_counter()
    backbone = build(runtime).open(checkpoint, options)
    return Entrant(
        runtime=runtime,
        key=key,
        checkpoint=checkpoint,
        backbone=backbone,
        device=backbone.device if isinstance(backbone, OnDevice) else options.device,
        load_seconds=time.perf_counter() - started,
    )


def hold(
    contest: Contest,
    entrant: Entrant,
    *,
    store: Store,
    options: RuntimeOptions,
    inputs: Sequence[Any],
) -> Entrant:
    """Time the first batches, and those of the rivals where there is enough left to win.

    Args:
        contest: who may take over.
        entrant: open, its pass has begun; it is closed if it loses.
        store: where choices are remembered.
        options: how to open the rivals.
        inputs: what the entrant was given.

    Returns:
        Who goes on: open, with some batches done.
    """
    if entrant.forward.batches_left < _FEWEST:
        return entrant
    entrant.time()
    trial = _Trial(contest, entrant, store=store, options=options, inputs=inputs)
    for rival in contest.rivals:
        trial.meet(rival)
    trial.remember()
    return trial.best


class _Trial:
    """One contest on its way."""

    def __init__(
        self,
        contest: Contest,
        first: Entrant,
        *,
        store: Store,
        options: RuntimeOptions,
        inputs: Sequence[Any],
    ) -> None:
        self.best = self._first = first
        self._contest, self._store = contest, store
        self._options, self._inputs = options, inputs
        known = read_choice(store, contest.memory)
        self._choice = replace_fields(known, runtime="", trying="", rates={})
        self._tried = self._undecided = False

    def meet(self, rival: Rival) -> None:
        """Let a rival run the same batches, if it can pay; keep the faster of the two."""
        name = rival.runtime.name
        if name in self._choice.out or not self._can_pay(rival.runtime):
            return
        self._tried = True
        self._keep(replace_fields(self._choice, trying=name))
        opened: Entrant | None = None
        try:
            opened = enter(rival.runtime, rival.key, self._first.checkpoint, self._options)
            self._compare(opened)
        except ERRORS as error:
            self._drop(name, error)
            loser = opened
        else:
            wins = opened.forward.seconds_left < FASTER * self.best.forward.seconds_left
            self._rate(opened)
            loser = self.best if wins else opened
            self._say(opened, wins=wins)
            if wins:
                opened.forward.progress = self._first.forward.progress
                self.best = opened
        if loser is not None:
            with suppress(Exception):  # the other goes on
                loser.close()

    def remember(self) -> None:
        """Keep what was found, for the next run on this machine."""
        if not self._tried:
            return
        self._rate(self._first)
        again = self._undecided and self.best is self._first
        self._keep(replace_fields(self._choice, runtime="" if again else self.best.name))

    def _can_pay(self, runtime: RuntimeSpec) -> bool:
        left = self.best.forward.seconds_left
        if left < self._contest.least:
            return False
        try:
            opening = opening_seconds(runtime, self._first.checkpoint, self._options)
        except ERRORS as error:
            self._tried = True
            self._drop(runtime.name, error)
            return False
        return opening <= _WORTH * left

    def _compare(self, opened: Entrant) -> None:
        """Run the batches.

        Raises:
            NotApplicable: it runs elsewhere, or sees something else than the first entrant.
        """
        first = self._first
        if _kind(opened.device) != _kind(first.device):
            raise NotApplicable(f"it runs on {opened.device}, {first.name} on {first.device}.")
        opened.begin(self._inputs, _ignore)
        opened.time()
        if opened.backbone.default_tap != first.backbone.default_tap:
            raise NotApplicable(f"its default layer is {opened.backbone.default_tap!r}.")
        lacking = [tap for tap in first.forward.taps if tap not in opened.forward.taps]
        if lacking:
            raise NotApplicable(f"it has no tap {', '.join(lacking)}.")
        for tap in first.forward.taps:
            difference = _difference(first.forward, opened.forward, tap)
            if not difference <= TOLERANCE:
                raise NotApplicable(
                    f"its {tap} differs from {first.name}'s by {difference:.1e} (relative)."
                )

    def _rate(self, entrant: Entrant) -> None:
        forward = entrant.forward
        rest = max(1, len(self._inputs) - len(forward.rows))
        rate = forward.seconds_left / rest
        if len(forward.rows) < len(self._inputs):
            rates = {**self._choice.rates, entrant.name: rate}
            self._choice = replace_fields(self._choice, rates=rates)

    def _drop(self, name: str, error: BaseException) -> None:
        said = error.message if isinstance(error, ZooError) else f"{type(error).__name__}: {error}"
        reason = said.strip().partition("\n")[0]
        self._note(f"runtime: {name} is out, {self.best.name} does it: {reason}")
        if isinstance(error, OSError | MemoryError | OutOfMemoryError):
            self._undecided = True  # that may be another thing another time
        else:
            out = {**self._choice.out, name: reason}
            self._choice = replace_fields(self._choice, out=out)

    def _say(self, opened: Entrant, *, wins: bool) -> None:
        mine, other = opened.forward.seconds_left, self.best.forward.seconds_left
        times = other / mine if mine else float("inf")
        if wins:
            text = f"{opened.name}, {times:.1f} times as fast as {self.best.name} here"
        else:
            text = f"{self.best.name}; {opened.name} is {times:.1f} times as fast here"
        self._note(f"runtime: {text}")

    def _note(self, message: str) -> None:
        report(Event(kind="note", model=self._first.checkpoint.model, message=message))

    def _keep(self, choice: Choice) -> None:
        try:
            keep_choice(self._store, self._contest.memory, choice)
        except OSError as error:
            self._note(f"the choice of a runtime could not be kept: {error}")


def _difference(first: ForwardPass, other: ForwardPass, tap: str) -> float:
    """Compare the samples that both have done: relative to the largest value of the first."""
    rows = sorted({*first.rows} & {*other.rows})
    mine, its = first.pooled[tap][rows], other.pooled[tap][rows]
    if mine.shape != its.shape or not (np.isfinite(mine) == np.isfinite(its)).all():
        return float("inf")
    mine, its = np.nan_to_num(mine, posinf=0, neginf=0), np.nan_to_num(its, posinf=0, neginf=0)
    largest = float(np.abs(mine).max(initial=0.0))
    return float(np.abs(mine - its).max(initial=0.0)) / max(largest, 1e-6)


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _ignore(done: int) -> None:
    del done
