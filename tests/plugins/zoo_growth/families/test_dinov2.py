"""DINOv2: layer scale between a layer and the stream, a gated MLP, registers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import CheckpointError, InputError
from zoo.testing.growth import HeldNetwork, try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.dinov2 import Dinov2
from zoo_growth.net2net import Net2Net

PIXELS = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
INPUTS = {"pixel_values": PIXELS}
CLASSES = (
    "Dinov2Model",
    "Dinov2ForImageClassification",
    "Dinov2WithRegistersModel",
    "Dinov2WithRegistersForImageClassification",
)


def dinov2(name="Dinov2ForImageClassification", *, hidden=24, heads=3, layers=2, ratio=2, **more):
    kind = getattr(transformers, name)
    config = kind.config_class(
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        mlp_ratio=ratio,
        layer_norm_eps=0.1,  # a mistake about it shows
        image_size=16,
        patch_size=8,
        num_labels=7,
        **more,
    )
    return kind(config)


def trial(module, *steps, family=None, seed=0, config=None, inputs=INPUTS):
    return try_growth(
        module, inputs, family or Dinov2(), Net2Net(), steps, seed=seed, config=config
    )


class Ungated(Dinov2):
    """The family, its means taken before layer scale instead of after it."""

    def blueprint(self, network, config, *, place="end"):
        right = super().blueprint(network, config, place=place)
        rules = {name: dataclasses.replace(rule, gate="") for name, rule in right.rules.items()}
        return dataclasses.replace(right, rules=rules)


@settings(max_examples=8, deadline=None)
@given(
    name=st.sampled_from(CLASSES),
    gated=st.booleans(),
    heads=st.integers(1, 3),
    width=st.integers(2, 4),
    more_heads=st.integers(0, 2),
    wider=st.integers(0, 3),
    times=st.integers(2, 4),
    depth=st.integers(0, 2),
    place=st.sampled_from(["end", "between"]),
    seed=st.integers(0, 99),
)
def test_any_growth_keeps_the_function(
    name, gated, heads, width, more_heads, wider, times, depth, place, seed
):
    module = dinov2(name, hidden=heads * width, heads=heads, use_swiglu_ffn=gated)
    new = heads + more_heads
    hidden = new * (width + wider)
    widen = Widen(hidden=hidden, heads=new, mlp=hidden * times)
    found = trial(module, widen, Deepen(depth=f"+{depth}", place=place), seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize("place", ["end", "between"])
def test_new_layers_change_no_bit(place):
    found = trial(dinov2(), Deepen(depth="+2", place=place))
    assert found.fp64.largest == found.fp32.largest == 0


def test_new_layers_learn_from_the_first_step():
    module = trial(dinov2(), Deepen()).grown.network.module
    module(PIXELS.double()).logits.square().sum().backward()
    layer = module.dinov2.encoder.layer[2]
    assert layer.layer_scale1.lambda1.grad.abs().min() > 0
    assert layer.layer_scale2.lambda1.grad.abs().min() > 0


def test_means_that_are_taken_before_layer_scale_show():
    assert not trial(dinov2(), Widen(hidden=32), family=Ungated()).passed
    assert trial(dinov2(), Widen(hidden=48), family=Ungated()).passed


def test_masked_patches_keep_their_token():
    mask = torch.tensor([[True, False, True, False]]).expand(3, -1)
    inputs = {**INPUTS, "bool_masked_pos": mask}
    assert trial(dinov2("Dinov2Model"), Widen(hidden=32), inputs=inputs).passed


def test_the_intermediate_size_is_a_multiple_of_the_hidden_size():
    config = dinov2().config
    assert Dinov2().grown(config, [Widen(hidden=32)]).mlp_ratio == 2
    assert Dinov2().grown(config, [Widen(hidden=32, mlp=96)]).mlp_ratio == 3
    assert Dinov2().grown(config, [Widen(mlp="2x")]).mlp_ratio == 4
    with pytest.raises(InputError, match="intermediate size 97 is no multiple of 24") as caught:
        Dinov2().grown(config, [Widen(mlp=97)])
    assert "96 or 120" in caught.value.hint
    with pytest.raises(InputError, match="intermediate size would shrink from 48 to 24"):
        Dinov2().grown(config, [Widen(mlp=24)])


def test_the_configuration_names_its_new_stages():
    config = dinov2().config
    larger = Dinov2().grown(config, [Deepen()])
    assert larger.stage_names == ["stem", "stage1", "stage2", "stage3"]
    assert (larger.out_features, larger.out_indices) == (["stage3"], [3])
    assert (config.num_hidden_layers, config.out_features) == (2, ["stage2"])


def test_a_grown_checkpoint_loads_in_plain_transformers(tmp_path):
    found = trial(dinov2(use_swiglu_ffn=True), Widen(hidden=32), Deepen()).grown.network
    found.save(tmp_path)
    again = transformers.AutoModelForImageClassification.from_pretrained(
        tmp_path, dtype=torch.float64
    )
    with torch.no_grad():
        assert torch.equal(again(PIXELS.double()).logits, found.outputs(INPUTS)["logits"])
    assert again.config.layer_norm_eps == pytest.approx(0.1 * 24 / 32)
    assert again.config.out_features == ["stage3"]


def test_a_network_without_weights_is_planned_in_the_same_way():
    family, real = Dinov2(), HeldNetwork(dinov2(), INPUTS)
    with torch.device("meta"):
        imagined = HeldNetwork(dinov2(), INPUTS)
    larger = family.grown(real.config, [Widen(hidden=32), Deepen()])
    assert family.blueprint(imagined, larger) == family.blueprint(real, larger)


def test_a_configuration_of_another_network_is_refused():
    with pytest.raises(InputError, match="use_swiglu_ffn would become True and is False"):
        trial(dinov2(), config=dinov2(use_swiglu_ffn=True).config)
    with pytest.raises(InputError, match="mlp_ratio would shrink from 2 to 1"):
        trial(dinov2(), config=dinov2(ratio=1, hidden=48).config)


def test_a_backbone_whose_answers_cannot_be_compared_is_refused():
    with pytest.raises(CheckpointError, match="nothing can be proved"):
        trial(dinov2("Dinov2Backbone"), Widen(hidden=32))
