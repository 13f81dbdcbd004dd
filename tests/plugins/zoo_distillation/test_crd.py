"""Contrastive distillation: negatives, memories, queues and what it costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo_distillation import crd, memory
from zoo_distillation.crd import ContrastiveDistillation, noise_contrastive_loss
from zoo_distillation.memory import Negatives, products, step_bytes

MODES = ("exact", "queue")


@pytest.fixture
def room(make_classroom, make_shape):
    """A classroom with two vectors at the end."""

    def make(**others):
        return make_classroom([(make_shape("s", 6), make_shape("t", 9))], **others)

    return make


def built(classroom, seed=0, **options):
    torch.manual_seed(seed)
    return ContrastiveDistillation(**options).build(classroom).double()


def train(module, lessons):
    """Give the losses of some steps, with a seed for each as the core sets it."""
    found = []
    for number, lesson in enumerate(lessons):
        torch.manual_seed(number)
        loss = module(lesson)["contrast"]
        loss.backward()
        found.append(loss.item())
    return found


@settings(max_examples=40, deadline=None)
@given(
    labels=st.lists(st.integers(-1, 3), min_size=2, max_size=30).filter(
        lambda found: len(set(found)) > 1
    ),
    count=st.integers(1, 40),
    labelled=st.booleans(),
)
def test_negatives_are_others_and_of_other_classes_where_classes_are_known(labels, count, labelled):
    classes = torch.tensor(labels)
    draw = Negatives(len(classes), count, classes if labelled else None)
    rows = torch.arange(len(classes))
    chosen = draw(rows)
    assert chosen.shape == (len(classes), min(count, len(classes) - 1))
    assert (chosen >= 0).all()
    assert (chosen < len(classes)).all()
    assert (chosen != rows[:, None]).all()
    if labelled:
        assert ((classes[chosen] != classes[:, None]) | (classes[:, None] < 0)).all()


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 1, 0, -1, 2, 2, 2, 1])])
def test_every_allowed_negative_is_drawn_equally_often(labels):
    torch.manual_seed(0)
    draw = Negatives(8, 5, labels)
    chosen = draw(torch.full((4000,), 4)).flatten()
    shares = chosen.bincount(minlength=8) / len(chosen)
    allowed = torch.ones(8) if labels is None else (labels != 2).float()
    allowed[4] = 0
    torch.testing.assert_close(shares, allowed / allowed.sum(), atol=0.01, rtol=0)


def test_with_as_many_negatives_as_there_are_others_each_of_them_is_one():
    chosen = Negatives(6, None)(torch.tensor([0, 3, 5]))
    assert chosen.tolist() == [[1, 2, 3, 4, 5], [0, 1, 2, 4, 5], [0, 1, 2, 3, 4]]


def test_draws_follow_the_global_seed():
    draw, rows = Negatives(50, 7), torch.arange(5)
    torch.manual_seed(3)
    first = draw(rows)
    torch.manual_seed(3)
    assert torch.equal(first, draw(rows))


def test_samples_of_one_class_have_no_negatives():
    with pytest.raises(InputError, match="all samples are of one class"):
        Negatives(4, None, torch.tensor([1, 1, 1, 1]))


def test_gathering_rows_and_multiplying_with_all_of_them_give_the_same(monkeypatch):
    torch.manual_seed(0)
    remembered = torch.randn(30, 5, dtype=torch.float64)
    chosen = torch.randint(30, (4, 7))
    found = []
    for rows_a_negative in (0, 100):
        monkeypatch.setattr(memory, "_DENSE", rows_a_negative)
        anchors = torch.linspace(-1, 1, 40, dtype=torch.float64).view(4, 2, 5).requires_grad_()
        kept = remembered.clone()
        scores = products(anchors, kept, chosen)
        kept.zero_()
        scores.square().sum().backward()
        found.append((scores.detach(), anchors.grad))
    torch.testing.assert_close(found[0], found[1])


def test_the_loss_is_what_plain_numbers_give():
    generator = np.random.default_rng(0)
    positive, negatives = generator.normal(size=5), generator.normal(size=(5, 6))
    absent = generator.random((5, 6)) < 0.3
    absent[0] = True
    count, samples, z = (~absent).sum(axis=1), 40, 1.7
    expected = 0.0
    for b in range(5):
        q, x = count[b] / samples, np.exp(positive[b]) / z
        expected -= np.log(x / (x + q + 1e-7)) / 5
        for k in np.flatnonzero(~absent[b]):
            expected -= np.log(q / (np.exp(negatives[b, k]) / z + q + 1e-7)) / 5
    found = noise_contrastive_loss(
        torch.from_numpy(positive),
        torch.from_numpy(negatives).masked_fill(torch.from_numpy(absent), -math.inf),
        torch.from_numpy(count),
        samples,
        torch.tensor(z, dtype=torch.float64).log(),
    )
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_the_constants_are_those_of_the_first_batch(room, make_lesson):
    classroom = room()
    module = built(classroom, negatives=11)
    lessons = [make_lesson(classroom, seed=seed) for seed in (1, 2)]
    torch.manual_seed(0)
    chosen = module.negatives(lessons[0].rows)
    own = module.student(lessons[0].meetings[0].student)
    index = torch.cat([lessons[0].rows[:, None], chosen], dim=1)
    scores = (module.teacher_memory[index] * own[:, None]).sum(-1) / 0.07
    expected = scores.exp().mean() * classroom.samples
    train(module, lessons[:1])
    constants = module.log_constants.clone()
    torch.testing.assert_close(constants[0].exp(), expected.detach())
    train(module, lessons[1:])
    assert torch.equal(module.log_constants, constants)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_what_is_remembered_has_length_one(room, make_lesson, mode, labelled):
    labels = torch.arange(40) % 3
    classroom = room(labelled=labelled, labels=labels if labelled else None)
    module = built(classroom, mode=mode, queue=12)
    lesson = make_lesson(classroom)
    if labelled:
        lesson = make_lesson(classroom, labels=labels[lesson.rows])
    before = module.student_memory.clone()
    train(module, [lesson])
    for remembered in (module.student_memory, module.teacher_memory):
        places = slice(8) if mode == "queue" else lesson.rows
        lengths = remembered[places].norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths))
    changed = (module.student_memory != before).any(dim=1)
    assert changed.sum() == 8


@pytest.mark.parametrize("mode", MODES)
def test_a_resumed_module_gives_the_same_losses(room, make_lesson, mode):
    classroom = room()
    lessons = [make_lesson(classroom, seed=seed) for seed in range(4)]
    options = {"mode": mode, "negatives": 9, "queue": 20}
    module = built(classroom, **options)
    train(module, lessons[:1])
    resumed = built(classroom, seed=99, **options)
    resumed.load_state_dict(module.state_dict())
    assert train(module, lessons[1:]) == train(resumed, lessons[1:])
    for (name, own), other in zip(module.named_buffers(), resumed.buffers(), strict=True):
        assert torch.equal(own, other), name


@pytest.mark.parametrize("mode", MODES)
def test_gradients_reach_the_student_and_both_embeddings_and_no_teacher(room, make_lesson, mode):
    classroom = room()
    module = built(classroom, mode=mode)
    lesson = make_lesson(classroom)
    teacher = lesson.meetings[0].teachers[0].requires_grad_()
    train(module, [lesson])
    assert lesson.meetings[0].student.grad.abs().sum() > 0
    assert all(each.grad.abs().sum() > 0 for each in module.parameters())
    assert teacher.grad is None


def test_a_queue_has_the_latest_embeddings(room, make_lesson):
    classroom = room()
    module = built(classroom, mode="queue", queue=12)
    lessons = [make_lesson(classroom, seed=seed) for seed in (1, 2)]
    train(module, lessons)
    latest = torch.cat([each.rows for each in lessons])[-12:]
    assert sorted(module.rows.tolist()) == sorted(latest.tolist())
    assert module.cursor == 4


@pytest.mark.parametrize("labelled", [False, True])
def test_a_queue_contrasts_with_other_samples_of_other_classes(room, make_lesson, labelled):
    classes = torch.arange(40) % 3
    classroom = room(labelled=labelled)
    module = built(classroom, mode="queue", queue=20)

    def lesson_of(rows, seed):
        labels = classes[rows] if labelled else None
        return make_lesson(classroom, rows=rows, labels=labels, seed=seed)

    train(module, [lesson_of(torch.arange(8), 1)])
    after = lesson_of(torch.arange(4, 12), 2)
    alike = module.rows == after.rows[:, None]
    if labelled:
        alike |= (classes[after.rows][:, None] == classes[module.rows]) & (module.rows >= 0)
    scores = module.student(after.meetings[0].student) @ module.teacher_memory.T / 0.07
    seen = []
    module.loss = lambda both, *others: seen.append((both[0][1], *others)) or both[0][0].sum()
    module(after)
    negatives, counts, absent = seen[0]
    torch.testing.assert_close(negatives, scores)
    assert torch.equal(absent, alike)
    assert torch.equal(counts, 20 - alike.sum(dim=1))


def test_a_batch_longer_than_the_queue_leaves_its_end(room, make_lesson):
    classroom = room()
    module = built(classroom, mode="queue", queue=3)
    lesson = make_lesson(classroom)
    train(module, [lesson])
    assert module.rows.tolist() == lesson.rows[-3:].tolist()


@pytest.mark.parametrize("mode", MODES)
def test_low_temperatures_do_not_overflow_in_single_precision(room, make_lesson, mode):
    classroom = room()
    module = built(classroom, mode=mode, temperature=0.002).float()
    lesson = make_lesson(classroom, kind=torch.float32)
    assert all(map(math.isfinite, train(module, [lesson, lesson])))


@pytest.mark.parametrize("mode", MODES)
def test_built_twice_with_one_seed_it_is_equal(room, mode):
    first, second = (built(room(), seed=5, mode=mode).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first if name != "log_constants")


@pytest.mark.parametrize("mode", MODES)
def test_it_can_be_counted_without_memory(room, mode):
    with torch.device("meta"):
        module = ContrastiveDistillation(mode=mode).build(room(samples=17_000_000))
    assert module.student_memory.is_meta
    assert len(module.student_memory) == (17_000_000 if mode == "exact" else 4096)


def test_memories_above_the_machine_are_refused_with_what_would_fit(room):
    classroom = room(samples=17_000_000, batch=64, memory=8 * 10**9)
    (said,) = ContrastiveDistillation(negatives=16384).check(classroom)
    assert said == (
        "crd keeps 2 x 17 000 000 x 128 numbers (17 GB) and compares 1.1 GB a batch, and 8.0 GB "
        "are free: --set crd.mode=queue or --set crd.width=32"
    )
    assert ContrastiveDistillation(mode="queue").check(classroom) == ()
    smaller = room(samples=10**6, batch=64, memory=15 * 10**8)
    (said,) = ContrastiveDistillation(negatives=16384).check(smaller)
    assert said.endswith("--set crd.mode=queue or --set crd.negatives=1024")
    assert ContrastiveDistillation(negatives=1024).check(smaller) == []
    assert ContrastiveDistillation().check(room(samples=10**9)) == []


def test_one_sample_alone_is_refused(room):
    (said,) = ContrastiveDistillation().check(room(samples=1))
    assert said == "crd contrasts every sample with others, and there is one sample."


def test_the_estimate_is_the_published_gibibyte_where_rows_are_gathered():
    found = step_bytes(batch=64, samples=10**8, width=128, count=16384, anchors=1)
    assert 2**30 < found < 1.1 * 2**30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "crd.width must be 1 or more, not 0"),
        ({"negatives": 0}, "crd.negatives must be 1 or more, not 0"),
        ({"queue": -1}, "crd.queue must be 1 or more, not -1"),
        ({"temperature": 0.0}, "crd.temperature must be above 0, not 0"),
        ({"temperature": math.nan}, "crd.temperature must be above 0, not nan"),
        ({"momentum": 1.0}, "crd.momentum must be 0 or more and below 1, not 1"),
        ({"mode": "fast"}, "crd.mode must be exact or queue, not 'fast'"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        crd.ContrastiveDistillation(**options)


def test_it_compares_the_vectors_at_the_end(make_shape):
    layers = (make_shape("a", 4, (8, 8)), make_shape("b", 6))
    (pair,) = ContrastiveDistillation().pair([layers], layers[:1])
    assert (pair.student, pair.teachers, pair.form) == ("a", ("b",), "vector")
    with pytest.raises(InputError, match="the student has no layer"):
        ContrastiveDistillation().pair([layers], [])
