from __future__ import annotations

import copy

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.testing.growth import try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.efficientnet import EfficientNet
from zoo_growth.net2net import Net2Net

PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
INPUTS = {"pixel_values": PIXELS}
PLACES = st.sampled_from(["end", "between"])


def efficientnet(head="ForImageClassification", *, repeats=(1, 2, 1), **more):
    sizes = {
        "width_coefficient": 0.1,
        "depth_coefficient": 1.0,
        "depth_divisor": 2,
        "hidden_dim": 128,
        "in_channels": [32, 16, 24],
        "out_channels": [16, 24, 40],
        "kernel_sizes": [3, 3, 5],
        "strides": [1, 2, 2],
        "expand_ratios": [1, 6, 6],
        "num_block_repeats": list(repeats),
        "depthwise_padding": [],
        "num_labels": 5,
    }
    config = transformers.EfficientNetConfig(**{**sizes, **more})
    return getattr(transformers, f"EfficientNet{head}")(config)


def trial(module, *steps, seed=0, config=None):
    return try_growth(module, INPUTS, EfficientNet(), Net2Net(), steps, seed=seed, config=config)


@settings(max_examples=6, deadline=None)
@given(
    repeats=st.lists(st.integers(1, 2), min_size=3, max_size=3),
    coefficient=st.sampled_from([1.0, 1.1]),
    factor=st.floats(1.3, 2.5),
    deeper=st.integers(0, 1),
    place=PLACES,
    padded=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_any_width_and_depth_is_exact(repeats, coefficient, factor, deeper, place, padded, seed):
    module = efficientnet(
        repeats=repeats, depth_coefficient=coefficient, depthwise_padding=[padded]
    )
    steps = [Widen(width=f"{factor:.3f}x"), Deepen(depth=f"+{deeper}", place=place)]
    found = trial(module, *steps, seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize("place", ["end", "between"])
@pytest.mark.parametrize("repeats", [(1, 2, 1), (1, 1, 1), (2, 2, 3)])
def test_deeper_is_the_same_bit_for_bit(repeats, place):
    found = trial(efficientnet(repeats=repeats), Deepen(depth="+2", place=place))
    assert found.fp64.largest == found.fp32.largest == 0
    assert len(found.grown.network.module.efficientnet.encoder.blocks) == sum(repeats) + 6


def test_features_of_a_body_are_those_of_before_repeated():
    found = trial(efficientnet("Model"), Widen(width="1.5x"), Deepen(depth="+1"))
    assert found.passed


@pytest.mark.parametrize("place", ["end", "between"])
def test_the_configuration_counts_its_blocks_as_a_fresh_one_does(place, tmp_path):
    module = efficientnet(repeats=(1, 2, 1), depth_coefficient=1.2, depthwise_padding=[2, 5, 99])
    found = trial(module, Deepen(depth="2,4,3", place=place), Widen(width="1.5x"))
    config = found.grown.network.config
    assert config.num_block_repeats == [2, 4, 3]
    assert config.depth_coefficient == 1.0
    assert config.depthwise_padding == [2, 6, 101]
    assert config.hidden_dim == 192
    found.grown.network.save(tmp_path)
    kind = transformers.EfficientNetForImageClassification
    again = kind.from_pretrained(tmp_path, dtype="auto").eval()
    assert again.config.num_hidden_layers == config.num_hidden_layers == 36
    with torch.no_grad():
        answer = again(pixel_values=PIXELS.double()).logits
    assert torch.equal(answer, found.grown.network.outputs(INPUTS)["logits"])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Deepen(depth="+1,+1"), "names 2 stages, and there are 3"),
        (Deepen(depth="1"), "shrink"),
        (Widen(hidden="2x"), "an EfficientNet has no size of its own called hidden"),
        (Widen(width="0.5x"), "narrower"),
        (Widen(width="+64"), "is no factor"),
    ],
)
def test_a_size_that_cannot_be_is_said_in_one_sentence(step, message):
    with pytest.raises(InputError, match=message):
        EfficientNet().grown(efficientnet().config, [step])


def test_a_configuration_that_is_no_larger_one_is_refused():
    module = efficientnet(depthwise_padding=[1])
    for fields, message in (
        ({"num_block_repeats": [1, 1, 1]}, "shrink from 2 to 1"),
        ({"num_block_repeats": [2, 2, 1]}, "block 2 is block 1 .* pad its input in another way"),
        ({"width_coefficient": 0.05, "hidden_dim": 64}, "would shrink"),
        ({"width_coefficient": 0.3}, "sizes of the larger configuration do not go together"),
        ({"expand_ratios": [6, 6, 6]}, "only one of the two networks has"),
        ({"kernel_sizes": [3, 5, 5]}, "kernel_sizes would become"),
        ({"strides": (1, 2, 1)}, "strides would become"),
        ({"out_channels": [16, 24]}, "out_channels would name 2 stages"),
    ):
        config = copy.deepcopy(module.config)
        for name, value in fields.items():
            setattr(config, name, value)
        with pytest.raises(InputError, match=message):
            trial(module, config=config)
    same = copy.deepcopy(module.config)
    same.strides = tuple(same.strides)  # as a default is, where a file has a list
    assert trial(module, config=same).passed
