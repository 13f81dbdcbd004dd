"""What a student learns of its teacher's logits: all at once, or the target class apart."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.building.recipe import SoftTargets
from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.training.targets import divergence, make_targets
from zoo.types import Lesson
from zoo_distillation.dkd import DecoupledDistillation, decoupled
from zoo_distillation.kd import LogitDistillation

SEEDS = st.integers(0, 2**32 - 1)
TEMPERATURES = st.floats(0.5, 20)


def _logits(seed, classes=6, batch=5, scale=3.0):
    """Student, teacher, and a class of each sample."""
    draw = torch.Generator().manual_seed(seed)
    both = scale * torch.randn(2, batch, classes, generator=draw, dtype=torch.float64)
    return *both, torch.randint(classes, (batch,), generator=draw)


def _plain(student, teacher, temperature):
    return divergence(student, (teacher / temperature).log_softmax(1), temperature)


def _losses(method, classroom, lesson):
    return method.build(classroom)(lesson)


@pytest.mark.parametrize("name", ["kd", "dkd"])
def test_the_catalogue_builds_them(zoo_host, name):
    assert build(Catalogue(zoo_host).spec("distiller", name))


def test_soft_targets_are_all_of_plain_distillation(make_classroom, make_lesson, make_shape):
    method, layers = LogitDistillation(), [make_shape("a", 4)]
    classroom = make_classroom(classes=3)
    module = method.build(classroom)
    assert not method.pair([layers], layers)
    assert not method.check(classroom)
    assert method.weights(1) == {} == module(make_lesson(classroom))
    assert not list(module.parameters())


@given(SEEDS, TEMPERATURES, st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_equal_logits_leave_nothing_to_learn(seed, temperature, classes):
    same, _, target = _logits(seed, classes)
    shifted = same + 7.0
    assert _plain(shifted, same, temperature).abs() < 1e-10
    assert all(each.abs() < 1e-10 for each in decoupled(shifted, same, target, temperature))


@given(SEEDS, st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_plain_distillation_of_several_teachers_is_the_sum_of_each(seed, count):
    student, _, _ = _logits(seed)
    teachers = [_logits(seed + 1 + each)[1] for each in range(count)]
    columns, kind = [range(6)] * count, SoftTargets(kind="union", temperature=2.0)
    together = make_targets(kind, columns, 6).loss(student, teachers)
    torch.testing.assert_close(together, sum(_plain(student, each, 2.0) for each in teachers))


@given(SEEDS, TEMPERATURES, st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_plain_distillation_is_the_target_plus_a_doubted_share_of_the_others(
    seed, temperature, classes
):
    student, teacher, label = _logits(seed, classes, batch=1)
    target, others = decoupled(student, teacher, label, temperature)
    doubt = 1 - (teacher / temperature).softmax(1)[0, label]
    expected = _plain(student, teacher, temperature)
    torch.testing.assert_close(target + doubt.squeeze() * others, expected, rtol=1e-9, atol=1e-11)
    assert target > -1e-12
    assert others > -1e-12


def test_two_classes_leave_only_the_target_which_is_plain_distillation():
    student, teacher, label = _logits(0, classes=2)
    target, others = decoupled(student, teacher, label, 4.0)
    torch.testing.assert_close(target, _plain(student, teacher, 4.0))
    assert others == 0


def test_decoupled_losses_are_those_written_plainly():
    student, teacher, labels = _logits(1)
    target = others = 0.0
    for z, t, y in zip(student / 4, teacher / 4, labels.tolist(), strict=True):
        rest = [each for each in range(len(z)) if each != y]
        p, q = t.softmax(0), z.softmax(0)
        target += p[y] * (p[y] / q[y]).log() + (1 - p[y]) * ((1 - p[y]) / (1 - q[y])).log()
        wanted, said = t[rest].softmax(0), z[rest].softmax(0)
        others += (wanted * (wanted / said).log()).sum()
    count = len(labels) / 4**2
    torch.testing.assert_close(
        torch.stack(decoupled(student, teacher, labels, 4.0)),
        torch.stack((target / count, others / count)),
    )


def test_sure_logits_stay_finite_in_single_precision():
    student, teacher, label = _logits(2, scale=1e4)
    given_to = student.float().requires_grad_()
    losses = decoupled(given_to, teacher.float(), label, 1.0)
    sum(losses).backward()
    assert all(each.isfinite() for each in losses)
    assert given_to.grad.isfinite().all()


def test_gradients_reach_the_student_and_not_the_teacher():
    student, teacher, label = _logits(3)
    student.requires_grad_()
    teacher.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: decoupled(z, teacher, label, 2.0), student)
    sum(decoupled(student, teacher, label, 2.0)).backward()
    assert teacher.grad is None


def test_a_sample_without_a_label_takes_the_teachers_first_choice(make_classroom):
    student, teacher, label = _logits(4)
    classroom, method = make_classroom(classes=6), DecoupledDistillation(warmup=0)
    known = {"student_logits": student, "teacher_logits": (teacher,)}
    first = teacher.argmax(1)
    cases = {None: first, torch.where(label > 2, label, -1): torch.where(label > 2, label, first)}
    for labels, meant in cases.items():
        losses = _losses(method, classroom, Lesson(**known, labels=labels))
        torch.testing.assert_close(tuple(losses.values()), decoupled(student, teacher, meant, 4.0))


def test_losses_rise_through_the_warm_up(make_classroom, make_lesson):
    classroom = make_classroom(classes=5)

    def at(progress, **options):
        lesson = make_lesson(classroom, progress=progress)
        return _losses(DecoupledDistillation(**options), classroom, lesson)["others"]

    full = at(1.0)
    published = 20 / 240
    assert at(0.0, warmup=published) == 0
    torch.testing.assert_close(at(10 / 240, warmup=published), full / 2)
    torch.testing.assert_close(at(20 / 240, warmup=published), full)
    torch.testing.assert_close(at(0.5, warmup=1.0), full / 2)
    torch.testing.assert_close(at(0.0), full)


@pytest.mark.parametrize(("classes", "said"), [(0, "no classes"), (1, "one class"), (2, "")])
def test_decoupling_needs_classes_to_tell_apart(make_classroom, classes, said):
    problems = DecoupledDistillation().check(make_classroom(classes=classes))
    assert len(problems) == bool(said)
    assert all(said in each for each in problems)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": -1.0},
        {"beta": float("nan")},
        {"alpha": 0.0, "beta": 0.0},
        {"temperature": 0.0},
        {"temperature": float("inf")},
        {"warmup": 1.5},
    ],
    ids=str,
)
def test_bad_options_are_refused_in_words(options):
    with pytest.raises(InputError, match=rf"dkd\.{next(iter(options))}"):
        DecoupledDistillation(**options)


def test_decoupling_compares_no_features(make_shape):
    layers = [make_shape("a", 4)]
    method = DecoupledDistillation(alpha=2.0)
    assert not method.pair([layers], layers)
    assert method.weights(1) == {"target": 2.0, "others": 8.0}
