from __future__ import annotations

import copy

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import CheckpointError, InputError
from zoo.testing.growth import try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.resnet import ResNet
from zoo_growth.net2net import Net2Net

PIXELS = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
KINDS = st.sampled_from(["basic", "bottleneck"])
PLACES = st.sampled_from(["end", "between"])


def resnet(
    kind="basic", stem=8, sizes=(8, 12), depths=(1, 2), head="ForImageClassification", **more
):
    config = transformers.ResNetConfig(
        embedding_size=stem,
        hidden_sizes=list(sizes),
        depths=list(depths),
        layer_type=kind,
        num_labels=5,
        **more,
    )
    return getattr(transformers, f"ResNet{head}")(config)


def trial(module, *steps, seed=0, config=None):
    inputs = {"pixel_values": PIXELS}
    return try_growth(module, inputs, ResNet(), Net2Net(), steps, seed=seed, config=config)


def in_training(found):
    """Compare both networks with the statistics of the batch."""
    modules = [copy.deepcopy(each.module).train() for each in (found.old, found.grown.network)]
    with torch.no_grad():
        before, after = (each(pixel_values=PIXELS.double()).logits for each in modules)
    return float((before - after).abs().max()), float(before.abs().max())


@settings(max_examples=8, deadline=None)
@given(
    kind=KINDS,
    stem=st.integers(1, 2),
    sizes=st.lists(st.integers(4, 12), min_size=1, max_size=2),
    more=st.lists(st.integers(1, 12), min_size=2, max_size=2),
    deeper=st.integers(0, 2),
    place=PLACES,
    seed=st.integers(0, 99),
)
def test_any_widths_and_depths_are_exact(kind, stem, sizes, more, deeper, place, seed):
    module = resnet(kind, sizes[0] * stem, sizes, (2, 1)[: len(sizes)])
    wide = ",".join(str(old + new) for old, new in zip(sizes, more, strict=False))
    steps = [Widen(width=wide), Deepen(depth=f"+{deeper}", place=place)]
    found = trial(module, *steps, seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons
    config = found.grown.network.config
    assert config.embedding_size == stem * config.hidden_sizes[0]


@settings(max_examples=4, deadline=None)
@given(kind=KINDS, seed=st.integers(0, 99))
def test_wider_is_exact_in_training_too(kind, seed):
    found = trial(resnet(kind, depths=(1, 1)), Widen(width="1.5x"), seed=seed)
    apart, largest = in_training(found)
    assert apart <= 1e-9 * max(1, largest)


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
@pytest.mark.parametrize("place", ["end", "between"])
def test_deeper_is_the_same_bit_for_bit_in_both_modes(kind, place):
    found = trial(resnet(kind, 4), Deepen(depth="+2", place=place))
    assert found.grown.network.config.depths == [3, 4]
    assert found.fp64.largest == found.fp32.largest == 0
    assert in_training(found)[0] == 0


@pytest.mark.parametrize(
    "more", [{"downsample_in_first_stage": True}, {"downsample_in_bottleneck": True}]
)
def test_where_resolution_changes_does_not_matter(more):
    assert trial(resnet("bottleneck", **more), Widen(width="1.5x"), Deepen(depth="+1")).passed


def test_features_of_a_body_are_those_of_before_repeated():
    found = trial(resnet(head="Model"), Widen(width="1.5x"))
    assert found.passed
    answers = found.grown.network.outputs({"pixel_values": PIXELS})
    assert answers["pooler_output"].shape == (3, 18, 1, 1)


def test_the_stem_shares_the_axis_of_a_stage_that_adds_it():
    shared = trial(resnet(stem=8), Widen(width="1.5x")).grown.drawing.blueprint
    apart = trial(resnet(stem=4), Widen(width="1.5x")).grown.drawing.blueprint
    assert "stage 1" not in shared.axes
    assert (apart.axes["stem"].new, apart.axes["stage 1"].new) == (6, 12)


def test_the_grown_checkpoint_loads_in_plain_transformers(tmp_path):
    found = trial(resnet("bottleneck"), Widen(width="1.5x"), Deepen(depth="2,3"))
    found.grown.network.save(tmp_path)
    again = transformers.ResNetForImageClassification.from_pretrained(tmp_path, dtype="auto").eval()
    with torch.no_grad():
        answer = again(pixel_values=PIXELS.double()).logits
    assert torch.equal(answer, found.grown.network.outputs({"pixel_values": PIXELS})["logits"])


def test_an_activation_that_is_not_idempotent_is_named():
    found = trial(resnet(hidden_act="gelu", depths=(2, 2)), Deepen(depth="+1"))
    assert not found.passed
    assert any("gelu follows every block" in reason for reason in found.grown.drawing.reasons)
    assert trial(resnet(hidden_act="gelu"), Widen(width="1.5x")).passed


class Torn(ResNet):
    """The family, the stem and the stage that adds it on axes of their own."""

    def blueprint(self, network, config, *, place="end"):
        import dataclasses

        right = super().blueprint(network, config, place=place)
        name = "resnet.embedder.embedder.convolution.weight"
        other = dataclasses.replace(right.axes["stem"], name="other")
        dims = (dataclasses.replace(right.rules[name].dims[0], layout="other"),)
        rules = {**right.rules, name: dataclasses.replace(right.rules[name], dims=dims)}
        return dataclasses.replace(right, axes={**right.axes, "other": other}, rules=rules)


def test_another_map_on_the_other_side_of_an_addition_shows():
    inputs = {"pixel_values": PIXELS}
    found = try_growth(resnet(), inputs, Torn(), Net2Net(), [Widen(width="1.5x")])
    assert not found.passed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"embedding_size": 16}, "the first stage adds what the stem gives"),
        ({"hidden_sizes": [8, 10]}, "width of stage 2 would shrink from 12 to 10"),
        ({"depths": [1, 1]}, "shrink from 2 to 1"),
        ({"depths": [1, 2, 1], "hidden_sizes": [8, 12, 16]}, "hidden_sizes would name 3 stages"),
        ({"layer_type": "bottleneck"}, "layer_type would become 'bottleneck'"),
        ({"hidden_act": "gelu"}, "hidden_act would become 'gelu'"),
    ],
)
def test_a_configuration_that_is_no_larger_one_is_refused(fields, message):
    module = resnet()
    config = copy.deepcopy(module.config)
    for name, value in fields.items():
        setattr(config, name, value)
    with pytest.raises((InputError, CheckpointError), match=message):
        trial(module, config=config)


def test_shrinking_is_refused():
    with pytest.raises(InputError, match="narrower"):
        ResNet().grown(resnet().config, [Widen(width="0.5x")])
    with pytest.raises(InputError, match="shrink"):
        ResNet().grown(resnet().config, [Deepen(depth="1")])
