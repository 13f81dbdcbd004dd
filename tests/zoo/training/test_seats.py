"""The modules of several methods as one: who sees what, and what becomes of their losses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from zoo.building.methods import Part, Several
from zoo.training.seats import Seats
from zoo.types import DistillerSpec, RegulariserSpec
from zoo.types.distilling import Classroom, Pair
from zoo.types.training import FeatureShape, Lesson, Meeting

LAYERS = tuple(FeatureShape(tap=f"l{n}", width=2 + n, grid=(2, 2)) for n in range(2))
TEACHERS = (LAYERS, tuple(replace(each, width=each.width + 5) for each in LAYERS))


class Sums(nn.Module):
    """Gives the sum of what it is shown, and what a person should see instead."""

    def __init__(self, classroom, names):
        super().__init__()
        self.classroom, self.names, self.lessons = classroom, names, []
        self.linear = nn.Linear(classroom.stages[0].teachers[0].width if names else 1, 1)

    def forward(self, lesson):
        self.lessons.append(lesson)
        total = sum(each.sum() for met in lesson.meetings for each in met.teachers)
        return {name: torch.as_tensor(total * n) for n, name in enumerate(self.names, 1)}

    def display(self, name, value, batch):
        return value * 10 + batch if name == self.names[0] else value

    def findings(self):
        width = self.classroom.stages[0].teachers[0].width
        return {f"best-{width}": True} if self.names[0] == "first" else {}


class Method:
    def __init__(self, *names, layer=-1):
        self.names, self.layer = names, layer

    def pair(self, teachers, student):
        taps = tuple(each[self.layer].tap for each in teachers)
        return (Pair(student=student[self.layer].tap, teachers=taps, form="vector"),)

    def check(self, classroom):
        return ()

    def weights(self, teachers):
        return dict.fromkeys(self.names, 1.0)

    def build(self, classroom):
        return Sums(classroom, self.names)


class Quiet:
    """Looks at the student, and has nothing to say but its loss."""

    def watch(self, student):
        return [student[0].tap]

    def weights(self):
        return {"quiet": 1.0}

    def build(self, classroom):
        class Square(nn.Module):
            def forward(self, lesson):
                (seen,) = lesson.watched
                return {"quiet": seen.square().sum()}

        return Square()


def part(name, method, *, teachers="each", kind="distiller"):
    make = {
        "distiller": lambda: DistillerSpec(name=name, target="", summary="", teachers=teachers),
        "regulariser": lambda: RegulariserSpec(name=name, target="", summary=""),
    }
    return Part(kind=kind, spec=make[kind](), method=method, weight=1.0)


def seated(*parts, teachers=TEACHERS, columns=(), **classroom):
    methods = replace(Several(parts=parts).paired(teachers, LAYERS), columns=columns)
    room = Classroom(
        stages=methods.stages, watched=methods.watched, teachers=len(teachers), **classroom
    )
    return Seats(methods, room), methods


def lesson_of(methods, *, logits=(), batch=3):
    """A lesson in which every number of teacher n is n + 1."""

    def values(shape, value):
        return torch.full((batch, shape.width, *(shape.grid or ())), float(value))

    return Lesson(
        meetings=tuple(
            Meeting(
                student=values(stage.student, 0),
                teachers=tuple(values(each, n + 1) for n, each in enumerate(stage.teachers)),
            )
            for stage in methods.stages
        ),
        teacher_logits=logits or (None,) * len(methods.stages[0].teachers),
        watched=tuple(values(each, 2) for each in methods.watched),
    )


def test_a_loss_is_the_mean_over_the_teachers_and_has_the_methods_name():
    seats, methods = seated(part("sums", Method("first", "second")))
    found = seats(lesson_of(methods))
    widths = [each[-1].width for each in TEACHERS]
    mean = (3 * widths[0] * 1 + 3 * widths[1] * 2) / 2
    assert {name: float(value) for name, value in found.items()} == {
        "sums.first": mean,
        "sums.second": 2 * mean,
    }
    assert set(found) == set(methods.weights(2))


def test_one_teacher_is_no_mean_and_a_loss_called_like_its_method_has_one_name():
    seats, methods = seated(part("sums", Method("sums")), teachers=TEACHERS[:1])
    assert {name: float(each) for name, each in seats(lesson_of(methods)).items()} == {
        "sums": 3.0 * LAYERS[-1].width
    }


def test_every_seat_sees_its_own_teacher_and_stage_and_no_other():
    parts = (
        part("deep", Method("deep")),
        part("shallow", Method("shallow", layer=0)),
        part("crowd", Method("crowd"), teachers="several"),
    )
    logits = (torch.ones(3, 4), torch.ones(3, 4) * 2)
    seats, methods = seated(*parts)
    seats(lesson_of(methods, logits=logits))
    shown = [each.lessons[0] for each in seats.seated]
    assert [len(each.meetings) for each in shown] == [1] * 5
    said = [[float(each.flatten()[0]) for each in s.meetings[0].teachers] for s in shown]
    assert said == [[1], [2], [1], [2], [1, 2]]
    widths = [[each.shape[1] for each in s.meetings[0].teachers] for s in shown]
    assert widths == [[3], [8], [2], [7], [3, 8]]
    asked = [[float(each.flatten()[0]) for each in s.teacher_logits] for s in shown]
    assert asked == said
    assert [each.classroom.teachers for each in seats.seated] == [1, 1, 1, 1, 2]


def test_logits_come_in_the_order_of_the_students_columns():
    logits = (torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 2.0]]))
    seats, methods = seated(part("sums", Method("sums")), columns=((2, 0, 1), None))
    seats(lesson_of(methods, logits=logits, batch=1))
    first, second = (each.lessons[0].teacher_logits for each in seats.seated)
    assert first[0].tolist() == [[3.0, 1.0, 2.0]]
    assert second == (None,)  # it lacks one of them


def test_a_teacher_without_a_head_has_no_logits():
    seats, methods = seated(part("sums", Method("sums")), columns=((1, 0), (0, 1)))
    seats(lesson_of(methods, logits=(None, torch.eye(2)), batch=2))
    first, second = (each.lessons[0].teacher_logits for each in seats.seated)
    assert first == (None,)
    assert second[0].tolist() == torch.eye(2).tolist()


def test_a_regulariser_sees_the_student_alone():
    seats, methods = seated(
        part("sums", Method("sums")), part("quiet", Quiet(), kind="regulariser")
    )
    found = seats(lesson_of(methods))
    assert float(found["quiet"]) == 4 * 3 * LAYERS[0].width * 4
    assert set(found) == set(methods.weights(2))


def test_a_person_sees_the_number_that_the_method_wants_to_be_seen():
    seats, _ = seated(
        part("sums", Method("first", "second")),
        part("sum", Method("sum")),
        part("quiet", Quiet(), kind="regulariser"),
    )
    assert seats.display("sums.first", 2.0, 7) == 27.0
    assert seats.display("sums.second", 2.0, 7) == 2.0
    assert seats.display("sum", 2.0, 7) == 27.0
    assert seats.display("quiet", 2.0, 7) == 2.0
    assert seats.display("unknown", 2.0, 7) == 2.0


def test_what_methods_found_is_told_by_method():
    seats, _ = seated(
        part("searching", Method("first")),
        part("plain", Method("other")),
        part("quiet", Quiet(), kind="regulariser"),
    )
    assert seats.findings() == {"searching": {"best-3": True, "best-8": True}}


def test_what_is_trained_beside_the_student_is_all_in_one_module():
    seats, methods = seated(part("a", Method("a")), part("b", Method("b"), teachers="several"))
    assert sum(each.numel() for each in seats.parameters()) == (3 + 1) + (8 + 1) + (3 + 1)
    again, _ = seated(part("a", Method("a")), part("b", Method("b"), teachers="several"))
    again.load_state_dict(seats.state_dict())
    with torch.device("meta"):
        counted = methods.build(Classroom(stages=methods.stages, teachers=2))
    assert sum(each.numel() for each in counted.parameters()) == 17


def test_columns_are_known_where_modules_are_only_counted():
    methods = replace(
        Several(parts=(part("a", Method("a")),)).paired(TEACHERS, LAYERS),
        columns=((1, 0), (0, 1)),
    )
    with torch.device("meta"):
        seats = methods.build(Classroom(stages=methods.stages, teachers=2))
    seats(lesson_of(methods, logits=(torch.eye(2), torch.eye(2)), batch=2))
    assert seats.seated[0].lessons[0].teacher_logits[0].tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("count", [1, 2])
def test_a_loss_that_is_left_out_by_some_seats_is_the_mean_of_the_others(count):
    class Shy(Method):
        def build(self, classroom):
            module = Sums(classroom, self.names)
            if classroom.stages[0].teachers[0].width == TEACHERS[1][-1].width:
                module.forward = lambda lesson: {}
            return module

    seats, methods = seated(part("shy", Shy("shy")), teachers=TEACHERS[:count])
    assert float(seats(lesson_of(methods))["shy"]) == 3.0 * LAYERS[-1].width
