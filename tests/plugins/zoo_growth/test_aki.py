"""AKI: what is added comes from the layer above."""

from __future__ import annotations

import torch
import transformers
from small_networks import copies_apart, grow_vit, grown_from, held, old_state_of, state_of, train

from zoo.types.growing import Deepen, Widen
from zoo_growth.aki import Aki
from zoo_growth.families.resnet import ResNet

FC1, FC2 = "vit.layers.{}.mlp.fc1.{}", "vit.layers.{}.mlp.fc2.{}"


def test_outputs_that_are_added_are_those_of_the_layer_above():
    trial = grow_vit(Aki(), Widen(mlp=25), layers=3)
    old, new = old_state_of(trial), state_of(trial)
    for layer, above in ((0, 1), (1, 2), (2, 2)):
        index = trial.grown.drawing.maps[f"mlp {layer}"].index
        for leaf in ("weight", "bias"):
            own, higher = old[FC1.format(layer, leaf)], old[FC1.format(above, leaf)]
            assert torch.equal(new[FC1.format(layer, leaf)][:10], own)
            assert torch.equal(new[FC1.format(layer, leaf)][10:], higher[index[10:]])


def test_what_is_read_is_divided_among_the_copies_of_its_own_layer():
    trial = grow_vit(Aki(), Widen(mlp=25))
    old, new, found = old_state_of(trial), state_of(trial), trial.grown.drawing.maps["mlp 0"]
    expected = old[FC2.format(0, "weight")][:, found.index] * found.share
    assert torch.allclose(new[FC2.format(0, "weight")], expected)


def test_the_stream_gains_channels_of_the_layer_above_and_norms_stay_their_own():
    trial = grow_vit(Aki(tiled=True), Widen(hidden=24, heads=3))
    old, new = old_state_of(trial), state_of(trial)
    assert torch.equal(new[FC2.format(0, "bias")][12:], old[FC2.format(1, "bias")])
    assert torch.equal(new[FC2.format(0, "bias")][:12], old[FC2.format(0, "bias")])
    gain = "vit.layers.0.layernorm_after.weight"
    assert torch.equal(new[gain][12:], old[gain])


def test_the_function_changes_and_is_said_to():
    trial = grow_vit(Aki(), Widen(mlp=25))
    assert not trial.passed
    assert "layer above" in trial.grown.drawing.reasons[0]


def test_no_copies_stay_equal_not_even_those_of_the_last_layer():
    trial = grow_vit(Aki(), Widen(mlp=24), hidden=36, mlp=6)
    module, maps = trial.grown.network.module, trial.grown.drawing.maps
    assert copies_apart(state_of(trial)[FC1.format(0, "weight")][:7], maps["mlp 0"].index[:7]) > 0
    train(module)
    for layer in (0, 1):
        weight = module.state_dict()[FC1.format(layer, "weight")]
        assert copies_apart(weight[:8], maps[f"mlp {layer}"].index[:8]) > 1e-4


def test_stacked_layers_look_at_the_layer_above_the_one_that_they_repeat():
    trial = grow_vit(Aki(), Widen(mlp=25), Deepen(depth=4))
    old, new, maps = old_state_of(trial), state_of(trial), trial.grown.drawing.maps
    found = maps["mlp 2"].index[10:]
    assert torch.equal(new[FC1.format(2, "bias")][10:], old[FC1.format(1, "bias")][found])


def test_a_block_whose_neighbour_has_another_form_copies_itself():
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[8, 12], depths=[2, 2], layer_type="basic", num_labels=4
    )
    pixels = {"pixel_values": torch.randn(2, 3, 32, 32)}
    old = held(transformers.ResNetForImageClassification(config), pixels)
    grown = grown_from(old, Aki(), Widen(width="2x"), family=ResNet())
    answers = grown.network.outputs(pixels)["logits"]
    assert bool(torch.isfinite(answers).all())
