"""Swin: stages that are tied to each other, windows that take turns."""

from __future__ import annotations

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.axes import drawn, generator_of
from zoo.testing.growth import HeldNetwork, try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.swin import Swin
from zoo_growth.net2net import Net2Net

PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
INPUTS = {"pixel_values": PIXELS}


def swin(name="SwinForImageClassification", *, hidden=8, heads=(2, 4), depths=(2, 2), **more):
    config = transformers.SwinConfig(
        embed_dim=hidden,
        num_heads=list(heads),
        depths=list(depths),
        window_size=2,
        image_size=32,
        patch_size=4,
        num_labels=7,
        encoder_stride=8,
        mlp_ratio=more.pop("ratio", 2.0),
        **more,
    )
    return getattr(transformers, name)(config)


def trial(module, *steps, grower=None, seed=0, config=None):
    return try_growth(module, INPUTS, Swin(), grower or Net2Net(), steps, seed=seed, config=config)


class RandomStream(Net2Net):
    def choose(self, blueprint, seed):
        found = super().choose(blueprint, seed)
        for axis in blueprint.axes.values():
            if axis.name.startswith("hidden"):
                found[axis.name] = drawn(axis.old, axis.new, generator_of(seed, axis.name))
        return found


@settings(max_examples=6, deadline=None)
@given(
    name=st.sampled_from(["SwinModel", "SwinForImageClassification"]),
    heads=st.integers(1, 2),
    times=st.integers(1, 3),
    wider=st.booleans(),
    mlp=st.integers(0, 13),
    depths=st.lists(st.integers(0, 3), min_size=2, max_size=2),
    place=st.sampled_from(["end", "between"]),
    absolute=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_growth_keeps_the_function(
    name, heads, times, wider, mlp, depths, place, absolute, seed
):
    module = swin(
        name, hidden=4 * heads, heads=(heads, heads), use_absolute_embeddings=absolute, ratio=1.5
    )
    more = 1 if wider else times
    new = f"{heads * more},{heads * more}"
    widen = Widen(hidden=f"{times}x", heads=new, mlp=6 * heads * times + mlp)
    deepen = Deepen(depth=",".join(f"+{each}" for each in depths), place=place)
    found = trial(module, widen, deepen, seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize("place", ["end", "between"])
@pytest.mark.parametrize("depth", ["+1", "+3", "3,5"])
def test_new_layers_change_no_bit(place, depth):
    found = trial(swin(depths=(2, 3)), Deepen(depth=depth, place=place))
    assert found.fp64.largest == found.fp32.largest == 0


def test_layers_between_come_in_pairs_so_that_windows_still_take_turns():
    network = HeldNetwork(swin(depths=(2, 5)), INPUTS)
    larger = Swin().grown(network.config, [Deepen(depth="4,8")])
    first, second = Swin().blueprint(network, larger, place="between").stacks
    assert first.source == (0, 1, 0, 1)
    assert second.source == (0, 1, 2, 3, 2, 3, 4, 4)
    assert second.inserted == (False,) * 4 + (True, True, False, True)


def test_the_stages_grow_together():
    larger = Swin().grown(swin().config, [Widen(width="2x")])
    assert (larger.embed_dim, larger.hidden_size, larger.num_heads) == (16, 32, [4, 8])
    assert larger.mlp_ratio == 2.0
    alone = Swin().grown(swin().config, [Widen(heads="2x")])
    assert (alone.embed_dim, alone.num_heads) == (16, [4, 8])
    wider = Swin().grown(swin().config, [Widen(hidden=16, heads="2,4")])
    assert (wider.embed_dim, wider.num_heads) == (16, [2, 4])
    deeper = Swin().grown(swin().config, [Deepen(depth="2,6")])
    assert deeper.depths == [2, 6]


@settings(max_examples=20, deadline=None)
@given(hidden=st.integers(1, 200), more=st.integers(0, 900))
def test_the_ratio_of_an_mlp_gives_its_size_again(hidden, more):
    config = transformers.SwinConfig(depths=[1], num_heads=[1], mlp_ratio=2.0)
    config.embed_dim = 2 * hidden
    size = 4 * hidden + more
    assert int(Swin().grown(config, [Widen(mlp=size)]).mlp_ratio * config.embed_dim) == size


@pytest.mark.parametrize("steps", [[Widen(width="1.5x")], [Widen(hidden=12, heads="2,4")]])
def test_a_stream_that_is_no_multiple_is_inexact_and_says_why(steps):
    found = trial(swin(), *steps)
    assert not found.passed
    assert "only multiples of 8 keep the function" in found.grown.drawing.reasons[0]


def test_random_copies_under_its_norms_show():
    assert not trial(swin(), Widen(width="2x"), grower=RandomStream()).passed


def test_a_softmax_in_float32_is_allowed_for():
    module = swin()
    module.set_attn_implementation("eager")
    found = trial(module, Widen(width="2x"))
    assert found.passed
    assert found.grown.drawing.blueprint.casts


def test_a_network_that_fills_in_what_is_masked_keeps_its_function():
    assert trial(swin("SwinForMaskedImageModeling"), Widen(width="2x"), Deepen()).passed


def test_buffers_are_those_of_a_new_network(tmp_path):
    found = trial(swin(), Widen(width="2x", mlp=45), Deepen(depth="2,3")).grown.network
    found.save(tmp_path)
    again = transformers.AutoModelForImageClassification.from_pretrained(
        tmp_path, dtype=torch.float64
    )
    buffers = dict(found.module.named_buffers())
    assert any(name.endswith("relative_position_index") for name in buffers)
    for name, buffer in again.named_buffers():
        assert torch.equal(buffer, buffers[name]), name
    with torch.no_grad():
        assert torch.equal(again(PIXELS.double()).logits, found.outputs(INPUTS)["logits"])


def test_a_network_without_weights_is_planned_in_the_same_way():
    real = HeldNetwork(swin(), INPUTS)
    with torch.device("meta"):
        imagined = HeldNetwork(swin(), INPUTS)
    larger = Swin().grown(real.config, [Widen(width="2x"), Deepen()])
    assert Swin().blueprint(imagined, larger) == Swin().blueprint(real, larger)


@pytest.mark.parametrize(
    ("step", "sentence", "hint"),
    [
        (Widen(hidden=7), "hidden size would shrink from 8 to 7", "zoo distill"),
        (Widen(hidden=9), r"hidden size \(stage 1\) 9 is no multiple of 2", "8 or 10"),
        (Widen(width="1.25x"), "1.25x of 2 attention heads is 2.5", "The nearest: 1.5x (3 heads)"),
        (Widen(hidden=8, heads="4,4"), r"head \(stage 1\) would shrink from 4 to 2", "zoo distill"),
        (Widen(heads="2,4,8"), "number of heads '2,4,8' names 3 stages", "one number a stage"),
        (Widen(kv_heads=1), "keys of its own", "--heads"),
        (Deepen(depth="3,1"), "depth would shrink from 2 to 1", "zoo distill"),
    ],
)
def test_a_size_that_cannot_be_is_refused_with_the_nearest(step, sentence, hint):
    with pytest.raises(InputError, match=sentence) as caught:
        Swin().grown(swin().config, [step])
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depths": (2, 2, 2), "heads": (2, 4, 8)}, "num_layers would become 3 and is 2"),
        ({"heads": (2, 4, 8)}, "num_heads would name 3 stages"),
        ({"ratio": 1.5}, r"size 'mlp' \(stage 1\) would shrink from 16 to 12"),
        ({"depths": (2, 1)}, "depth would shrink from 2 to 1"),
        ({"qkv_bias": False}, "qkv_bias would become False"),
    ],
)
def test_a_configuration_of_another_network_is_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        trial(swin(), config=swin(**changes).config)
