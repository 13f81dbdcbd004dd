"""Attention transfer and neuron selectivity: maps that are compared without a trained part."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from zoo.errors import InputError
from zoo.types import Lesson, Meeting
from zoo_distillation import nst
from zoo_distillation.at import AttentionTransfer, attention
from zoo_distillation.nst import NeuronSelectivity, selectivity

METHODS = [AttentionTransfer(), AttentionTransfer(mode="paper", p=3), NeuronSelectivity()]
NAMES = ["at", "at-paper", "nst"]
sides = st.integers(2, 9)
seeds = st.integers(0, 2**32 - 1)


def draw(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loss_of(method, *pairs, classroom=None):
    meetings = tuple(Meeting(student=own, teachers=(other,)) for own, other in pairs)
    (loss,) = method.build(classroom)(Lesson(meetings=meetings)).values()
    return loss


@settings(max_examples=20, deadline=None)
@given(seed=seeds, student=st.tuples(sides, sides), teacher=st.tuples(sides, sides))
@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_the_order_of_channels_does_not_matter(method, seed, student, teacher):
    own, other = draw(3, 5, *student, seed=seed), draw(3, 7, *teacher, seed=seed + 1)
    first, second = torch.randperm(5), torch.randperm(7)
    torch.testing.assert_close(
        loss_of(method, (own[:, first], other[:, second])), loss_of(method, (own, other))
    )


@settings(max_examples=20, deadline=None)
@given(seed=seeds, scale=st.floats(1e-3, 1e3))
@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_the_scale_of_the_activations_does_not_matter(method, seed, scale):
    own, other = draw(3, 5, 4, 4, seed=seed), draw(3, 7, 6, 6, seed=seed + 1)
    torch.testing.assert_close(
        loss_of(method, (scale * own, other / scale)), loss_of(method, (own, other))
    )


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_equal_maps_are_not_apart_whatever_the_number_of_copies(method, seed):
    maps = draw(3, 5, 4, 4, seed=seed)
    assert abs(float(loss_of(method, (maps, torch.cat((maps, maps), dim=1))))) < 1e-12


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_stages_are_added_and_the_teacher_gets_no_gradient(method):
    pairs = [(draw(3, 5, 4, 4), draw(3, 7, 2, 3)), (draw(3, 2, 2, 2), draw(3, 4, 2, 2))]
    for each in (each for pair in pairs for each in pair):
        each.requires_grad_()
    loss = loss_of(method, *pairs)
    torch.testing.assert_close(loss, sum(loss_of(method, pair) for pair in pairs))
    loss.backward()
    assert all(own.grad.abs().sum() > 0 and other.grad is None for own, other in pairs)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_map_that_is_nowhere_active_gives_finite_gradients(method):
    own = torch.zeros(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    loss_of(method, (own, draw(2, 3, 4, 4))).backward()
    assert own.grad.isfinite().all()


@pytest.mark.parametrize("p", [1, 2, 2.5, 4])
def test_attention_is_the_normalised_mean_power(p):
    maps = draw(2, 3, 2, 3)
    plain = torch.zeros(2, 6, dtype=torch.float64)
    for sample in range(2):
        for place in range(6):
            plain[sample, place] = sum(
                abs(float(maps[sample, channel].flatten()[place])) ** p for channel in range(3)
            )
        plain[sample] /= plain[sample].square().sum().sqrt()
    torch.testing.assert_close(attention(maps, p), plain)


def plain_selectivity(own, other):
    """Average (a . b)^2 over every pair of channels, with all products at once."""
    own, other = (functional.normalize(each.flatten(2), dim=2) for each in (own, other))

    def kernel(one, two):
        return (one[:, :, None] * two[:, None]).sum(-1).square().mean()

    return kernel(own, own) + kernel(other, other) - 2 * kernel(own, other)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, side=st.integers(1, 5), own=st.integers(1, 20), other=st.integers(1, 20))
def test_selectivity_has_one_value_however_it_is_computed(seed, side, own, other):
    student, teacher = (
        draw(2, own, side, side, seed=seed),
        draw(2, other, side, side, seed=seed + 1),
    )
    expected = plain_selectivity(student, teacher)
    torch.testing.assert_close(selectivity(student, teacher), expected)
    units = [functional.normalize(each.flatten(2), dim=2) for each in (student, teacher)]
    torch.testing.assert_close(nst._by_moments(*units), expected)
    torch.testing.assert_close(nst._by_kernels(*units), expected)
    assert expected > -1e-12


def test_selectivity_multiplies_no_pair_of_channels_by_every_position():
    """All products would be 2 x 512 x 512 x 256 numbers; nothing here has a hundredth of them."""
    largest = []

    class Watching(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            if isinstance(found, torch.Tensor):
                largest.append(found.numel())
            return found

    with Watching():
        selectivity(draw(2, 512, 16, 16), draw(2, 8, 16, 16))
    assert max(largest) < 2 * 512 * 512 * 256 / 100


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_all_stages_but_the_stem_are_paired(make_shape, make_classroom, make_lesson, method):
    sizes = [(16, (32, 32)), (16, (32, 32)), (32, (16, 16)), (64, (8, 8))]
    student = [make_shape(f"layer{number}", *size) for number, size in enumerate(sizes)]
    teacher = [make_shape(f"block{number}", 192, (14, 14)) for number in range(12)]
    pairs = method.pair([teacher], student)
    assert [pair.student for pair in pairs] == ["layer1", "layer2", "layer3"]
    assert pairs[-1].teachers == ("block11",)
    assert {pair.form for pair in pairs} == {"own"}
    named = {each.tap: each for each in (*student, *teacher)}
    for direction in (1, -1):
        classroom = make_classroom(
            [(named[pair.student], named[pair.teachers[0]])[::direction] for pair in pairs]
        )
        lesson = make_lesson(classroom, batch=2)
        (loss,) = method.build(classroom)(lesson).values()
        loss.backward()
        assert loss > 0
        assert all(each.student.grad.abs().sum() > 0 for each in lesson.meetings)
        assert method.check(classroom) == ()


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_vectors_and_single_positions_are_refused_in_one_sentence(make_shape, method):
    maps, texts = [make_shape("map", 8, (4, 4))], [make_shape("text", 8)]
    points = [make_shape("point", 8, (1, 1))]
    with pytest.raises(InputError, match=r"compares maps, and the student has none to read\.$"):
        method.pair([maps], texts)
    with pytest.raises(InputError, match="the teacher has none of more than one position"):
        method.pair([points], maps)
    assert method.pair([[*maps, *points]], maps)[0].teachers == ("map",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 0}, r"at\.p must be 1 or more, not 0\.$"),
        ({"p": float("nan")}, r"at\.p must be 1 or more, not nan\.$"),
        ({"mode": "book"}, r"at\.mode must be code or paper, not 'book'\.$"),
    ],
)
def test_attention_transfer_refuses_options_that_mean_nothing(options, message):
    with pytest.raises(InputError, match=message):
        AttentionTransfer(**options)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_nothing_is_trained(make_shape, make_classroom, method):
    classroom = make_classroom([(make_shape("s", 4, (4, 4)), make_shape("t", 4, (4, 4)))])
    assert method.build(classroom).state_dict() == {}
    assert len(method.weights(1)) == 1
