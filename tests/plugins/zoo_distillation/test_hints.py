"""FitNets hints and variational information: the student's features predict the teacher's."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo_distillation.fitnet import Hint
from zoo_distillation.vid import VariationalInformation

VECTOR = None


def convolutional(make_shape):
    sizes = [(16, (32, 32)), (16, (32, 32)), (32, (16, 16)), (64, (8, 8))]
    return [make_shape(f"layer{number}", *size) for number, size in enumerate(sizes)]


def transformer(make_shape):
    return [make_shape(f"block{number}", 192, (14, 14)) for number in range(12)]


def textual(make_shape, depth=6, width=32):
    return [make_shape(f"layer{number}", width) for number in range(depth)]


@pytest.fixture
def hinted(make_shape, make_classroom, make_lesson):
    """``hinted(student grid, teacher grid, relu=...)``: module, lesson."""

    def make(own, other, seed=0, **options):
        classroom = make_classroom([(make_shape("s", 3, own), make_shape("t", 5, other))])
        torch.manual_seed(seed)
        return Hint(**options).build(classroom).double(), make_lesson(classroom)

    return make


@pytest.mark.parametrize(
    ("own", "other", "layer", "kernel"),
    [
        ((8, 8), (4, 4), nn.Conv2d, (3, 3)),
        ((4, 4), (8, 8), nn.ConvTranspose2d, (4, 4)),
        ((5, 5), (5, 5), nn.Conv2d, (1, 1)),
        ((7, 6), (5, 5), nn.Conv2d, (3, 2)),
        ((56, 56), (14, 14), nn.Conv2d, (1, 1)),
        ((5, 5), (14, 14), nn.Conv2d, (1, 1)),
        ((6, 3), (3, 6), nn.Conv2d, (1, 1)),
        ((1, 1), (7, 7), nn.Conv2d, (1, 1)),
    ],
)
def test_regressor_brings_a_map_of_any_size_to_the_teachers(hinted, own, other, layer, kernel):
    module, lesson = hinted(own, other)
    (meeting,) = lesson.meetings
    regressor = module.regressor
    assert type(regressor.layer) is layer
    assert regressor.layer.kernel_size == kernel
    given = regressor(meeting.student)
    assert given.shape == regressor.target(meeting.teachers[0]).shape
    module(lesson)["hint"].backward()
    assert meeting.student.grad.abs().sum() > 0
    assert all(each.grad is not None for each in module.parameters())


def test_vectors_meet_through_a_linear_layer(hinted):
    module, lesson = hinted(VECTOR, VECTOR)
    (meeting,) = lesson.meetings
    layer, norm = module.regressor.layer, module.regressor.norm
    inner = meeting.student @ layer.weight.T + layer.bias
    inner = (inner - inner.mean(0)) / (inner.var(0, correction=0) + norm.eps).sqrt()
    expected = (inner - meeting.teachers[0]).square().mean()
    torch.testing.assert_close(module(lesson)["hint"], expected)


def test_regressor_without_relu_reaches_negative_numbers(hinted):
    plain, lesson = hinted((4, 4), (4, 4))
    rectified, _ = hinted((4, 4), (4, 4), relu=True)
    features = lesson.meetings[0].student
    assert plain.regressor(features).min() < 0
    torch.testing.assert_close(rectified.regressor(features), plain.regressor(features).relu())


def test_modules_built_with_one_seed_are_equal(hinted):
    one, two = (hinted((8, 8), (4, 4), seed=3)[0].state_dict() for _ in range(2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("stage", "student", "teacher"),
    [
        ("middle", "layer2", "block5"),
        ("last", "layer3", "block11"),
        (1, "layer1", "block5"),
        (3, "layer3", "block11"),
    ],
)
def test_a_hint_is_given_at_one_stage_after_the_stem(make_shape, stage, student, teacher):
    method = Hint(stage=stage)
    (pair,) = method.pair([transformer(make_shape)], convolutional(make_shape))
    assert pair.form == "own"
    assert pair.student == student
    if stage in {"last", 3}:
        assert pair.teachers == (teacher,)


@pytest.mark.parametrize("method", [Hint(), VariationalInformation()], ids=["fitnet", "vid"])
def test_models_of_texts_meet_as_vectors(make_shape, method):
    pairs = method.pair([textual(make_shape, 12)], textual(make_shape, 6))
    assert {pair.form for pair in pairs} == {"vector"}
    if isinstance(method, VariationalInformation):
        assert (pairs[-1].student, pairs[-1].teachers) == ("layer5", ("layer11",))


@pytest.mark.parametrize("method", [Hint(), VariationalInformation()], ids=["fitnet", "vid"])
def test_networks_without_layers_are_refused_in_one_sentence(make_shape, method):
    with pytest.raises(InputError, match="the teacher has no layer"):
        method.pair([[]], textual(make_shape))


@pytest.mark.parametrize("stage", ["deep", 0, -1])
def test_fitnet_refuses_a_stage_that_no_network_has(stage):
    with pytest.raises(InputError, match=r"fitnet\.stage must be middle, last or a number from 1"):
        Hint(stage=stage)


def test_fitnet_refuses_a_stage_beyond_the_last(make_shape):
    layers = convolutional(make_shape)
    with pytest.raises(InputError, match=r"fitnet\.stage is 4, .* meet at 3") as caught:
        Hint(stage=4).pair([layers], layers)
    assert caught.value.hint == "--set fitnet.stage=3"


@pytest.mark.parametrize(("own", "other"), [((6, 6), (4, 5)), ((3, 3), (6, 6)), (VECTOR, VECTOR)])
def test_information_is_the_density_of_the_teachers_features(
    make_shape, make_classroom, make_lesson, own, other
):
    classroom = make_classroom([(make_shape("s", 3, own), make_shape("t", 5, other))])
    lesson = make_lesson(classroom)
    module = VariationalInformation().build(classroom).double()
    (meeting,) = lesson.meetings
    student, teacher = meeting.student, meeting.teachers[0]
    if own is not None:
        grid = tuple(map(min, zip(own, other, strict=True)))
        pool = nn.AdaptiveAvgPool2d(grid)
        student, teacher = pool(student), pool(teacher)
    mean = module.gaussians[0].mean(student)
    shape = (1, -1, *(1 for _ in mean.shape[2:]))
    deviation = torch.full((5,), math.sqrt(5), dtype=torch.float64).reshape(shape)
    density = torch.distributions.Normal(mean, deviation).log_prob(teacher).mean()
    torch.testing.assert_close(
        module(lesson)["information"], -density - math.log(2 * math.pi) / 2, rtol=1e-6, atol=1e-6
    )


def test_information_sums_over_stages_and_learns_every_variance(
    make_shape, make_classroom, make_lesson
):
    student, teacher = convolutional(make_shape), transformer(make_shape)
    method = VariationalInformation()
    pairs = method.pair([teacher], student)
    assert [pair.student for pair in pairs] == ["layer1", "layer2", "layer3"]
    assert pairs[-1].teachers == ("block11",)
    sizes = [((4, (6, 6)), (5, (3, 3))), ((3, (3, 3)), (7, (3, 3)))]
    classroom = make_classroom(
        [(make_shape("s", *own), make_shape("t", *other)) for own, other in sizes]
    )
    torch.manual_seed(0)
    module = method.build(classroom).double()
    lesson = make_lesson(classroom)
    loss = module(lesson)["information"]
    alone = [
        gaussian(each.student, each.teachers[0])
        for gaussian, each in zip(module.gaussians, lesson.meetings, strict=True)
    ]
    torch.testing.assert_close(loss, sum(alone))
    loss.backward()
    assert all(gaussian.raw_variance.grad.abs().min() > 0 for gaussian in module.gaussians)
    torch.manual_seed(0)
    torch.testing.assert_close(method.build(classroom).double().state_dict(), module.state_dict())


@pytest.mark.parametrize("method", [Hint(), VariationalInformation()], ids=["fitnet", "vid"])
def test_shapes_alone_are_enough_to_build(make_shape, make_classroom, method):
    classroom = make_classroom([(make_shape("s", 64, (8, 8)), make_shape("t", 192, (14, 14)))])
    with torch.device("meta"):
        module = method.build(classroom)
    assert sum(each.numel() for each in module.parameters()) > 64 * 192
    assert method.check(classroom) == ()
    assert len(method.weights(1)) == 1
