"""What a student learns of the relations between samples: rkd, sp, pkt and cc."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.types import Lesson, Meeting, Pair
from zoo_distillation.cc import CorrelationCongruence, correlation
from zoo_distillation.pkt import ProbabilisticTransfer, neighbours
from zoo_distillation.rkd import (
    RelationalDistillation,
    RelationalLoss,
    angles,
    distances,
    squared_distances,
)
from zoo_distillation.sp import SimilarityPreservation, similarity

METHODS = {
    "rkd": RelationalDistillation,
    "sp": SimilarityPreservation,
    "pkt": ProbabilisticTransfer,
    "cc": CorrelationCongruence,
}
EVERY = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
SEEDS = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-8, "atol": 1e-11}


def _draw(seed, batch=7, student=5, teacher=9):
    """Features of a student and a teacher, and a rotation of the student's space."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*size):
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    rotation = torch.linalg.qr(normal(student, student)).Q
    return normal(batch, student), normal(batch, teacher), rotation


def _rkd(student, teacher, **options):
    method = RelationalDistillation(**options)
    lesson = Lesson(meetings=(Meeting(student=student, teachers=(teacher,)),))
    return method.build(None)(lesson)


@pytest.fixture
def classroom(make_classroom, make_shape):
    return make_classroom([(make_shape("s", 5), make_shape("t", 9))])


@pytest.mark.parametrize("name", METHODS)
def test_the_catalogue_builds_them(zoo_host, name):
    assert build(Catalogue(zoo_host).spec("distiller", name))


@EVERY
def test_every_loss_has_a_weight_and_reaches_student_and_extras(classroom, make_lesson, method):
    module = method().build(classroom).double()
    lesson = make_lesson(classroom)
    losses = module(lesson)
    assert set(losses) == set(method().weights(1))
    assert all(each.shape == () and each > 0 for each in losses.values())
    sum(losses.values()).backward()
    (meeting,) = lesson.meetings
    assert meeting.student.grad.abs().sum() > 0
    assert all(each.grad is not None for each in module.parameters())


@EVERY
def test_vectors_at_the_end_are_compared(classroom, make_shape, method):
    layers = [make_shape("a", 4, (2, 2)), make_shape("b", 8)]
    assert method().pair([layers], layers) == (Pair(student="b", teachers=("b",), form="vector"),)
    assert not method().check(classroom)
    with pytest.raises(InputError, match="student has no layer"):
        method().pair([layers], [])


@pytest.mark.parametrize("name", ["rkd", "sp", "pkt"])
def test_the_order_of_a_batch_does_not_matter(classroom, make_lesson, name):
    module, (meeting,) = METHODS[name]().build(classroom), make_lesson(classroom).meetings
    order = torch.randperm(len(meeting.student))
    mixed = Meeting(student=meeting.student[order], teachers=(meeting.teachers[0][order],))
    torch.testing.assert_close(
        module(Lesson(meetings=(mixed,))), module(Lesson(meetings=(meeting,)))
    )


@EVERY
def test_a_student_without_any_differences_gets_finite_gradients(classroom, make_lesson, method):
    module = method().build(classroom)
    for value in (0.0, 3.0):
        student = torch.full((8, 5), value, requires_grad=True)
        (teacher,) = make_lesson(classroom, kind=torch.float32).meetings[0].teachers
        losses = module(Lesson(meetings=(Meeting(student=student, teachers=(teacher,)),)))
        sum(losses.values()).backward()
        assert all(each.isfinite() for each in losses.values())
        assert student.grad.isfinite().all()


@given(SEEDS, st.floats(1e-2, 1e2), st.booleans())
@settings(max_examples=25, deadline=None)
def test_distances_and_angles_know_no_scale_rotation_or_place(seed, scale, swapped):
    one, two, rotation = _draw(seed)
    moved = scale * one @ rotation + 5.0
    pairs = ((two, one), (two, moved)) if swapped else ((one, two), (moved, two))
    expected, found = (_rkd(*pair) for pair in pairs)
    torch.testing.assert_close(found, expected, **EXACT)
    alike = _rkd(moved, one)
    assert all(each < 1e-12 for each in alike.values())


