"""What happens between two steps: the journal, progress, checkpoints in time, an early end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from zoo.events import Event
from zoo.render.quantities import duration_text
from zoo.training.journal import JournalLine, interval
from zoo.training.meter import Meter
from zoo.training.optimising import rate_factor

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState

    from zoo.events import Listener
    from zoo.training.interrupts import Stop
    from zoo.training.journal import Journal
    from zoo.training.order import Length
    from zoo.training.pupil import Pupil
    from zoo.training.setup import TrainingSetup

_TELL_SECONDS = 0.5
_TRAINING = "training"
#: What the losses of the learner that is published begin with.
_OURS = "student."


@dataclass
class Clock:
    """Time of this call: the first step, which warms everything up, is not counted in speeds.

    Attributes:
        started: when the call began.
        warm: when its first step was done, and which that was; None before.
        told: when somebody heard of it.
        lined: when the last line of the journal was written, and its step.
        last: when the last step was done, and which that was.
    """

    started: float = field(default_factory=time.monotonic)
    warm: tuple[float, int] | None = None
    told: float = 0.0
    lined: tuple[float, int] | None = None
    last: tuple[float, int] = (0.0, 0)

    def tick(self, step: int) -> float:
        """Note that a step is done, and give the time."""
        self.last = (time.monotonic(), step)
        if self.warm is None:
            self.warm = self.lined = self.last
        return self.last[0]

    def seconds_a_step(self) -> float:
        """Give the mean since the first step; with one step alone, its own."""
        (now, step), (since, first) = self.last, self.warm or self.last
        return (now - since) / (step - first) if step > first else now - self.started


class Pace(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Listens to the loop and tells it when to save and when to stop."""

    def __init__(
        self,
        setup: TrainingSetup,
        pupil: Pupil,
        *,
        length: Length,
        journal: Journal,
        stop: Stop,
        on_event: Listener,
    ) -> None:
        self.setup, self.length, self.pupil = setup, length, pupil
        self.journal, self.stop, self.on_event = journal, stop, on_event
        self.meter, self.clock = Meter(), Clock()
        self.saved = self.clock.started
        self._interval = interval(length.steps)

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Write, tell, save, stop."""
        del args
        step = state.global_step
        now = self.clock.tick(step)
        last = step >= self.length.steps
        if last or step % self._interval == 0:
            self._write(step, others["optimizer"])
        if last or now - self.clock.told >= _TELL_SECONDS:
            self._tell(step)
        if self.stop.requested:
            control.should_training_stop = True
        due = now - self.saved >= 60 * self.setup.schedule.save_minutes
        control.should_save = last or due or self.stop.requested

    def on_save(self, *args: Any, **others: Any) -> None:
        """Start counting the time to the next checkpoint."""
        del args, others
        self.saved = time.monotonic()

    def samples_per_second(self) -> float:
        """Give the speed so far."""
        return self.length.batch * self.length.accumulate / self.clock.seconds_a_step()

    def _write(self, step: int, optimiser: Any) -> None:
        losses = self.meter.means()
        self.meter.clear()
        now = time.monotonic()
        speed = 0.0
        if self.clock.lined is not None and step > self.clock.lined[1]:
            since, before = self.clock.lined
            speed = (step - before) * self.length.batch * self.length.accumulate / (now - since)
        self.clock.lined = (now, step)
        factor = rate_factor(self.setup.schedule.decay, step - 1, self.length.steps)
        self.journal.write(
            JournalLine(
                step=step,
                epoch=self.length.epochs(step),
                losses=losses,
                shown=self.pupil.shown(losses, self.length.batch),
                rates={
                    group["part"]: group["initial_lr"] * factor for group in optimiser.param_groups
                },
                samples_per_second=speed,
            )
        )

    def _tell(self, step: int) -> None:
        self.clock.told = time.monotonic()
        seconds = (self.length.steps - step) * self.clock.seconds_a_step()
        line = self.journal.last
        epochs = self.length.epochs(self.length.steps)
        losses = {} if line is None else line.visible()
        noun = "images" if self.setup.modality == "image" else "texts"
        words = [
            f"epoch {self.length.epochs(step):.1f} of {epochs:.4g}",
            *(f"{name.removeprefix(_OURS)} {value:.3g}" for name, value in losses.items()),
            f"{self.samples_per_second():.3g} {noun}/s",
            *([f"{duration_text(seconds)} left"] if step < self.length.steps else []),
        ]
        self.on_event(
            Event(
                kind="batch",
                model=_TRAINING,
                done=step,
                total=self.length.steps,
                message=", ".join(words),
            )
        )
