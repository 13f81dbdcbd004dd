"""Layers that repeat others."""

from __future__ import annotations

import pytest
import torch
import transformers
from small_networks import grow_bert, grow_vit, held, old_state_of, state_of

from zoo.growing.work import draw
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.resnet import ResNet
from zoo_growth.net2net import Net2Net
from zoo_growth.stacking import Interpolation, Stacking

ORDERS = [
    (Stacking, 5, (0, 1, 0, 1, 0)),
    (Stacking, 4, (0, 1, 0, 1)),
    (Interpolation, 4, (0, 0, 1, 1)),
    (Interpolation, 5, (0, 0, 0, 1, 1)),
]


@pytest.mark.parametrize(("grower", "depth", "source"), ORDERS)
def test_new_layers_repeat_old_ones_and_are_not_silent(grower, depth, source):
    trial = grow_vit(grower(), Deepen(depth=depth))
    old, new = old_state_of(trial), state_of(trial)
    for layer, from_layer in enumerate(source):
        for part in ("mlp.fc2.weight", "mlp.fc2.bias", "layernorm_before.weight"):
            assert torch.equal(
                new[f"vit.layers.{layer}.{part}"], old[f"vit.layers.{from_layer}.{part}"]
            )
    assert not trial.passed
    assert "not silent" in trial.grown.drawing.reasons[0]


@pytest.mark.parametrize("grower", [Stacking, Interpolation])
def test_only_wider_it_is_net2net(grower):
    wide = Widen(hidden=16, heads=1, mlp=25)
    trial, plain = grow_vit(grower(), wide, heads=1), grow_vit(Net2Net(), wide, heads=1)
    assert trial.passed
    assert not trial.grown.drawing.reasons
    for name, value in state_of(plain).items():
        assert torch.equal(value, state_of(trial)[name])


def test_norms_of_a_post_norm_network_are_copied_too():
    trial = grow_bert(Stacking(), Deepen(depth=4))
    old, new = old_state_of(trial), state_of(trial)
    name = "bert.encoder.layer.{}.output.LayerNorm.weight"
    assert torch.equal(new[name.format(3)], old[name.format(1)])


@pytest.mark.parametrize(
    ("grower", "source"), [(Stacking, (0, 1, 2, 1, 2)), (Interpolation, (0, 1, 1, 2, 2))]
)
def test_blocks_of_one_form_are_stacked_among_themselves(grower, source):
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[8, 12], depths=[3, 3], layer_type="basic", num_labels=4
    )
    network = held(transformers.ResNetForImageClassification(config), {})
    family = ResNet()
    larger = family.grown(network.config, [Deepen(depth=5)])
    drawing = draw(network, family, grower(), larger)
    assert {each.source for each in drawing.blueprint.stacks} == {source}
