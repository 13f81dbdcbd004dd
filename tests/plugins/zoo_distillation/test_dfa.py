"""Searched aggregation: which layers it pairs, what it searches, and what it leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.types import Observed
from zoo_distillation.aggregation import aggregate, expressivity, learnability
from zoo_distillation.dfa import FeatureAggregation

GRIDS = pytest.mark.parametrize(
    ("grid", "teacher_grid"),
    [((4, 4), (4, 4)), ((4, 6), (2, 2)), ((2, 2), (5, 4)), (None, None), (None, (3, 3))],
    ids=["same", "finer", "coarser", "vectors", "mixed"],
)


class Tail(nn.Module):
    """The later layers of a student, and what :attr:`Lesson.again` does with them."""

    def __init__(self, features, classes):
        super().__init__()
        self.features = features
        self.head = nn.Linear(features.shape[1], classes).double()
        self.calls = []

    def again(self, *, taps=(), alter=None, frozen=False):
        ((tap, put),) = alter.items()
        self.calls.append((tap, frozen))
        changed = put(self.features)
        assert changed.shape == self.features.shape
        vectors = changed.flatten(2).mean(2) if changed.ndim > 2 else changed
        weight, bias = self.head.weight, self.head.bias
        if frozen:
            weight, bias = weight.detach(), bias.detach()
        return Observed(logits=torch.tanh(vectors) @ weight.mT + bias)


@pytest.fixture
def made(make_shape, make_classroom, make_lesson):
    """``made(grid, teacher_grid, groups=1, **options)``: module, lesson, tail."""

    def make(grid=(4, 4), teacher_grid=(4, 4), groups=1, labels=None, **options):
        classroom = make_classroom(
            [
                (make_shape(f"s{group}", 5, grid), make_shape(f"t{group}{layer}", 7, teacher_grid))
                for group in range(groups)
                for layer in range(3)
            ],
            classes=4,
            teachers=1,
        )
        torch.manual_seed(0)
        module = FeatureAggregation(**options).build(classroom).double()
        lesson = make_lesson(classroom, rows=torch.arange(8), progress=0.1, labels=labels)
        first = [lesson.meetings[each // 3 * 3].student for each in range(3 * groups)]
        meetings = [
            replace(each, student=mine) for each, mine in zip(lesson.meetings, first, strict=True)
        ]
        tail = Tail(first[0].detach(), 4)
        return module, replace(lesson, meetings=tuple(meetings), again=tail.again), tail

    return make


def test_it_is_advertised_with_what_it_needs(zoo_host):
    spec = Catalogue(zoo_host).spec("distiller", "dfa")
    assert (spec.teachers, spec.reads("student_again")) == ("one", True)
    found = build(spec, {"search": 0.3, "alpha": [[0.5, 0.5]]})
    assert isinstance(found, FeatureAggregation)


def test_stages_are_paired_from_the_deepest_and_only_layers_that_can_be_summed(make_shape):
    teacher = [
        make_shape("stem", 8, (16, 16)),
        *[make_shape(f"a{at}", 16, (16, 16)) for at in range(2)],
        *[make_shape(f"b{at}", 32, (8, 8)) for at in range(13)],
        make_shape("c", 64, (4, 4)),
    ]
    student = [make_shape("x", 4, (10, 10)), make_shape("y", 6, (5, 5)), make_shape("z", 6, (5, 5))]
    pairs = FeatureAggregation().pair([teacher], student)
    found = [(each.student, each.teachers[0]) for each in pairs]
    assert found == [("x", f"b{at}") for at in (1, 3, 5, 8, 10, 12)] + [("z", "c")]
    pairs = FeatureAggregation().pair([teacher[:3]], student)
    assert [(each.student, each.teachers[0]) for each in pairs] == [("z", "a0"), ("z", "a1")]


def test_a_network_of_one_grid_is_one_group(make_shape):
    teacher = [make_shape(f"block{at}", 8, (14, 14)) for at in range(12)]
    pairs = FeatureAggregation().pair([teacher], teacher)
    assert [each.student for each in pairs] == ["block11"] * 6
    assert [each.teachers[0] for each in pairs] == [f"block{at}" for at in (1, 3, 5, 7, 9, 11)]


def test_a_network_without_layers_is_refused(make_shape):
    with pytest.raises(InputError, match="the teacher has no layer"):
        FeatureAggregation().pair([[]], [make_shape("a", 3)])


@GRIDS
@pytest.mark.parametrize("student_map", [True, False])
def test_any_two_grids_meet(made, grid, teacher_grid, student_map):
    grid, teacher_grid = (grid, teacher_grid) if student_map else (teacher_grid, grid)
    module, lesson, tail = made(grid, teacher_grid)
    losses = module(lesson)
    assert set(losses) == {"learnability", "expressivity", "search"}
    assert set(losses) == set(module.options.weights(1))
    assert all(each.shape == () and each.isfinite() for each in losses.values())
    sum(losses.values()).backward()
    assert all(each.grad.abs().sum() > 0 for each in module.parameters())
    assert tail.calls == [("s0", False), ("s0", True)]


def test_even_samples_teach_the_student_and_odd_ones_the_weights(made):
    module, lesson, tail = made(labels=torch.tensor([0, 1, -1, -1, 2, 3, -1, 0]))
    losses = module(lesson)
    student = lesson.meetings[0].student
    weights = [*module.groups[0].to_teacher.parameters(), *module.groups[0].to_student.parameters()]
    weights += [student, *tail.parameters()]
    score = [module.groups[0].score]
    kept = {"retain_graph": True, "allow_unused": True}
    assert torch.autograd.grad(losses["search"], weights, **kept) == (None,) * len(weights)
    for name in ("learnability", "expressivity"):
        assert torch.autograd.grad(losses[name], score, **kept) == (None,)
    (grad,) = torch.autograd.grad(losses["learnability"], [student], **kept)
    assert grad[::2].abs().sum() > 0
    assert grad[1::2].abs().sum() == 0


def test_the_losses_are_those_of_each_half(made):
    module, lesson, tail = made(labels=torch.tensor([0, 1, -1, -1, 2, 3, -1, 0]))
    with torch.no_grad():
        module.groups[0].score.copy_(torch.tensor([1.0, -2.0, 3.0]))
    losses = module(lesson)
    group, student = module.groups[0], lesson.meetings[0].student
    beta = 0.3 * group.score
    target = aggregate([each.teachers[0] for each in lesson.meetings], beta.softmax(0))
    own = learnability(target, group.to_teacher(student))
    logits = tail.again(alter={"s0": lambda _: group.to_student(target)}).logits
    later = expressivity(logits, lesson.teacher_logits[0], lesson.labels)
    close = torch.testing.assert_close
    close(losses["learnability"], own[::2].mean())
    close(losses["expressivity"], later[::2].mean())
    close(losses["search"], own[1::2].mean() + later[1::2].mean() + 1e-3 * beta.square().sum())


def test_groups_take_turns_and_the_turn_survives_an_interruption(made):
    module, lesson, tail = made(groups=2)
    for step in range(4):
        module.zero_grad()
        module(lesson)["search"].backward()
        moved = [each.score.grad is not None for each in module.groups]
        assert moved == [step % 2 == 0, step % 2 == 1]
        other, _, _ = made(groups=2)
        other.load_state_dict(module.state_dict())
        assert other.turn == step + 1
    assert [tap for tap, _ in tail.calls[::2]] == ["s0", "s1", "s0", "s1"]


def test_after_the_search_only_the_student_learns(made):
    module, lesson, tail = made(search=0.2)
    losses = module(replace(lesson, progress=0.2))
    assert set(losses) == {"learnability"}
    losses["learnability"].backward()
    assert module.groups[0].score.grad is None
    assert lesson.meetings[0].student.grad.abs().sum() > 0
    assert not tail.calls
    assert module.turn == 0


@pytest.mark.parametrize("missing", ["again", "student_logits", "teacher_logits"])
def test_without_logits_or_another_pass_the_search_sees_only_the_distance(made, missing):
    module, lesson, _ = made()
    nothing = (None,) if missing == "teacher_logits" else None
    assert set(module(replace(lesson, **{missing: nothing}))) == {"learnability", "search"}


def test_a_batch_without_odd_samples_is_no_accident(made):
    module, lesson, _ = made()
    losses = module(replace(lesson, rows=2 * torch.arange(8)))
    assert losses["search"] == 0
    assert losses["learnability"].isfinite()


def test_the_search_finds_the_layer_that_the_student_can_learn(made):
    module, lesson, _ = made(expressivity=0, rate=0.05)
    signal = lesson.meetings[1].teachers[0]
    mixed = torch.linalg.pinv(torch.randn(7, 5, dtype=torch.float64))
    lesson.meetings[0].student.data = torch.einsum("cd,bdhw->bchw", mixed, signal)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
    for _ in range(50):
        optimiser.zero_grad()
        sum(module(lesson).values()).backward()
        optimiser.step()
    (alpha,) = module.findings()["alpha"]
    assert max(alpha) == alpha[1] > 0.45


def test_one_step_of_adam_moves_beta_by_the_published_rate(made):
    module, lesson, _ = made()
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    module(lesson)["search"].backward()
    optimiser.step()
    moved = 0.3 * module.groups[0].score.detach()
    torch.testing.assert_close(moved.abs(), torch.full_like(moved, 3e-4), rtol=1e-4, atol=0)


def test_what_was_found_starts_a_run_without_a_search(made):
    module, lesson, _ = made(groups=2)
    with torch.no_grad():
        module.groups[1].score.copy_(torch.tensor([1.0, 2.0, 3.0]))
    found = module.findings()
    assert found["alpha"][0] == [0.333333] * 3
    again, _, tail = made(groups=2, **found)
    losses = again(lesson)
    assert set(losses) == {"learnability"}
    assert again.findings() == found
    assert not tail.calls
    assert not any("score" in name for name, _ in again.named_parameters())
    for one, other in zip(again.groups, module.groups, strict=True):
        torch.testing.assert_close(one.alpha(), other.alpha(), rtol=0, atol=1e-5)


def test_given_weights_of_other_networks_are_refused(make_shape, make_classroom):
    classroom = make_classroom([(make_shape("s", 3), make_shape(f"t{at}", 3)) for at in range(3)])
    method = FeatureAggregation(alpha=[[0.5, 0.5]])
    assert list(method.check(classroom)) == [
        "dfa.alpha has 1 row of 2 weights, and this pair of networks needs 1 row of 3 weights."
    ]
    with pytest.raises(InputError, match="1 row of 3 weights"):
        method.build(classroom)
    assert not FeatureAggregation(alpha=[[0.2, 0.2, 0.6]]).check(classroom)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"search": 1.5}, "dfa.search is a share"),
        ({"rate": 0.0}, "dfa.rate must be above 0"),
        ({"learnability": 0.0}, "dfa.learnability above 0"),
        ({"expressivity": -1.0}, "dfa.expressivity must be 0 or more"),
        ({"alpha": [[0.5, 0.4]]}, "sum of 1"),
        ({"alpha": [[1.5, -0.5]]}, "sum of 1"),
        ({"alpha": [[float("nan"), 1.0]]}, "sum of 1"),
        ({"alpha": [[]]}, "sum of 1"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        FeatureAggregation(**options)


def test_it_is_built_alike_twice_and_without_memory(made, make_shape, make_classroom):
    first, second = made()[0].state_dict(), made()[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    classroom = make_classroom([(make_shape("s", 3, (2, 2)), make_shape("t", 4, (2, 2)))])
    with torch.device("meta"):
        for options in ({}, {"alpha": [[1.0]]}):
            module = FeatureAggregation(**options).build(classroom)
            assert all(each.is_meta for each in module.parameters())


def test_the_divergence_from_the_teacher_is_zero_only_for_its_own_logits():
    torch.manual_seed(0)
    logits = torch.randn(5, 4, dtype=torch.float64)
    shifted = logits + torch.arange(5.0)[:, None]
    torch.testing.assert_close(expressivity(shifted, logits), torch.zeros(5, dtype=torch.float64))
    assert (expressivity(logits.flip(0), logits)[:2] > 0).all()
