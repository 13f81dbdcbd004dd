"""What the discrepancy is, whatever the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_amalgamation.mmd import SIGMAS, discrepancies, floor, mmd

BANDWIDTHS = st.sampled_from([SIGMAS, None, (0.5,)])


@st.composite
def batches(draw, count=2):
    """Batches (B, D) or (B, C, H, W) of one shape, in float64."""
    size = draw(st.integers(1, 9))
    shape = draw(st.sampled_from([(3,), (12,), (4, 2, 3)]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scale = 10.0 ** draw(st.integers(-3, 3))
    kind = torch.float64
    return [
        scale * torch.randn(size, *shape, generator=generator, dtype=kind) for _ in range(count)
    ]


@settings(max_examples=50, deadline=None)
@given(batches(), BANDWIDTHS, st.booleans())
def test_it_is_symmetric_and_never_negative(pair, sigmas, normalise):
    first, second = pair
    there = mmd(first, second, sigmas=sigmas, normalise=normalise)
    back = mmd(second, first, sigmas=sigmas, normalise=normalise)
    assert there >= 0
    torch.testing.assert_close(there, back, rtol=1e-9, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(batches(), BANDWIDTHS, st.data())
def test_the_order_of_the_samples_does_not_matter(pair, sigmas, data):
    first, second = pair
    order = data.draw(st.permutations(range(len(first))))
    assert mmd(first, first[order], sigmas=sigmas) < 1e-9
    torch.testing.assert_close(
        mmd(first, second[order], sigmas=sigmas), mmd(first, second, sigmas=sigmas)
    )


@settings(max_examples=30, deadline=None)
@given(batches(count=4), BANDWIDTHS, st.booleans())
def test_all_teachers_at_once_are_the_teachers_one_by_one(four, sigmas, normalise):
    student, *teachers = four
    options = {"sigmas": sigmas, "normalise": normalise}
    together = discrepancies(student, teachers, **options)
    torch.testing.assert_close(
        together, torch.stack([mmd(student, each, **options) for each in teachers])
    )


@settings(max_examples=30, deadline=None)
@given(batches(), BANDWIDTHS)
def test_it_reads_tensors_of_any_layout(pair, sigmas):
    first, second = pair
    strided = torch.stack([first, first], dim=-1)[..., 0]
    assert first.numel() == 1 or not strided.is_contiguous()
    torch.testing.assert_close(
        mmd(strided, second, sigmas=sigmas), mmd(first, second, sigmas=sigmas)
    )


@pytest.mark.parametrize("sigmas", [SIGMAS[-3:], (0.5,)])
def test_its_gradient_is_that_of_finite_differences(sigmas):
    generator = torch.Generator().manual_seed(0)
    first, second = (
        torch.randn(4, 3, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    )
    assert torch.autograd.gradcheck(lambda u, v: mmd(u, v, sigmas=sigmas), (first, second))


def test_no_gradient_flows_through_the_adaptive_bandwidth():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    distances = [
        torch.cdist(u, v).square() for u, v in ((first, first), (second, second), (first, second))
    ]
    scale = float((distances[0] + distances[1] + 2 * distances[2]).mean() / 4)
    fixed = [(scale * multiple) ** 0.5 for multiple in (0.25, 0.5, 1, 2, 4)]
    gradients = []
    for sigmas in (None, fixed):
        given_to = first.clone().requires_grad_()
        mmd(given_to, second, sigmas=sigmas, normalise=False).backward()
        gradients.append(given_to.grad)
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_short_numbers_are_compared_in_float32(kind):
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(16, 8, generator=generator) for _ in range(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = mmd(first.to(kind), second.to(kind))
    assert value.dtype == torch.float32
    exact = mmd(first.to(kind).double(), second.to(kind).double())
    assert float(value) == pytest.approx(float(exact), abs=1e-5)


def test_it_grows_as_two_distributions_part():
    generator = torch.Generator().manual_seed(0)
    first, second, shift = (torch.randn(size, 6, generator=generator) for size in (64, 64, 1))
    values = [float(mmd(first, second + amount * shift)) for amount in (0.0, 0.5, 1.0, 2.0)]
    assert values == sorted(values)


@pytest.mark.parametrize("sigmas", [SIGMAS, None])
@pytest.mark.parametrize("batch", [16, 64, 256])
@pytest.mark.parametrize("rectified", [False, True])
def test_the_floor_is_what_two_batches_of_one_distribution_have(batch, sigmas, rectified):
    generator = torch.Generator().manual_seed(batch)
    first, second = (torch.randn(batch, 200, generator=generator) for _ in range(2))
    if rectified:
        first, second = first.relu(), second.relu()
    raw, expected = float(mmd(first, second, sigmas=sigmas)), floor(batch, sigmas=sigmas)
    assert abs(raw - expected) < 0.25 * raw


def test_silent_samples_do_no_harm():
    silent = torch.zeros(4, 3, requires_grad=True)
    value = mmd(silent, torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    value.backward()
    assert value > 0
    assert torch.isfinite(silent.grad).all()
