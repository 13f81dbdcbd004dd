"""Net2Net: copies that become different, and a function that stays."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import (
    PIXELS,
    TOKENS,
    Reversed,
    copies_apart,
    grow_bert,
    grow_vit,
    grown_from,
    held,
    old_state_of,
    rank,
    state_of,
    train,
    vit,
)

from zoo.errors import InputError
from zoo.types.growing import Deepen, Widen
from zoo_growth.net2net import Net2Net

FC1, FC2 = "vit.layers.{}.mlp.fc1.weight", "vit.layers.{}.mlp.fc2.weight"


@settings(max_examples=6, deadline=None)
@given(hidden=st.integers(12, 30), mlp=st.integers(10, 25), seed=st.integers(0, 9))
def test_any_width_keeps_the_function(hidden, mlp, seed):
    trial = grow_vit(Net2Net(), Widen(hidden=hidden, heads=1, mlp=mlp), heads=1, seed=seed)
    assert trial.passed
    assert not trial.grown.drawing.reasons


def test_copies_become_different_and_the_rank_grows_within_fifty_steps():
    trial = grow_vit(Net2Net(), Widen(mlp=24), hidden=36, mlp=6, layers=1)
    assert trial.passed
    module, index = trial.grown.network.module, trial.grown.drawing.maps["mlp 0"].index
    before = state_of(trial)[FC1.format(0)].clone()
    assert rank(before) == 6
    assert copies_apart(before, index) == 0
    train(module)
    after = module.state_dict()[FC1.format(0)]
    assert rank(after) > 12
    assert copies_apart(after, index) > 1e-3


def test_without_noise_copies_stay_equal_for_ever():
    trial = grow_vit(Net2Net(noise=0, symmetric=True), Widen(mlp=24), hidden=36, mlp=6, layers=1)
    assert trial.passed
    module, index = trial.grown.network.module, trial.grown.drawing.maps["mlp 0"].index
    train(module)
    after = module.state_dict()[FC1.format(0)]
    assert rank(after) == 6
    assert copies_apart(after, index) < 1e-12


def test_copies_within_a_new_layer_become_different_although_it_is_silent():
    trial = grow_vit(Net2Net(), Widen(mlp=24), Deepen(), hidden=36, mlp=6, layers=1)
    assert trial.passed
    module, index = trial.grown.network.module, trial.grown.drawing.maps["mlp 1"].index
    train(module)
    assert copies_apart(module.state_dict()[FC1.format(1)], index) > 1e-4


@pytest.mark.parametrize("part", ["q_proj", "k_proj", "v_proj"])
def test_channels_of_wider_heads_become_different(part):
    trial = grow_vit(Net2Net(), Widen(hidden=24, heads=3))
    assert trial.passed
    module, head = trial.grown.network.module, trial.grown.drawing.maps["head 0"].index
    train(module)
    rows = module.state_dict()[f"vit.layers.0.attention.{part}.weight"][: len(head)]
    assert copies_apart(rows, head) > 1e-4


def test_a_post_norm_stream_that_is_copied_whole_becomes_different():
    trial = grow_bert(Net2Net(), Widen(hidden="2x"))
    assert trial.passed
    module, index = trial.grown.network.module, trial.grown.drawing.maps["hidden"].index
    train(module, TOKENS)
    rows = module.state_dict()["bert.encoder.layer.0.output.dense.weight"]
    assert copies_apart(rows, index) > 1e-4


def test_a_network_that_is_only_deeper_is_the_same_to_the_last_bit():
    trial = grow_vit(Net2Net(), Deepen(depth="+2"))
    assert trial.fp64.largest == trial.fp32.largest == 0


@pytest.mark.parametrize("noise", [0.0, -1.0, float("inf"), float("nan")])
def test_noise_that_leaves_copies_equal_or_is_no_size_is_refused(noise):
    with pytest.raises(InputError, match="noise"):
        Net2Net(noise=noise)
    assert Net2Net(noise=0, symmetric=True).noise == 0


def test_a_seed_decides_everything():
    steps = Widen(hidden=16, heads=1, mlp=25), Deepen(depth="+1")
    first, again, other = (
        state_of(grow_vit(Net2Net(), *steps, heads=1, seed=seed)) for seed in (3, 3, 4)
    )
    assert all(bool((first[name] == again[name]).all()) for name in first)
    old = {seed: grown_from(held(vit(heads=1)), Net2Net(), *steps, seed=seed) for seed in (3, 4)}
    weights = [each.network.module.state_dict()[FC2.format(0)] for each in old.values()]
    assert not torch.equal(*weights)
    assert other.keys() == first.keys()


def test_the_order_in_which_a_family_names_things_does_not_matter():
    steps = Widen(hidden=16, heads=1, mlp=25), Deepen(depth="+1")
    old = held(vit(heads=1))
    first, other = (
        grown_from(old, Net2Net(), *steps, family=family).network.module.state_dict()
        for family in (None, Reversed())
    )
    assert all(bool((first[name] == other[name]).all()) for name in first)


def test_growing_in_float32_is_the_float32_copy_of_growing_in_float64():
    steps = Widen(hidden=32, heads=2, mlp=25), Deepen(depth="+1")
    single = held(vit(hidden=16, heads=2))
    double = held(vit(hidden=16, heads=2))
    double.module.load_state_dict(single.module.state_dict())
    double.module.double()
    found = grown_from(single, Net2Net(), *steps).network.module.state_dict()
    exact = grown_from(double, Net2Net(), *steps).network.module.state_dict()
    assert all(bool((found[name] == exact[name].float()).all()) for name in found)
    assert exact[FC2.format(0)].dtype == torch.float64


def test_old_weights_are_read_and_never_changed():
    old = held(vit(), PIXELS)
    before = {name: value.clone() for name, value in old.module.state_dict().items()}
    grown_from(old, Net2Net(), Widen(mlp=25), Deepen())
    assert all(torch.equal(value, before[name]) for name, value in old.module.state_dict().items())


def test_old_channels_come_first_where_any_may_be_copied():
    trial = grow_vit(Net2Net(), Widen(mlp=25))
    old, new = old_state_of(trial), state_of(trial)
    assert torch.equal(new[FC1.format(1)][:10], old[FC1.format(1)])
