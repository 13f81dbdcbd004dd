"""Holistic distillation: graphs, memories and small batches."""

from __future__ import annotations

import math

import pytest
import torch

from zoo.errors import InputError
from zoo.types import Meeting
from zoo_distillation.hkd import HolisticDistillation, adjacency, graph_distances, info_nce


@pytest.fixture
def room(make_classroom, make_shape):
    """A classroom with two vectors at the end and seven classes."""

    def make(**others):
        known = {"classes": 7, "head": (7,), "batch": 12} | others
        return make_classroom([(make_shape("s", 6), make_shape("t", 9))], **known)

    return make


def built(classroom, seed=0, **options):
    torch.manual_seed(seed)
    return HolisticDistillation(**options).build(classroom).double()


def train(module, lessons):
    """Give the losses of some steps, with a seed for each as the core sets it."""
    found = []
    for number, lesson in enumerate(lessons):
        torch.manual_seed(number)
        losses = module(lesson)
        torch.stack(list(losses.values())).sum().backward()
        found.append({name: value.item() for name, value in losses.items()})
    return found


def test_a_sample_is_the_first_of_its_own_neighbours_even_beside_equal_ones():
    logits = torch.randn(3, 5).repeat_interleave(4, dim=0)
    graph = adjacency(graph_distances(logits), 4)
    assert torch.equal(graph.sum(dim=1), torch.full((12,), 4.0))
    assert (graph.diagonal() == 1).all()
    assert torch.equal(graph, torch.block_diag(*[torch.ones(4, 4)] * 3))


def test_graphs_have_no_gradient(room, make_lesson):
    classroom = room()
    lesson = make_lesson(classroom, batch=12)
    train(built(classroom), [lesson])
    assert lesson.student_logits.grad is None
    assert lesson.meetings[0].student.grad.abs().sum() > 0


def test_the_losses_are_what_plain_numbers_give(room, make_lesson):
    classroom = room()
    for negatives in ("own", "cross"):
        module = built(classroom, negatives=negatives, count=5, neighbours=4)
        lesson = make_lesson(classroom, batch=12)
        torch.manual_seed(0)
        chosen = module.negatives(lesson.rows)
        memories = [module.student_memory.clone(), module.teacher_memory.clone()]
        features = (lesson.meetings[0].student, lesson.meetings[0].teachers[0])
        alone = [
            net(each).detach()
            for net, each in zip((module.student, module.teacher), features, strict=True)
        ]
        logits = (lesson.student_logits, lesson.teacher_logits[0])
        fused = []
        for nodes, own, encoder in zip(
            alone, logits, (module.student_graph, module.teacher_graph), strict=True
        ):
            near = (1 - graph_distances(own)).fill_diagonal_(2).topk(4).indices
            around = nodes[near].mean(dim=1)
            fused.append(encoder.linear(torch.cat([nodes, around], dim=1)).detach())
        expected = {"individual": 0.0, "holistic": 0.0}
        for me, other in ((0, 1), (1, 0)):
            source = memories[other if negatives == "cross" else me]
            for b, row in enumerate(lesson.rows):
                past = memories[other][row]
                holistic = 0.75 * past + 0.25 * fused[other][b]
                for name, anchor, positive in (
                    ("individual", alone[me][b], past),
                    ("holistic", fused[me][b], holistic / holistic.norm()),
                ):
                    scores = torch.cat([positive[None], source[chosen[b]]]) @ anchor / 0.07
                    expected[name] += (scores.logsumexp(0) - scores[0]).item() / 12
        (found,) = train(module, [lesson])
        assert found == pytest.approx(expected, rel=1e-10)


def test_the_order_of_a_batch_does_not_matter(room, make_lesson):
    classroom = room()
    lesson = make_lesson(classroom, batch=12)
    order = torch.randperm(12)
    (meeting,) = lesson.meetings
    shuffled = make_lesson(
        classroom,
        batch=12,
        rows=lesson.rows[order],
        student_logits=lesson.student_logits[order],
        teacher_logits=(lesson.teacher_logits[0][order],),
        meetings=(Meeting(student=meeting.student[order], teachers=(meeting.teachers[0][order],)),),
    )
    # All other samples are negatives, so that nothing is drawn.
    first, second = (built(classroom) for _ in range(2))
    assert train(first, [lesson])[0] == pytest.approx(train(second, [shuffled])[0], rel=1e-12)
    torch.testing.assert_close(first.student_memory, second.student_memory)


