"""ConvNeXt: norms over the channels with an epsilon in the code, so whole copies alone."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.axes import drawn, generator_of
from zoo.testing.growth import try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.convnext import ConvNext
from zoo_growth.net2net import Net2Net

PIXELS = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
INPUTS = {"pixel_values": PIXELS}


def convnext(kind="ConvNext", sizes=(6, 8), depths=(1, 2), head="ForImageClassification", **more):
    config = getattr(transformers, f"{kind}Config")(
        hidden_sizes=list(sizes),
        depths=list(depths),
        num_stages=len(sizes),
        num_labels=5,
        layer_norm_eps=0.1,  # a mistake about it shows
        **more,
    )
    return getattr(transformers, f"{kind}{head}")(config)


def trial(module, *steps, seed=0, config=None, family=None, grower=None):
    return try_growth(
        module,
        INPUTS,
        family or ConvNext(),
        grower or Net2Net(),
        steps,
        seed=seed,
        config=config,
    )


class RandomUnderNorms(Net2Net):
    """Net2Wider as in its paper, which knows no layer norm."""

    def choose(self, blueprint, seed):
        return {
            name: drawn(axis.old, axis.new, generator_of(seed, name))
            for name, axis in blueprint.axes.items()
        }


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from(["ConvNext", "ConvNextV2"]),
    sizes=st.lists(st.integers(2, 8), min_size=1, max_size=2),
    times=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    deeper=st.integers(0, 2),
    place=st.sampled_from(["end", "between"]),
    seed=st.integers(0, 99),
)
def test_whole_copies_and_more_blocks_are_exact(kind, sizes, times, deeper, place, seed):
    wide = [size * k for size, k in zip(sizes, times, strict=False)]
    steps = [Deepen(depth=f"+{deeper}", place=place)]
    if wide != sizes:
        steps.append(Widen(width=",".join(map(str, wide))))
    found = trial(convnext(kind, sizes, (2, 1)[: len(sizes)]), *steps, seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize("more", [{}, {"layer_scale_init_value": 0.0}])
@pytest.mark.parametrize("kind", ["ConvNext", "ConvNextV2"])
def test_deeper_is_the_same_bit_for_bit(kind, more):
    found = trial(convnext(kind, **(more if kind == "ConvNext" else {})), Deepen(depth="+1"))
    assert found.fp64.largest == found.fp32.largest == 0


def test_a_new_block_is_silent_in_one_place_so_that_it_can_learn():
    module = convnext(sizes=[4], depths=[1])
    grown = trial(module, Deepen(depth="+1")).grown.network.module
    grown(pixel_values=PIXELS.double()).logits.square().sum().backward()
    new = grown.convnext.encoder.stages[0].layers[1]
    assert not new.layer_scale_parameter.detach().any()
    assert new.layer_scale_parameter.grad.abs().min() > 0
    assert new.pwconv2.weight.detach().abs().min() > 0


@pytest.mark.parametrize("kind", ["ConvNext", "ConvNextV2"])
def test_features_of_a_body_are_those_of_before_repeated(kind):
    assert trial(convnext(kind, head="Model"), Widen(width="2x"), Deepen(depth="+1")).passed


@pytest.mark.parametrize("kind", ["ConvNext", "ConvNextV2"])
@pytest.mark.parametrize("times", [1.5, 2.0])
def test_a_random_map_under_a_norm_changes_the_function(kind, times):
    module = convnext(kind)
    assert not trial(module, Widen(width=times), grower=RandomUnderNorms()).passed


@pytest.mark.parametrize("kind", ["ConvNext", "ConvNextV2"])
def test_a_width_that_is_no_whole_copy_is_inexact_and_says_why(kind):
    found = trial(convnext(kind), Widen(width="9,8"))
    assert not found.passed
    assert any(
        reason.startswith("stage 1") and "only whole copies" in reason
        for reason in found.grown.drawing.reasons
    )


class FreeResponse(ConvNext):
    """The family, as if the response norm of V2 saw one channel alone."""

    def blueprint(self, network, config, *, place="end"):
        right = super().blueprint(network, config, place=place)
        axes = {
            name: dataclasses.replace(axis, repetition="free") if "mlp" in name else axis
            for name, axis in right.axes.items()
        }
        return dataclasses.replace(right, axes=axes)


def test_the_response_norm_of_the_second_version_needs_whole_copies_too():
    assert not trial(convnext("ConvNextV2"), Widen(width="2x"), family=FreeResponse()).passed
    assert trial(convnext("ConvNext"), Widen(width="2x"), family=FreeResponse()).passed


def test_the_grown_checkpoint_loads_in_plain_transformers(tmp_path):
    found = trial(convnext(), Widen(width="2x"), Deepen(depth="2,3"))
    found.grown.network.save(tmp_path)
    kind = transformers.ConvNextForImageClassification
    again = kind.from_pretrained(tmp_path, dtype="auto").eval()
    with torch.no_grad():
        answer = again(pixel_values=PIXELS.double()).logits
    assert torch.equal(answer, found.grown.network.outputs(INPUTS)["logits"])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Widen(mlp="2x"), "a ConvNeXt has no size of its own called mlp"),
        (Widen(width="3,8"), "width of stage 1 would shrink from 6 to 3"),
        (Deepen(depth="1,1"), "the depth would shrink from 2 to 1"),
        (Deepen(depth="1,2,3"), "names 3 stages, and there are 2"),
    ],
)
def test_a_size_that_cannot_be_is_said_in_one_sentence(step, message):
    with pytest.raises(InputError, match=message):
        ConvNext().grown(convnext().config, [step])


def test_a_configuration_that_is_no_larger_one_is_refused():
    module = convnext()
    for field, value, message in (
        ("depths", [1, 1], "number of blocks of stage 2 would shrink from 2 to 1"),
        ("hidden_sizes", [6, 4], "width of stage 2 would shrink from 8 to 4"),
        ("patch_size", 2, "patch_size would become 2"),
    ):
        config = copy.deepcopy(module.config)
        setattr(config, field, value)
        with pytest.raises(InputError, match=message):
            trial(module, config=config)
