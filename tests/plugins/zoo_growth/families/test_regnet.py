"""RegNet: groups that are never mixed, and a gate that reads and multiplies the same channels."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.testing.growth import try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.regnet import RegNet
from zoo_growth.net2net import Net2Net

PIXELS = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
INPUTS = {"pixel_values": PIXELS}


def regnet(kind="y", group=4, stem=6, sizes=(8, 12), depths=(1, 2), head="ForImageClassification"):
    config = transformers.RegNetConfig(
        embedding_size=stem,
        hidden_sizes=list(sizes),
        depths=list(depths),
        groups_width=group,
        layer_type=kind,
        num_labels=5,
    )
    return getattr(transformers, f"RegNet{head}")(config)


def trial(module, *steps, seed=0, config=None, family=None):
    return try_growth(
        module, INPUTS, family or RegNet(), Net2Net(), steps, seed=seed, config=config
    )


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from("xy"),
    group=st.sampled_from([2, 4]),
    sizes=st.lists(st.integers(2, 4), min_size=1, max_size=2),
    more=st.lists(st.integers(0, 3), min_size=2, max_size=2),
    deeper=st.integers(0, 1),
    place=st.sampled_from(["end", "between"]),
    seed=st.integers(0, 99),
)
def test_any_number_of_groups_is_exact(kind, group, sizes, more, deeper, place, seed):
    old = [each * group for each in sizes]
    wide = [size + new * group for size, new in zip(old, more, strict=False)]
    module = regnet(kind, group, sizes=old, depths=(2, 1)[: len(old)])
    steps = [Deepen(depth=f"+{deeper}", place=place)]
    if wide != old:
        steps.append(Widen(width=",".join(map(str, wide))))
    found = trial(module, *steps, seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons
    assert found.grown.network.config.hidden_sizes == wide


@pytest.mark.parametrize("kind", ["x", "y"])
def test_one_group_is_a_plain_convolution_and_its_channels_grow(kind):
    found = trial(regnet(kind, 16, sizes=(6, 10)), Widen(width="1.5x"))
    assert found.passed
    assert found.grown.drawing.blueprint.axes["after 0.0"].new == 9


def test_groups_and_what_is_within_them_grow_at_once():
    found = trial(regnet(group=8, sizes=(6, 16)), Widen(width="16,24"))
    axes = found.grown.drawing.blueprint.axes
    assert found.passed
    assert (axes["groups 0.0"].old, axes["groups 0.0"].new) == (1, 2)
    assert (axes["before 0.0"].old, axes["before 0.0"].new) == (6, 8)


def test_wider_is_exact_and_deeper_the_same_bit_for_bit_in_training():
    for step, tolerance in ((Widen(width="2x"), 1e-9), (Deepen(depth="+1"), 0.0)):
        found = trial(regnet(depths=(1, 1)), step)
        modules = [copy.deepcopy(each.module).train() for each in (found.old, found.grown.network)]
        with torch.no_grad():
            before, after = (each(pixel_values=PIXELS.double()).logits for each in modules)
        assert float((before - after).abs().max()) <= tolerance * max(1, float(before.abs().max()))


def test_features_of_a_body_are_those_of_before_repeated():
    assert trial(regnet(head="Model"), Widen(width="2x"), Deepen(depth="+1")).passed


class AcrossGroups(RegNet):
    """The family, as if a channel could be copied from one group into another."""

    def blueprint(self, network, config, *, place="end"):
        right = super().blueprint(network, config, place=place)
        name = "regnet.encoder.stages.0.layers.0.layer.0.convolution.weight"
        dims = (dataclasses.replace(right.rules[name].dims[0], layout="mixed"),)
        axis = dataclasses.replace(right.axes["stage 1"], name="mixed")
        rules = {
            **right.rules,
            name: dataclasses.replace(right.rules[name], dims=dims + right.rules[name].dims[1:]),
        }
        return dataclasses.replace(right, axes={**right.axes, "mixed": axis}, rules=rules)


def test_a_map_across_groups_shows():
    assert not trial(regnet(sizes=(8, 12)), Widen(width="12,12"), family=AcrossGroups()).passed


def test_relative_widths_are_rounded_to_whole_groups():
    config = regnet(group=8, sizes=(16, 48)).config
    assert RegNet().grown(config, [Widen(width="1.4x")]).hidden_sizes == [24, 64]


@pytest.mark.parametrize(
    ("sizes", "width", "message", "hint"),
    [
        ((16, 24), "20,24", "width of stage 1 20 is no multiple of 8", "16 or 24"),
        ((16, 24), "16,16", "width of stage 2 would shrink from 24 to 16", "distil"),
        ((14, 24), "16,24", "is 2 groups of 8 channels, and the stage has 1 of 14 now", "14 or 15"),
        ((16, 24), "1.1x", "makes no stage wider", "1.333x"),
    ],
)
def test_a_width_that_cannot_be_names_the_nearest(sizes, width, message, hint):
    with pytest.raises(InputError, match=message) as caught:
        RegNet().grown(regnet(group=8, sizes=sizes).config, [Widen(width=width)])
    assert hint in caught.value.hint


def test_a_configuration_that_is_no_larger_one_is_refused():
    module = regnet()
    for field, value, message in (
        ("groups_width", 8, "groups_width would become 8"),
        ("hidden_sizes", [11, 12], "11 is no multiple of 4"),
        ("embedding_size", 4, "embedding_size would shrink from 6 to 4"),
        ("hidden_sizes", [8], "hidden_sizes would name 1 stages"),
    ):
        config = copy.deepcopy(module.config)
        setattr(config, field, value)
        with pytest.raises(InputError, match=message):
            trial(module, config=config)
