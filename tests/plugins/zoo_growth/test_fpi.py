"""FPI: random copies of everything, exact where no norm looks on."""

from __future__ import annotations

import pytest
import torch
from small_networks import grow_bert, grow_vit, old_state_of, state_of

from zoo.errors import InputError
from zoo.types.growing import Deepen, Widen
from zoo_growth.fpi import Fpi


def test_what_no_norm_looks_at_keeps_the_function():
    trial = grow_vit(Fpi(), Widen(mlp=25))
    assert trial.passed
    assert not trial.grown.drawing.reasons


@pytest.mark.parametrize("grow", [grow_vit, grow_bert])
def test_random_copies_under_a_norm_change_the_function_and_are_said_to(grow):
    trial = grow(Fpi(), Widen(hidden="2x"))
    assert not trial.passed
    assert trial.grown.drawing.reasons[0].startswith("hidden: ")


@pytest.mark.parametrize("grow", [grow_vit, grow_bert])
def test_whole_copies_keep_the_function(grow):
    trial = grow(Fpi(tiled=True), Widen(hidden="2x"))
    assert trial.passed
    assert not trial.grown.drawing.reasons


def test_whole_copies_that_do_not_fit_change_the_function_and_are_said_to():
    trial = grow_vit(Fpi(tiled=True), Widen(hidden=18, heads=1), heads=1)
    assert not trial.passed
    assert trial.grown.drawing.reasons


def test_gains_and_embeddings_are_copied_like_everything_else():
    trial = grow_bert(Fpi(noise=0, symmetric=True), Widen(hidden=16, heads=4))
    old, new = old_state_of(trial), state_of(trial)
    index, share = (
        getattr(trial.grown.drawing.maps["hidden"], each) for each in ("index", "share")
    )
    for name in ("embeddings.LayerNorm.weight", "encoder.layer.1.output.LayerNorm.bias"):
        assert torch.equal(new[f"bert.{name}"], old[f"bert.{name}"][index])
    words = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(new[words], old[words][:, index])
    fc1 = "bert.encoder.layer.0.intermediate.dense.weight"
    assert torch.allclose(new[fc1][:10], old[fc1][:, index] * share)


def test_widened_layers_are_stacked():
    trial = grow_vit(Fpi(), Widen(mlp=25), Deepen(depth=4))
    assert trial.grown.drawing.blueprint.stacks[0].source == (0, 1, 0, 1)
    assert not trial.passed
    assert "not silent" in trial.grown.drawing.reasons[-1]


def test_copies_that_stay_equal_are_refused():
    with pytest.raises(InputError, match="equal for ever"):
        Fpi(noise=0)
