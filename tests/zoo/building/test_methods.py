"""Methods that add up: their seats beside the teachers, what is read once, their weights."""

from __future__ import annotations

import pytest
from distilling_parts import Calm, Ends, Even, Maps, Silent

from zoo.building.methods import Part, Several, classroom_of, loss_name
from zoo.building.problems import Problems
from zoo.errors import InputError
from zoo.types import DistillerSpec, ObjectiveSpec, RegulariserSpec
from zoo.types.distilling import Pair
from zoo.types.training import FeatureShape


def layers(*widths, grids=(8, 4)):
    return tuple(
        FeatureShape(tap=f"l{number}", width=width, grid=(grid, grid) if grid else None)
        for number, (width, grid) in enumerate(zip(widths, grids, strict=True))
    )


TEACHERS = (layers(10, 20), layers(11, 21, grids=(6, 2)))
STUDENT = layers(4, 5)


def part(name, method, *, kind="distiller", weight=1.0, teachers="each", **more):
    spec = {
        "distiller": lambda: DistillerSpec(
            name=name, target="", summary="", teachers=teachers, **more
        ),
        "objective": lambda: ObjectiveSpec(
            name=name, target="", summary="", teachers=teachers, **more
        ),
        "regulariser": lambda: RegulariserSpec(name=name, target="", summary="", **more),
    }[kind]()
    return Part(kind=kind, spec=spec, method=method, weight=weight)


def whole(stage, number):
    """The shape of one teacher's side of a stage, without its name."""
    return stage.teachers[number].grid, stage.teachers[number].width


def test_one_teacher_is_met_where_the_method_says():
    found = Several(parts=(part("ends", Ends()), part("maps", Maps()))).paired(
        TEACHERS[:1], STUDENT
    )
    ends, maps = found.seats
    assert (ends.teachers, ends.stages, ends.watched) == ((0,), (0,), ())
    assert (maps.stages, maps.watched) == ((1, 2), (0,))
    assert found.stages[0].student == FeatureShape(tap="l1", width=5)
    assert found.stages[0].teachers == (FeatureShape(tap="l1", width=20),)
    assert [each.student.grid for each in found.stages[1:]] == [(8, 8), (4, 4)]
    assert found.watched == (STUDENT[0],)


def test_forms_say_on_which_grid_everybody_is():
    parts = (part("even", Even()), part("maps", Maps()))
    found = Several(parts=parts).paired(TEACHERS[1:], STUDENT)
    even, _, own = found.stages
    assert even.student.grid == even.teachers[0].grid == (2, 2)
    assert (own.student.grid, own.teachers[0].grid) == ((4, 4), (2, 2))


def test_a_method_of_one_teacher_has_a_seat_beside_each_and_reads_next_to_nothing_of_others():
    found = Several(parts=(part("maps", Maps()),)).paired(TEACHERS, STUDENT)
    assert [seat.teachers for seat in found.seats] == [(0,), (1,)]
    assert [seat.stages for seat in found.seats] == [(0, 1), (2, 3)]
    assert [seat.watched for seat in found.seats] == [(0,), (0,)]
    assert whole(found.stages[0], 0) == ((8, 8), 10)
    assert whole(found.stages[0], 1) == (None, 21)  # the vector at the end, which costs least
    assert whole(found.stages[3], 0) == (None, 20)
    assert whole(found.stages[3], 1) == ((2, 2), 21)


def test_a_method_of_several_has_one_seat():
    both = part("crowd", Ends(), teachers="several")
    found = Several(parts=(both,)).paired(TEACHERS, STUDENT)
    (seat,) = found.seats
    assert seat.teachers == (0, 1)
    assert [each.width for each in found.stages[0].teachers] == [20, 21]


def test_what_two_methods_look_at_is_read_once():
    parts = (part("a", Ends()), part("b", Ends()), part("c", Ends(), kind="objective"))
    alone = Several(parts=parts).paired(TEACHERS[:1], STUDENT)
    assert len(alone.stages) == 1
    assert [seat.stages for seat in alone.seats] == [(0,)] * 3
    crowd = part("crowd", Ends(), teachers="several")
    found = Several(parts=(*parts, crowd)).paired(TEACHERS, STUDENT)
    # Whoever is not met gives the vector at the end, which is where these methods meet the others.
    assert len(found.stages) == 1
    assert {seat.stages for seat in found.seats} == {(0,)}


