"""The modules of several methods as one: each sees its part of a lesson, their losses add up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zoo.building.methods import loss_name

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.building.methods import Seat, Several
    from zoo.types.distilling import Classroom
    from zoo.types.training import Lesson


class Seats(nn.Module):
    """One module a seat; the losses of a method with several seats are averaged.

    Args:
        methods: with their seats.
        classroom: with all stages and teachers.
    """

    def __init__(self, methods: Several, classroom: Classroom) -> None:
        super().__init__()
        self.seats = methods.seats
        self.seated = nn.ModuleList(
            seat.part.method.build(methods.seen_from(seat, classroom)) for seat in methods.seats
        )
        self._columns = []
        for number, each in enumerate(methods.columns):
            name = None if each is None else f"columns_{number}"
            if name is not None:
                self.register_buffer(name, torch.tensor(each, device="cpu"), persistent=False)
            self._columns.append(name)

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Give the losses of all methods, by names that do not collide."""
        lesson = replace(lesson, teacher_logits=self._in_columns(lesson.teacher_logits))
        found: dict[str, list[Tensor]] = {}
        for seat, module in zip(self.seats, self.seated, strict=True):
            for name, value in module(_seen_from(seat, lesson)).items():
                found.setdefault(loss_name(seat.part, name), []).append(value)
        return {
            name: values[0] if len(values) == 1 else torch.stack(values).mean()
            for name, values in found.items()
        }

    def display(self, name: str, value: float, batch: int) -> float:
        """Give the number that the method wants to be seen."""
        for seat, module in zip(self.seats, self.seated, strict=True):
            display = getattr(module, "display", None)
            own = name.removeprefix(f"{seat.part.name}.")
            if display is not None and loss_name(seat.part, own) == name:
                return float(display(own, value, batch))
        return value

    def findings(self) -> dict[str, dict[str, Any]]:
        """Give what methods found that a later run may be given: method -> options."""
        found: dict[str, dict[str, Any]] = {}
        for seat, module in zip(self.seats, self.seated, strict=True):
            tell = getattr(module, "findings", None)
            told = dict(tell()) if tell is not None else {}
            if told:
                found.setdefault(seat.part.name, {}).update(told)
        return found

    def _in_columns(self, logits: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        """Bring the teachers' logits into the order of the student's columns."""
        if not self._columns:
            return logits
        return tuple(
            None if each is None or name is None else each[:, self.get_buffer(name)]
            for each, name in zip(logits, self._columns, strict=True)
        )


def _seen_from(seat: Seat, lesson: Lesson) -> Lesson:
    meetings = (lesson.meetings[each] for each in seat.stages)
    return replace(
        lesson,
        meetings=tuple(
            replace(each, teachers=tuple(each.teachers[number] for number in seat.teachers))
            for each in meetings
        ),
        teacher_logits=tuple(lesson.teacher_logits[number] for number in seat.teachers),
        watched=tuple(lesson.watched[each] for each in seat.watched),
    )
