"""The methods beside common-feature learning."""

from __future__ import annotations

import pytest
import torch

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.types.training import Lesson, Meeting
from zoo_amalgamation.agglomerate import Agglomerate
from zoo_amalgamation.kd import SoftTargetsAlone
from zoo_amalgamation.layerwise import LayerWise

GRIDS = pytest.mark.parametrize("grid", [(3, 3), None], ids=["maps", "vectors"])


@pytest.fixture
def networks(make_shape):
    """``networks(name, grids)``: layers of a network."""

    def make(name, grids, width=8):
        return [make_shape(f"{name}{number}", width, grid) for number, grid in enumerate(grids)]

    return make


@pytest.mark.parametrize("name", ["cfl", "kd", "layerwise", "agglomerate", "ensemble"])
def test_every_method_can_be_built(zoo_host, name):
    assert build(Catalogue(zoo_host).spec("amalgamator", name))


@GRIDS
@pytest.mark.parametrize("method", [LayerWise, Agglomerate])
def test_every_loss_has_a_weight_and_reaches_student_and_extras(
    make_stage, make_lesson, method, grid
):
    stages = [make_stage(5, 7, 3, grid=grid), make_stage(4, 2, 6, grid=grid)]
    extras = method().build(stages).double()
    lesson = make_lesson(stages)
    losses = extras(lesson)
    assert set(losses) == set(method().weights(2))
    assert all(each.shape == () and each > 0 for each in losses.values())
    sum(losses.values()).backward()
    for meeting in lesson.meetings:
        assert meeting.student.grad.abs().sum() > 0
        assert all(each.grad is None for each in meeting.teachers)
    assert all(each.grad is not None for each in extras.parameters())


@GRIDS
@pytest.mark.parametrize("method", [LayerWise, Agglomerate])
def test_one_teacher_is_enough(make_stage, make_lesson, method, grid):
    stages = [make_stage(5, 7, grid=grid)]
    losses = method().build(stages).double()(make_lesson(stages))
    assert all(torch.isfinite(each) for each in losses.values())


def test_soft_targets_alone_add_nothing(networks):
    method = SoftTargetsAlone()
    layers = networks("a", [(4, 4)])
    assert not method.pair([layers], layers)
    assert not method.check([], 1)
    assert method.weights(2) == {} == method.build([])(Lesson())
    assert not list(method.build([]).parameters())


def test_layers_are_paired_one_by_one_where_they_are_alike(networks):
    grids = [(8, 8), (4, 4), (4, 4), None]
    pairs = LayerWise().pair([networks("a", grids, 4), networks("b", grids)], networks("s", grids))
    assert list(pairs) == [(f"s{depth}", (f"a{depth}", f"b{depth}")) for depth in range(4)]


def test_layers_are_paired_by_grid_where_the_student_has_others(networks):
    teachers = [networks(name, [(8, 8), (8, 8), (4, 4), (2, 2)]) for name in "ab"]
    pairs = LayerWise().pair(teachers, networks("s", [(16, 16), (8, 8), (2, 2), (2, 2)]))
    assert list(pairs) == [("s1", ("a1", "b1")), ("s3", ("a3", "b3"))]


def test_teachers_of_other_layers_are_refused_in_words(networks):
    teachers = [networks("a", [(8, 8), (4, 4)]), networks("b", [(8, 8)])]
    with pytest.raises(InputError) as caught:
        LayerWise().pair(teachers, networks("s", [(8, 8)]))
    assert "teacher 1 has 2 layers (8x8, 4x4), teacher 2 has 1 layer (8x8)" in str(caught.value)
    assert "cfl" in caught.value.hint


def test_a_student_on_other_grids_is_refused_in_words(networks):
    teachers = [networks("a", [(8, 8), (4, 4)])] * 2
    with pytest.raises(InputError, match=r"it has 1 layer \(vectors\), the teachers have 2 layers"):
        LayerWise().pair(teachers, networks("s", [None]))


def test_the_student_follows_the_joint_code_and_does_not_shape_it(make_stage, make_lesson):
    stages = [make_stage(5, 7, 3)]
    extras = LayerWise().build(stages).double()
    extras(make_lesson(stages))["amalgamation"].backward()
    (code,) = extras.codes
    assert code.adapter.weight.grad is not None
    assert code.encoder.weight.grad is None
    assert code.decoder.weight.grad is None


@GRIDS
def test_heads_learn_every_position_of_every_teacher(make_stage, grid):
    """A student that holds both teachers is decoded by heads that train for a moment."""
    torch.manual_seed(0)
    stages = [make_stage(8, 5, 3, grid=grid)]
    extras = Agglomerate(hidden=32).build(stages)
    teachers = tuple(torch.randn(32, width, *(grid or ())) for width in (5, 3))
    lesson = Lesson(meetings=(Meeting(student=torch.cat(teachers, 1), teachers=teachers),))
    optimiser = torch.optim.Adam(extras.parameters(), lr=1e-2)
    before = {name: value.item() for name, value in extras(lesson).items()}
    for _ in range(150):
        optimiser.zero_grad()
        sum(extras(lesson).values()).backward()
        optimiser.step()
    after = {name: value.item() for name, value in extras(lesson).items()}
    assert all(after[name] < 0.1 * before[name] for name in before)


def test_the_teachers_of_agglomeration_do_not_touch_each_other(make_stage, make_lesson):
    stages = [make_stage(5, 7, 3)]
    extras = Agglomerate().build(stages).double()
    lesson = make_lesson(stages)
    single = Agglomerate().build([make_stage(5, 7)]).double()
    single.heads[0][0] = extras.heads[0][0]
    other = Agglomerate().build([make_stage(5, 3)]).double()
    other.heads[0][0] = extras.heads[0][1]
    (meeting,) = lesson.meetings
    parts = [
        module(Lesson(meetings=(Meeting(student=meeting.student, teachers=(teacher,)),)))
        for module, teacher in zip((single, other), meeting.teachers, strict=True)
    ]
    for name, value in extras(lesson).items():
        torch.testing.assert_close(value, parts[0][name] + parts[1][name])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"hidden": -1}, "agglomerate.hidden must be"), ({"stages": 0}, "agglomerate.stages must be")],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        Agglomerate(**options)