def test_distances_and_angles_are_those_written_plainly():
    student, _, _ = _draw(0)
    found = squared_distances(student)
    apart = torch.cdist(student, student, compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(distances(*found), apart / apart[apart > 0].mean())
    sides = functional.normalize(student - student[:, None], dim=2, eps=1e-12)
    torch.testing.assert_close(angles(*found), sides @ sides.mT)


def test_relations_are_exact_enough_in_single_precision():
    student, teacher, _ = _draw(1, batch=32, student=64, teacher=96)
    off_centre = student + 30.0

    def both(kind):
        given_to = off_centre.to(kind).requires_grad_()
        total = sum(_rkd(given_to, teacher.to(kind)).values())
        total.backward()
        return total.detach().double(), given_to.grad.double()

    for found, expected in zip(both(torch.float32), both(torch.float64), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_equal_samples_are_a_millionth_apart_and_give_no_gradient(kind):
    student, teacher, _ = _draw(2, student=300)
    student = (1e3 + student).to(kind)
    student[4] = student[1]
    squared, apart = squared_distances(student)
    assert not apart[1, 4]
    assert apart.sum() == 7 * 6 - 2
    found = distances(squared, apart)
    assert 0 < found[1, 4] < 1e-5
    cosines = angles(squared, apart)
    assert (cosines[1, 4] == 0).all()
    assert (cosines[1, :, 4] == 0).all()
    student.requires_grad_()
    sum(_rkd(student, teacher.to(kind)).values()).backward()
    assert student.grad.abs().max() < 1


def test_gradients_of_relations_are_right():
    student, teacher, _ = _draw(3, batch=4)
    student.requires_grad_()
    for loss in (lambda z: _rkd(z, teacher)["angle"], lambda z: _rkd(z, teacher)["distance"]):
        assert torch.autograd.gradcheck(loss, student)
    assert torch.autograd.gradcheck(lambda z: similarity(z, teacher), student)
    assert torch.autograd.gradcheck(lambda z: neighbours(z, teacher), student)


def test_no_gradient_reaches_the_teacher_through_relations():
    student, teacher, _ = _draw(4)
    student.requires_grad_()
    teacher.requires_grad_()
    losses = *_rkd(student, teacher).values(), similarity(student, teacher)
    (sum(losses) + neighbours(student, teacher)).backward()
    assert teacher.grad is None


def test_angles_of_a_large_batch_are_those_of_its_first_samples():
    student, teacher, _ = _draw(5, batch=9)
    found = _rkd(student, teacher, most=4)
    torch.testing.assert_close(found["angle"], _rkd(student[:4], teacher[:4])["angle"])
    assert found["distance"] == _rkd(student, teacher)["distance"]


@pytest.mark.parametrize(("left_out", "kept"), [("distance", "angle"), ("angle", "distance")])
def test_a_relation_without_weight_is_left_out(left_out, kept):
    student, teacher, _ = _draw(6)
    assert set(_rkd(student, teacher, **{left_out: 0.0})) == {kept}
    assert set(RelationalDistillation(**{left_out: 0.0}).weights(1)) == {kept}
    assert isinstance(RelationalDistillation().build(None), RelationalLoss)


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        (RelationalDistillation, {"distance": -1.0}, r"rkd\.distance must be .* not -1"),
        (RelationalDistillation, {"angle": float("inf")}, r"rkd\.angle must be .* not inf"),
        (RelationalDistillation, {"distance": 0.0, "angle": 0.0}, "both 0"),
        (RelationalDistillation, {"most": 2}, r"rkd\.most must be 3 or more"),
        (CorrelationCongruence, {"width": 0}, r"cc\.width must be 1 or more, not 0"),
    ],
)
def test_bad_options_are_refused_in_words(method, options, said):
    with pytest.raises(InputError, match=said):
        method(**options)


@given(SEEDS, st.floats(1e-2, 1e2))
@settings(max_examples=25, deadline=None)
def test_similarities_know_no_rotation_and_no_scale(seed, scale):
    student, teacher, rotation = _draw(seed)
    moved = scale * student @ rotation
    torch.testing.assert_close(similarity(moved, teacher), similarity(student, teacher), **EXACT)
    torch.testing.assert_close(similarity(teacher, moved), similarity(teacher, student), **EXACT)
    assert similarity(moved, student) < 1e-20


def test_similarities_of_whole_maps_are_those_of_flat_ones(make_shape):
    layers = [make_shape("a", 4, (2, 2))]
    (pair,) = SimilarityPreservation(whole=True).pair([layers], layers)
    assert pair.form == "own"
    maps = torch.randn(6, 4, 2, 2, dtype=torch.float64)
    _, teacher, _ = _draw(7, batch=6)
    strided = maps.to(memory_format=torch.channels_last)
    torch.testing.assert_close(similarity(strided, teacher), similarity(maps.flatten(1), teacher))


@given(SEEDS, st.floats(1e-2, 1e2))
@settings(max_examples=25, deadline=None)
def test_neighbourhoods_are_a_divergence_that_knows_no_rotation(seed, scale):
    student, teacher, rotation = _draw(seed)
    moved = scale * student @ rotation
    value = neighbours(student, teacher)
    assert value > -1e-7
    assert neighbours(student, student) == 0
    assert neighbours(moved, student).abs() < 1e-7
    # Lengths are shifted by 1e-7, as published, so the scale is felt a little.
    torch.testing.assert_close(neighbours(moved, teacher), value, rtol=1e-3, atol=1e-6)


def test_correlation_of_errors_is_that_written_plainly():
    draw = torch.Generator().manual_seed(8)
    one, two = torch.randn(2, 6, 4, generator=draw, dtype=torch.float64)
    error = (one - two).abs()
    expected = sum(error[b] @ error[b + 1] for b in range(5)) / 5
    torch.testing.assert_close(correlation(one, two), expected)
    assert correlation(one, one) == 0


def test_embeddings_have_the_width_asked_for_and_are_drawn_from_the_seed(classroom):
    def built():
        torch.manual_seed(3)
        return CorrelationCongruence(width=16).build(classroom).state_dict()

    one, two = built(), built()
    assert {name: tuple(each.shape) for name, each in one.items()} == {
        "student.weight": (16, 5),
        "student.bias": (16,),
        "teacher.weight": (16, 9),
        "teacher.bias": (16,),
    }
    assert all(torch.equal(each, two[name]) for name, each in one.items())


@EVERY
def test_modules_can_be_counted_without_memory(classroom, method):
    with torch.device("meta"):
        assert all(each.is_meta for each in method().build(classroom).parameters())
