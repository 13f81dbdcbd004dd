"""Decomposed information: bounds, critics and views."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo_distillation.demi import (
    DecomposedInformation,
    boosted_bound,
    conditional_bound,
    information_bound,
    positive_first,
)


@pytest.fixture
def room(make_classroom, make_shape):
    """A classroom with two vectors at the end."""
    return make_classroom([(make_shape("s", 6), make_shape("t", 9))])


@pytest.fixture
def lesson(room, make_lesson):
    """A lesson with a partial view."""
    found = make_lesson(room)
    (meeting,) = found.meetings
    partial = torch.randn(8, 6, dtype=torch.float64, requires_grad=True)
    return replace(found, meetings=(replace(meeting, partial=partial),))


def built(classroom, seed=0, **options):
    torch.manual_seed(seed)
    return DecomposedInformation(**options).build(classroom).double()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    batch=st.integers(1, 6),
    count=st.integers(2, 9),
    scale=st.floats(0.01, 1e3),
)
def test_no_bound_exceeds_the_logarithm_of_how_many_are_compared(seed, batch, count, scale):
    torch.manual_seed(seed)
    part, rest = scale * torch.randn(2, batch, count, dtype=torch.float64)
    ceiling = math.log(count) + 1e-9
    for bound in (
        information_bound(part),
        conditional_bound(part, rest),
        boosted_bound(part, rest),
    ):
        assert bound <= ceiling


def test_equal_scores_say_nothing():
    equal = torch.zeros(4, 5, dtype=torch.float64)
    for bound in (
        information_bound(equal),
        conditional_bound(torch.randn(4, 5, dtype=torch.float64), equal),
        boosted_bound(equal, equal),
    ):
        assert bound.item() == pytest.approx(0, abs=1e-12)


def test_with_equal_weights_the_conditional_bound_is_the_plain_one():
    rest = torch.randn(4, 5, dtype=torch.float64)
    torch.testing.assert_close(conditional_bound(torch.zeros(4, 5), rest), information_bound(rest))


def test_the_rest_sends_no_gradient_to_the_part():
    for bound in (conditional_bound, boosted_bound):
        part, rest = torch.randn(2, 4, 5, dtype=torch.float64).requires_grad_().unbind()
        part.retain_grad()
        rest.retain_grad()
        bound(part, rest).backward()
        assert part.grad is None or not part.grad.any()
        assert rest.grad.any()


def test_the_own_target_moves_to_the_first_column():
    scores = torch.arange(9.0).view(3, 3)
    assert positive_first(scores).tolist() == [[0, 1, 2], [4, 3, 5], [8, 6, 7]]


@pytest.mark.parametrize("critic", ["importance", "boosted"])
def test_gradients_reach_both_views_and_both_critics_and_no_teacher(room, lesson, critic):
    module = built(room, critic=critic)
    (meeting,) = lesson.meetings
    teacher = meeting.teachers[0].requires_grad_()
    losses = module(lesson)
    assert list(losses) == list(DecomposedInformation().weights(1))
    torch.stack(list(losses.values())).sum().backward()
    assert meeting.student.grad.any()
    assert meeting.partial.grad.any()
    assert all(each.grad.any() for each in module.parameters())
    assert teacher.grad is None


def test_the_order_of_a_batch_does_not_matter(room, lesson):
    module = built(room)
    (meeting,) = lesson.meetings
    order = torch.randperm(8)
    other = replace(
        meeting,
        student=meeting.student[order],
        partial=meeting.partial[order],
        teachers=(meeting.teachers[0][order],),
    )
    torch.testing.assert_close(module(lesson), module(replace(lesson, meetings=(other,))))


def test_it_learns_what_the_rest_adds_to_the_part(room, lesson):
    """The part tells even from odd samples; the whole tells each."""
    module = built(room, width=16)
    torch.manual_seed(1)
    (meeting,) = lesson.meetings
    known = replace(
        meeting,
        student=torch.randn(8, 6, dtype=torch.float64),
        partial=(torch.arange(8) % 2).double()[:, None].expand(8, 6),
        teachers=(torch.randn(8, 9, dtype=torch.float64),),
    )
    told = replace(lesson, meetings=(known,))
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        losses = module(told)
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
    part = -losses["part"].item()
    assert part == pytest.approx(math.log(2), abs=0.05)
    assert 1.0 < -losses["rest"].item() <= math.log(8)


def test_a_person_sees_how_far_bounds_are_from_their_ceiling(room, lesson):
    module = built(room)
    for name, value in module(lesson).items():
        assert module.display(name, value.item(), 8) >= 0


def test_built_twice_with_one_seed_it_is_equal(room):
    first, second = (built(room, seed=5).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "demi.width must be 1 or more, not 0"),
        ({"temperature": -1.0}, "demi.temperature must be above 0, not -1"),
        ({"critic": "none"}, "demi.critic must be importance or boosted, not 'none'"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        DecomposedInformation(**options)
