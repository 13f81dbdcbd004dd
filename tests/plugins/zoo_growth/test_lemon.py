"""LEMON: uneven shares, and new layers whose units cancel."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import TOKENS, copies_apart, grow_bert, grow_vit, state_of, train

from zoo.errors import InputError
from zoo.growing.axes import tiled
from zoo.types.growing import Deepen, Widen
from zoo_growth.lemon import Lemon, cancelling, reshared

FC1, FC2 = "vit.layers.{}.mlp.fc1.weight", "vit.layers.{}.mlp.fc2.weight"


@settings(max_examples=6, deadline=None)
@given(
    hidden=st.integers(12, 30),
    mlp=st.integers(10, 33),
    depth=st.integers(2, 4),
    noise=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 9),
)
def test_any_size_keeps_the_function(hidden, mlp, depth, noise, seed):
    steps = Widen(hidden=hidden, heads=1, mlp=mlp), Deepen(depth=depth)
    trial = grow_vit(Lemon(noise=noise), *steps, heads=1, seed=seed)
    assert trial.passed
    assert not trial.grown.drawing.reasons


def test_more_and_wider_heads_keep_the_function():
    assert grow_vit(Lemon(), Widen(hidden="2x"), Deepen()).passed
    assert grow_vit(Lemon(), Widen(hidden=24, heads=3), Deepen(place="between")).passed


def test_a_post_norm_network_keeps_its_function():
    assert grow_bert(Lemon(), Widen(hidden="2x", mlp=25), Deepen(depth="+2")).passed


def test_shares_of_one_channel_are_uneven_and_sum_to_one():
    trial = grow_vit(Lemon(), Widen(hidden=40, heads=1, mlp=30), heads=1)
    for name in ("hidden", "mlp 0"):
        found = trial.grown.drawing.maps[name]
        copies = found.index >= 0
        sums = torch.zeros(12).double().index_add_(0, found.index[copies], found.share[copies])
        assert torch.allclose(sums[: int(found.index.max()) + 1], torch.ones(1).double())
        assert float(found.share[copies].std()) > 0.01
        assert not found.share[~copies].any()


def test_uneven_shares_alone_tell_copies_apart():
    trial = grow_vit(Lemon(noise=0), Widen(mlp=24), hidden=36, mlp=6, layers=1)
    module, index = trial.grown.network.module, trial.grown.drawing.maps["mlp 0"].index
    train(module)
    assert copies_apart(module.state_dict()[FC1.format(0)], index) > 1e-6


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("mlp", [10, 11, 31])
def test_a_new_layer_is_silent_because_its_units_cancel(mlp, noise):
    trial = grow_vit(Lemon(noise=noise), Widen(mlp=mlp), Deepen(depth="+1"))
    assert trial.passed
    assert state_of(trial)[FC2.format(2)].abs().max() > 0.01


def test_gradients_reach_all_of_a_new_layer_at_the_first_step_where_units_cancel():
    reached = {}
    for kind in ("pairs", "zeros"):
        trial = grow_vit(Lemon(new_layers=kind, noise=0), Deepen(depth="+1"))
        module = trial.grown.network.module
        before = state_of(trial)[FC1.format(2)].clone()
        train(module, steps=1)
        reached[kind] = float((module.state_dict()[FC1.format(2)] - before).abs().max())
        assert trial.passed
    assert reached["pairs"] > 1e-6
    assert reached["zeros"] == 0


def test_units_of_a_new_layer_become_different():
    trial = grow_bert(Lemon(noise=0), Widen(mlp=40), Deepen(depth="+1"))
    assert trial.passed
    index = trial.grown.drawing.maps["mlp 2"].index
    module = trial.grown.network.module
    train(module, TOKENS)
    rows = module.state_dict()["bert.encoder.layer.2.intermediate.dense.weight"]
    assert copies_apart(rows[:-1], index[:-1]) > 1e-6


@given(old=st.integers(1, 9), more=st.integers(0, 20))
def test_pairs_sum_to_nothing_and_reach_the_last_channel(old, more):
    found = cancelling(old, torch.rand(old + more).double() + 0.5)
    sums = torch.zeros(old).double().index_add_(0, found.index, found.share)
    assert sums.abs().max() < 1e-12
    assert int(found.index.max()) == old - 1
    assert int(found.index.min()) >= 0


def test_channels_that_repeat_none_have_no_share():
    found = reshared(tiled(4, 10, "mean"), torch.rand(10).double() + 0.5)
    assert not found.share[8:].any()
    assert torch.allclose(found.share[:4] + found.share[4:8], torch.ones(4).double())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"uneven": 1.0}, "uneven"),
        ({"uneven": -0.1}, "uneven"),
        ({"noise": -1.0}, "noise"),
        ({"noise": float("inf")}, "noise"),
        ({"uneven": 0.0, "noise": 0.0}, "equal for ever"),
        ({"new_layers": "ones"}, "neither pairs nor zeros"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        Lemon(**options)
