"""What convolutional families share: sizes, blocks, and copies that do not stay copies."""

from __future__ import annotations

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.tables import batch_norm, linear, parameter, writes
from zoo.testing.growth import try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.convolutional import (
    after,
    by_ending,
    factor_of,
    refuse_parts,
    stage,
    widths,
)
from zoo_growth.families.resnet import ResNet
from zoo_growth.net2net import Net2Net


@given(
    old=st.lists(st.integers(1, 96), min_size=1, max_size=4),
    factor=st.floats(1.0, 4.0),
    multiple=st.sampled_from([1, 2, 8]),
)
def test_a_factor_makes_every_stage_about_as_much_wider(old, factor, multiple):
    sizes = [each * multiple for each in old]
    try:
        found = widths(f"{factor:.4f}x", sizes, multiples=[multiple] * len(old))
    except InputError:  # it makes no stage wider
        found = sizes
    for before, then in zip(sizes, found, strict=True):
        assert then >= before
        assert then % multiple == 0
        assert abs(then - before * factor) <= max(8, multiple)


def test_widths_are_read_as_people_say_them():
    assert widths("1.5x", [64, 128]) == [96, 192]
    assert widths(2.0, [6, 10]) == [12, 20]
    assert widths("+50%", [64, 128]) == [96, 192]
    assert widths("+4", [6, 10]) == [10, 14]
    assert widths("8, 24", [6, 10]) == [8, 24]
    assert widths("1.3x", [64, 6]) == [80, 8]
    assert widths("1.5x", [8]) == [12]
    assert widths("1x", [64]) == [64]


@pytest.mark.parametrize(
    ("width", "message", "hint"),
    [
        ("8,9,10", "names 3 stages, and there are 2", "one number a stage"),
        ("4,24", "the width of stage 1 would shrink from 64 to 4", "distil"),
        ("1.01x", "makes no stage wider", "1.062x"),
        ("wide", "'wide' is no size", "1.5x"),
    ],
)
def test_a_width_that_cannot_be_is_said_in_one_sentence(width, message, hint):
    with pytest.raises(InputError, match=message) as caught:
        widths(width, [64, 128])
    assert hint in caught.value.hint


@pytest.mark.parametrize("width", ["0.5x", "64", "+64", "x", "", "-1x"])
def test_one_number_for_the_whole_network_is_a_factor_that_grows(width):
    with pytest.raises(InputError, match=r"no factor|narrower"):
        factor_of(width)


def test_factors_are_read():
    assert factor_of("1.5x") == factor_of(1.5) == factor_of("+50%") == 1.5


@pytest.mark.parametrize("size", ["hidden", "heads", "kv_heads", "mlp"])
def test_sizes_of_transformers_are_refused(size):
    with pytest.raises(InputError, match=f"a ResNet has no size of its own called {size}"):
        refuse_parts(Widen(**{size: "2x"}), "a ResNet")
    refuse_parts(Widen(width="2x"), "a ResNet")


@given(old=st.integers(1, 5), more=st.integers(0, 5), place=st.sampled_from(["end", "between"]))
def test_a_new_block_never_copies_the_first_one(old, more, place):
    made = stage("layers", old, old + more, place=place, silent=())
    origins = [origin for origin, new in zip(made.source, made.inserted, strict=True) if not new]
    assert origins == list(range(old))
    assert made.inserted[0] is False
    assert made.added == more
    copied = [origin for origin, new in zip(made.source, made.inserted, strict=True) if new]
    assert old == 1 or all(copied)
    assert made.fresh == (made.inserted if old == 1 else ())


def test_a_stage_with_fewer_blocks_is_refused():
    with pytest.raises(InputError, match="shrink from 3 to 2"):
        stage("layers", 3, 2, place="end", silent=())


def test_only_an_idempotent_activation_may_follow_a_block_that_adds_nothing():
    assert after("relu") == after("relu6") == ""
    assert "gelu" in after("gelu")


def test_the_longest_ending_of_a_name_decides():
    table = {
        "layer": linear("general"),
        "first.layer": linear("special"),
        "scale": parameter(writes("scaled")),
        "bn": batch_norm("general"),
    }
    names = ["net.layer.weight", "net.first.layer.weight", "net.scale", "net.bn.running_mean"]
    found = by_ending(table, [*names, "net.bn.num_batches_tracked", "net.other.weight"])
    layouts = {name: rule.dims[0].layout for name, rule in found.items()}
    assert layouts == dict(zip(names, ["general", "special", "scaled", "general"], strict=True))


def test_copies_of_a_channel_are_told_apart_by_their_readers_and_learn_differently():
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4], depths=[2], layer_type="basic", num_labels=3
    )
    pixels = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    module = transformers.ResNetForImageClassification(config)
    found = try_growth(module, {"pixel_values": pixels}, ResNet(), Net2Net(), [Widen(width="2x")])
    assert found.passed
    grown = found.grown.network.module
    grown(pixel_values=pixels.double()).logits.square().sum().backward()
    weight = grown.resnet.encoder.stages[0].layers[1].layer[0].convolution.weight
    index = found.grown.drawing.maps["inner 0.1.0"].index
    for copy in range(4, 8):
        assert torch.equal(weight[copy], weight[index[copy]])
        apart = (weight.grad[copy] - weight.grad[index[copy]]).abs().max()
        assert apart > 1e-3 * weight.grad.abs().max()


def test_a_new_block_in_a_stage_of_one_learns_from_the_first_step_on():
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 6], depths=[1, 1], layer_type="basic", num_labels=3
    )
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    module = transformers.ResNetForImageClassification(config)
    found = try_growth(module, {"pixel_values": pixels}, ResNet(), Net2Net(), [Deepen(depth="+1")])
    assert found.passed
    grown = found.grown.network.module.train()
    grown(pixel_values=pixels.double()).logits.square().sum().backward()
    last = grown.resnet.encoder.stages[1].layers[1].layer[1].normalization
    assert not last.weight.detach().any()
    assert last.weight.grad.abs().min() > 0