def test_a_method_may_meet_teachers_at_different_layers_of_the_student():
    class Deep(Silent):
        def pair(self, teachers, student):
            ours = student[0] if teachers[0][0].width == 10 else student[1]
            return (Pair(student=ours.tap, teachers=(teachers[0][0].tap,)),)

    found = Several(parts=(part("deep", Deep()),)).paired(TEACHERS, STUDENT)
    assert [found.stages[seat.stages[0]].student.tap for seat in found.seats] == ["l0", "l1"]


def test_a_regulariser_looks_at_layers_that_others_look_at_too():
    calm = part("calm", Calm(), kind="regulariser")
    found = Several(parts=(part("maps", Maps()), calm)).paired(TEACHERS, STUDENT)
    assert found.watched == STUDENT
    assert found.seats[-1].watched == (0, 1)
    assert found.seats[-1].teachers == (0, 1)
    assert found.seats[-1].stages == ()


def test_settled_twice_it_is_the_same():
    first = Several(parts=(part("ends", Ends()), part("maps", Maps())))
    once = first.paired(TEACHERS, STUDENT)
    assert once.paired(TEACHERS, STUDENT) == once
    assert first.stages == ()


def test_a_layer_that_there_is_not_is_named():
    class Lost(Silent):
        def pair(self, teachers, student):
            return (Pair(student="l7", teachers=("l0",)),)

    with pytest.raises(InputError, match="l7"):
        Several(parts=(part("lost", Lost()),)).paired(TEACHERS[:1], STUDENT)


def test_every_method_that_cannot_be_is_named_once():
    class Picky(Silent):
        def __init__(self, why):
            self.why = why

        def pair(self, teachers, student):
            raise InputError(self.why, "Leave it out.")

    parts = (part("a", Picky("a sees none.")), part("ends", Ends()), part("b", Picky("nor b.")))
    with pytest.raises(Problems) as caught:
        Several(parts=parts).paired(TEACHERS, STUDENT)
    assert [each.message for each in caught.value.problems] == ["a sees none.", "nor b."]


def test_weights_of_a_method_multiply_those_of_its_losses():
    parts = (
        part("ends", Ends(), weight=2.0),
        part("crowd", Ends(), teachers="several"),
        part("maps", Maps(), weight=0.5),
        part("calm", Calm(), kind="regulariser", weight=0.1),
    )
    found = Several(parts=parts, added={"soft": 3.0}).weights(2)
    assert found == {
        "soft": 3.0,
        "ends.end": 2.0,
        "ends.more": 6.0,
        "crowd.end": 2.0,  # it sees both teachers
        "crowd.more": 3.0,
        "maps": 0.5,
        "calm": 0.4,
    }
    assert loss_name(parts[2], "maps") == "maps"


def test_a_method_is_shown_its_own_part_of_the_classroom():
    seen = []

    class Curious(Maps):
        def check(self, classroom):
            seen.append(classroom)
            return (f"width {classroom.stages[0].teachers[0].width} is odd.", "too late.")

    found = Several(parts=(part("ends", Ends()), part("curious", Curious()))).paired(
        TEACHERS, STUDENT
    )
    classroom = classroom_of(
        columns=[(0, 1, None), (1, 2, 0)],
        teachers=2,
        classes=3,
        stages=found.stages,
        watched=found.watched,
        samples=7,
        batch=3,
    )
    assert classroom.head == (2, 3)
    assert found.check(classroom) == ("width 10 is odd.", "too late.", "width 11 is odd.")
    assert [each.teachers for each in seen] == [1, 1]
    assert [each.head for each in seen] == [(2,), (3,)]
    assert [len(each.stages) for each in seen] == [2, 2]
    assert [len(stage.teachers) for each in seen for stage in each.stages] == [1] * 4
    assert [each.watched for each in seen] == [(STUDENT[0],)] * 2
    assert {(each.samples, each.batch, each.classes) for each in seen} == {(7, 3, 3)}


def test_without_logits_no_head_is_known():
    assert classroom_of(columns=(), teachers=2, classes=0).head == (0, 0)
