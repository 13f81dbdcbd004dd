"""Moments change hands; everything else of a sample stays its own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError, UnknownNameError
from zoo_distillation.moex import MomentExchange, exchange_moments, grouped

MAPS = ["pono", "in", "ln", "gn2", "gn-d3", "gpono2", "gpono-d3"]
VECTORS = ["pono", "ln", "gn2", "gn-d3", "gpono2", "gpono-d3"]


def drawn(*shape, seed=0, kind=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=kind)


def cases():
    return [*((norm, (4, 6, 3, 2)) for norm in MAPS), *((norm, (4, 6)) for norm in VECTORS)]


def plainly(features, order, epsilon=1e-5):
    """Positional moments, number by number."""
    mixed = torch.empty_like(features)
    for sample, lender in enumerate(order.tolist()):
        for row in range(features.shape[2]):
            for column in range(features.shape[3]):
                own, other = features[sample, :, row, column], features[lender, :, row, column]
                scale = ((other.var() + epsilon) / (own.var() + epsilon)).sqrt()
                mixed[sample, :, row, column] = (own - own.mean()) * scale + other.mean()
    return mixed


def test_positional_moments_are_those_of_plain_loops():
    features, order = drawn(4, 6, 3, 2), torch.tensor([2, 0, 1, 3])
    torch.testing.assert_close(exchange_moments(features, order), plainly(features, order))


@pytest.mark.parametrize(("norm", "shape"), cases())
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_whoever_borrows_from_nobody_stays_what_it_was(norm, shape, seed):
    features = 3 * drawn(*shape, seed=seed) + 1
    torch.testing.assert_close(exchange_moments(features, torch.arange(4), norm), features)


@pytest.mark.parametrize(("norm", "shape"), cases())
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_features_take_moments_and_keep_their_standardised_form(norm, shape, seed):
    features = 3 * drawn(*shape, seed=seed) + 1
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    mixed = exchange_moments(features, order, norm, 1e-12)
    groups, over = grouped(shape[1], shape[2:] or None, norm)

    def moments(values):
        parts = values.unflatten(1, (groups, -1))
        return parts.mean(over, keepdim=True), parts.std(over, keepdim=True), parts

    mean, deviation, parts = moments(features)
    new_mean, new_deviation, new_parts = moments(mixed)
    torch.testing.assert_close(new_mean, mean[order])
    torch.testing.assert_close(new_deviation, deviation[order])
    standardised = (new_parts - new_mean) / new_deviation
    torch.testing.assert_close(standardised, (parts - mean) / deviation, rtol=1e-6, atol=1e-6)


def test_exchanging_back_restores_the_features():
    features, order = drawn(5, 6, 3, 2), torch.tensor([3, 0, 4, 1, 2])
    there = exchange_moments(features, order, epsilon=1e-14)
    lent = torch.empty_like(features)
    lent[order] = features
    # Sample b now has the moments of order[b]; who has its own is argsort(order)[b].
    back = exchange_moments(there, torch.argsort(order), epsilon=1e-14)
    torch.testing.assert_close(back, features)


@pytest.mark.parametrize(("norm", "shape"), cases())
def test_gradients_flow_through_the_moments_of_both(norm, shape):
    features, order = drawn(*shape).requires_grad_(), torch.tensor([1, 2, 3, 0])
    assert torch.autograd.gradcheck(lambda x: exchange_moments(x, order, norm), features)
    (grad,) = torch.autograd.grad(exchange_moments(features, order, norm)[0].sum(), features)
    assert grad[1].abs().sum() > 0  # the lender
    assert not grad[2:].any()


def test_groups_of_one_number_of_channels_are_the_same_either_way():
    features, order = drawn(4, 6, 3, 3), torch.tensor([1, 0, 3, 2])
    for one, other in (("gn2", "gn-d3"), ("gpono3", "gpono-d2"), ("gn1", "ln"), ("gpono1", "pono")):
        torch.testing.assert_close(
            exchange_moments(features, order, one), exchange_moments(features, order, other)
        )


def test_statistics_are_those_of_float32_under_autocast():
    features = (100 + drawn(4, 64, 3, 3)).bfloat16()
    order = torch.tensor([1, 0, 3, 2])
    expected = exchange_moments(features.float(), order).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = exchange_moments(features, order)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)


def test_constant_features_have_no_nan_in_gradients():
    features = torch.ones(4, 6, 2, 2, requires_grad=True)
    exchange_moments(features, torch.tensor([1, 2, 3, 0])).square().sum().backward()
    assert features.grad.isfinite().all()


def test_the_order_is_drawn_from_the_generator_of_torch():
    method, features = MomentExchange(share=0.9), drawn(16, 6, 2, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        first = method.mix(features)
        torch.manual_seed(3)
        again = method.mix(features)
        other = method.mix(features)
    assert torch.equal(first.order, again.order)
    assert torch.equal(first.features, again.features)
    assert not torch.equal(first.order, other.order)
    assert sorted(first.order.tolist()) == list(range(16))
    assert first.share == 0.9
    torch.testing.assert_close(first.features, plainly(features, first.order))


def test_the_layer_is_the_first_one_or_the_one_that_is_named(make_shape):
    layers = [make_shape("embeddings", 16, (8, 8)), make_shape("stage.1", 24, (4, 4))]
    assert MomentExchange().tap(layers) == "embeddings"
    assert MomentExchange(layer="stage.1").tap(layers) == "stage.1"
    assert MomentExchange().probability == 0.25
    with pytest.raises(UnknownNameError, match=r"'stage\.2'.*stage\.1"):
        MomentExchange(layer="stage.2").tap(layers)
    with pytest.raises(InputError, match="no layer whose moments"):
        MomentExchange().tap([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "bn"}, "moex.norm must be one of pono, in, .* not 'bn'"),
        ({"norm": "gn"}, "not 'gn'"),
        ({"norm": "gn0"}, "not 'gn0'"),
        ({"norm": "gpono-d"}, "not 'gpono-d'"),
        ({"probability": 1.5}, "moex.probability must be between 0 and 1, not 1.5"),
        ({"share": float("nan")}, "moex.share must be between 0 and 1, not nan"),
        ({"epsilon": 0.0}, "moex.epsilon must be above 0, not 0.0"),
    ],
)
def test_bad_options_are_named_in_one_sentence(options, message):
    with pytest.raises(InputError, match=message):
        MomentExchange(**options)


@pytest.mark.parametrize(
    ("norm", "width", "grid", "message"),
    [
        ("gn4", 6, (3, 3), "'gn4', and the layer has 6 channels"),
        ("gpono-d4", 6, None, "'gpono-d4', and the layer has 6 channels"),
        ("gn-d8", 6, (3, 3), "do not divide into groups"),
        ("gpono6", 6, (3, 3), "one number, which has no variance"),
        ("in", 6, (1, 1), "on a grid of 1x1 that is one number"),
        ("in", 6, None, "a layer of 6 numbers that is one number"),
        ("gn6", 6, (1, 1), "one number"),
        ("pono", 1, (3, 3), "one number"),
    ],
)
def test_layers_without_such_moments_are_refused(norm, width, grid, message, make_shape):
    with pytest.raises(InputError, match=message):
        MomentExchange(norm=norm).tap([make_shape("stage.1", width, grid)])
    with pytest.raises(InputError, match=message):
        exchange_moments(torch.zeros(2, width, *(grid or ())), torch.arange(2), norm)


def test_one_channel_a_group_is_enough_where_positions_count(make_shape):
    assert MomentExchange(norm="gn6").tap([make_shape("stage.1", 6, (3, 3))]) == "stage.1"
