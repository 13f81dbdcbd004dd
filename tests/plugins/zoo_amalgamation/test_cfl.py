"""Common-feature learning on maps, grids of tokens and vectors."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.types.training import Lesson, Meeting
from zoo_amalgamation.cfl import CommonFeatureLearning
from zoo_amalgamation.mmd import floor

GRIDS = pytest.mark.parametrize("grid", [(3, 3), (2, 5), None], ids=["square", "wide", "vectors"])


def _build(stages, **options):
    torch.manual_seed(0)
    return CommonFeatureLearning(width=4, **options).build(stages).double()


def test_it_is_advertised_with_its_limits(zoo_host):
    spec = Catalogue(zoo_host).spec("amalgamator", "cfl")
    assert (spec.kind, spec.soft, spec.smallest_batch, spec.advised_batch) == (
        "training",
        True,
        4,
        16,
    )
    assert isinstance(build(spec, {"common_loss": "paired"}), CommonFeatureLearning)


@GRIDS
@pytest.mark.parametrize("block", ["official", "batch_norm"])
@pytest.mark.parametrize("bandwidth", ["fixed", "adaptive"])
def test_every_network_may_have_its_own_width(make_stage, make_lesson, grid, block, bandwidth):
    stages = [make_stage(5, 7, 3, 6, grid=grid)]
    extras = _build(stages, block=block, bandwidth=bandwidth)
    lesson = make_lesson(stages)
    losses = extras(lesson)
    assert set(losses) == {"mmd", "reconstruction"}
    assert all(each.shape == () and each > 0 for each in losses.values())
    sum(losses.values()).backward()
    assert lesson.meetings[0].student.grad.abs().sum() > 0
    assert all(each.grad is None for each in lesson.meetings[0].teachers)
    assert all(each.grad is not None for each in extras.parameters())


@pytest.mark.parametrize(
    ("common_loss", "names"),
    [
        ("mmd", {"mmd", "reconstruction"}),
        ("paired", {"paired", "reconstruction"}),
        ("mmd+paired", {"mmd", "paired", "reconstruction"}),
    ],
)
def test_the_weights_name_the_losses(make_stage, make_lesson, common_loss, names):
    stages = [make_stage(5, 7, 3)]
    losses = _build(stages, common_loss=common_loss)(make_lesson(stages))
    weights = CommonFeatureLearning(common_loss=common_loss).weights(2)
    assert set(losses) == set(weights) == names
    assert set(weights.values()) == {1.0}


@GRIDS
def test_one_teacher_is_enough(make_stage, make_lesson, grid):
    stages = [make_stage(5, 7, grid=grid)]
    losses = _build(stages, common_loss="mmd+paired")(make_lesson(stages))
    assert all(torch.isfinite(each) for each in losses.values())


@GRIDS
def test_another_teacher_changes_nothing_in_the_reconstruction_of_the_first(
    make_stage, make_lesson, grid
):
    both, alone = [make_stage(5, 7, 3, grid=grid)], [make_stage(5, 7, grid=grid)]
    lesson = make_lesson(both)
    (space,) = _build(both).spaces
    (single,) = _build(alone).spaces
    single.load_state_dict(
        {name: value for name, value in space.state_dict().items() if name in single.state_dict()}
    )
    meeting = lesson.meetings[0]
    together = space(meeting.student, meeting.teachers)
    torch.testing.assert_close(
        single(meeting.student, meeting.teachers[:1]).reconstructions[0],
        together.reconstructions[0],
    )
    torch.testing.assert_close(
        single(meeting.student, meeting.teachers[:1]).student, together.student
    )


def test_losses_of_several_stages_are_summed(make_stage, make_lesson):
    stages = [make_stage(5, 7, 3, grid=(4, 4)), make_stage(8, 6, 9)]
    extras, lesson = _build(stages, common_loss="mmd+paired"), make_lesson(stages)
    total = extras(lesson)
    parts = []
    for space, meeting in zip(extras.spaces, lesson.meetings, strict=True):
        single = _build(stages[:1], common_loss="mmd+paired")
        single.spaces[0] = space
        parts.append(single(Lesson(meetings=(meeting,))))
    for name, value in total.items():
        torch.testing.assert_close(value, parts[0][name] + parts[1][name])


def test_maps_of_any_layout_are_read(make_stage, make_lesson):
    stages = [make_stage(5, 7, 3)]
    extras, lesson = _build(stages), make_lesson(stages)
    (meeting,) = lesson.meetings
    turned = [each.movedim(1, -1).contiguous().movedim(-1, 1) for each in meeting.teachers]
    assert not any(each.is_contiguous() for each in turned)
    again = extras(Lesson(meetings=(replace(meeting, teachers=tuple(turned)),)))
    for name, value in extras(lesson).items():
        torch.testing.assert_close(again[name], value)


def test_a_student_like_its_teacher_is_where_it_is(make_stage):
    stages = [make_stage(7, 7)]
    extras = _build(stages, common_loss="mmd+paired")
    (space,) = extras.spaces
    space.adapt_student.load_state_dict(space.adapt_teachers[0].state_dict())
    features = torch.randn(6, 7, 3, 3, dtype=torch.float64)
    losses = extras(Lesson(meetings=(Meeting(student=features, teachers=(features,)),)))
    assert losses["mmd"] < 1e-9
    assert losses["paired"] < 1e-9
    assert losses["reconstruction"] > 0
    swapped = Lesson(meetings=(Meeting(student=features.flip(0), teachers=(features,)),))
    assert extras(swapped)["mmd"] < 1e-9, "sets have no order"
    assert extras(swapped)["paired"] > 1e-3, "pairs have"


def test_the_discrepancy_is_shown_without_its_floor(make_stage):
    stages = [make_stage(5, 7, 3), make_stage(5, 7, 3)]
    extras = _build(stages)
    assert extras.display("mmd", 4 * floor(64) + 0.25, 64) == pytest.approx(0.25)
    assert extras.display("mmd", 0.0, 64) == 0
    assert extras.display("reconstruction", 0.3, 64) == 0.3


@pytest.mark.parametrize("width", [0, 12])
def test_the_space_is_no_wider_than_a_narrow_student(make_stage, width):
    for student, expected in ((16, 16), (512, 128)):
        for grid in ((2, 2), None):
            method = CommonFeatureLearning(width=width, blocks=1)
            (space,) = method.build([make_stage(student, 8, grid=grid)]).spaces
            given = space(
                torch.randn(4, student, *(grid or ())), [torch.randn(4, 8, *(grid or ()))]
            )
            assert given.student.shape[1] == (width or expected)


def test_layers_are_paired_at_the_same_relative_depth(make_shape):
    student = [make_shape(f"s{number}", 8, (4, 4)) for number in range(4)]
    first = [make_shape(f"a{number}", 8, (4, 4)) for number in range(12)]
    second = [make_shape(f"b{number}", 8) for number in range(2)]
    pair = CommonFeatureLearning().pair([first, second], student)
    assert list(pair) == [("s3", ("a11", "b1"))]
    pair = CommonFeatureLearning(stages=2).pair([first, second], student)
    assert list(pair) == [("s1", ("a5", "b0")), ("s3", ("a11", "b1"))]
    with pytest.raises(InputError, match="Teacher 2 has 2 layers") as caught:
        CommonFeatureLearning(stages=3).pair([first, second], student)
    assert caught.value.hint == "--set stages=2"
    with pytest.raises(InputError, match="The student has 0 layers"):
        CommonFeatureLearning().pair([first, second], [])


def test_small_batches_are_refused_where_sets_are_compared(make_stage):
    stages = [make_stage(5, 7)]
    (problem,) = CommonFeatureLearning().check(stages, 3)
    assert "3 samples" in problem
    assert not CommonFeatureLearning().check(stages, 4)
    assert not CommonFeatureLearning(common_loss="paired").check(stages, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"common_loss": "l2"}, "cfl.common_loss must be mmd, paired or mmd.paired, not 'l2'"),
        ({"bandwidth": "wide"}, "cfl.bandwidth must be fixed or adaptive"),
        ({"block": "other"}, "cfl.block must be official or batch_norm"),
        ({"width": -1}, "cfl.width must be 0 or more, not -1"),
        ({"blocks": 0}, "cfl.blocks must be 1 or more, not 0"),
        ({"stages": 0}, "cfl.stages must be 1 or more, not 0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        CommonFeatureLearning(**options)


def test_it_can_be_resumed_from_its_state(make_stage, make_lesson):
    stages = [make_stage(5, 7, 3)]
    extras = _build(stages)
    torch.manual_seed(1)
    other = CommonFeatureLearning(width=4).build(stages).double()
    lesson = make_lesson(stages)
    assert other(lesson)["mmd"] != extras(lesson)["mmd"]
    other.load_state_dict(extras.state_dict())
    assert other(lesson)["mmd"] == extras(lesson)["mmd"]


def test_it_runs_under_autocast(make_stage, make_lesson):
    stages = [make_stage(5, 7, 3)]
    extras = _build(stages, common_loss="mmd+paired").float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = extras(make_lesson(stages, kind=torch.float32))
    assert {each.dtype for each in losses.values()} == {torch.float32}