def test_what_is_remembered_has_length_one_and_nothing_else_moves(room, make_lesson):
    classroom = room()
    module = built(classroom)
    before = module.teacher_memory.clone()
    lesson = make_lesson(classroom, batch=12)
    train(module, [lesson])
    for remembered in (module.student_memory, module.teacher_memory):
        lengths = remembered[lesson.rows].norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths))
    changed = (module.teacher_memory != before).any(dim=1).nonzero().flatten()
    assert changed.tolist() == sorted(lesson.rows.tolist())


def test_a_batch_without_enough_neighbours_has_no_graph_and_is_not_remembered(room, make_lesson):
    classroom = room()
    module = built(classroom)
    before = module.student_memory.clone()
    (found,) = train(module, [make_lesson(classroom, batch=7)])
    assert found["holistic"] == 0
    assert found["individual"] > 0
    assert torch.equal(module.student_memory, before)


def test_a_resumed_module_gives_the_same_losses(room, make_lesson):
    classroom = room()
    lessons = [make_lesson(classroom, batch=12, seed=seed) for seed in range(4)]
    module = built(classroom, count=9)
    train(module, lessons[:1])
    resumed = built(classroom, seed=99, count=9)
    resumed.load_state_dict(module.state_dict())
    assert train(module, lessons[1:]) == train(resumed, lessons[1:])


def test_labels_that_come_with_the_training_keep_classes_apart(room):
    labels = torch.arange(40) % 4
    module = built(room(labelled=True, labels=labels), count=30)
    rows = torch.arange(40)
    assert (labels[module.negatives(rows)] != labels[:, None]).all()


def test_the_cross_entropy_is_that_of_torch():
    positive = torch.randn(6, 2, dtype=torch.float64)
    negatives = torch.randn(6, 2, 9, dtype=torch.float64)
    scores = torch.cat([positive[..., None], negatives], dim=2) / 0.3
    right = torch.zeros(6, dtype=torch.int64)
    expected = [torch.nn.functional.cross_entropy(scores[:, kind], right) for kind in range(2)]
    torch.testing.assert_close(info_nce(positive / 0.3, negatives / 0.3), torch.stack(expected))


def test_built_twice_with_one_seed_it_is_equal(room):
    first, second = (built(room(), seed=5).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_can_be_counted_without_memory(room):
    with torch.device("meta"):
        module = HolisticDistillation().build(room(samples=17_000_000))
    assert module.teacher_memory.shape == (17_000_000, 128)


def test_memories_above_the_machine_and_batches_without_a_graph_are_refused(room):
    large = room(samples=17_000_000, batch=64, memory=8 * 10**9)
    (said,) = HolisticDistillation(count=16384).check(large)
    assert said.startswith("hkd keeps 2 x 17 000 000 x 128 numbers (17 GB) and compares ")
    assert said.endswith("8.0 GB are free: --set hkd.width=32")
    (said,) = HolisticDistillation().check(room(samples=10**9, batch=64, memory=10**9))
    assert said.endswith("1.0 GB are free: --method rkd")
    (said,) = HolisticDistillation(neighbours=20).check(room())
    assert said == "hkd joins every sample with 20 of its batch, which has 12: --batch 20"
    assert HolisticDistillation().check(room(memory=10**9)) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "hkd.width must be 1 or more, not 0"),
        ({"neighbours": 1}, "hkd.neighbours must be 2 or more, not 1"),
        ({"count": 0}, "hkd.count must be 1 or more, not 0"),
        ({"negatives": "both"}, "hkd.negatives must be own or cross, not 'both'"),
        ({"temperature": math.inf}, "hkd.temperature must be above 0, not inf"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        HolisticDistillation(**options)
