"""ViT and DeiT: a stream of any width, heads of any number and width."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.axes import drawn, generator_of, tiled
from zoo.testing.growth import HeldNetwork, try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.vit import Vit
from zoo_growth.net2net import Net2Net

PIXELS = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
INPUTS = {"pixel_values": PIXELS}
CLASSES = (
    "ViTModel",
    "ViTForImageClassification",
    "DeiTModel",
    "DeiTForImageClassification",
    "DeiTForImageClassificationWithTeacher",
)


def vit(name="ViTForImageClassification", *, hidden=24, heads=3, layers=2, mlp=48, **more):
    kind = getattr(transformers, name)
    config = kind.config_class(
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        intermediate_size=mlp,
        layer_norm_eps=more.pop("eps", 0.1),  # a mistake about it shows
        image_size=16,
        patch_size=8,
        num_labels=7,
        **more,
    )
    return kind(config)


def trial(module, *steps, family=None, grower=None, seed=0, config=None, inputs=INPUTS):
    return try_growth(
        module, inputs, family or Vit(), grower or Net2Net(), steps, seed=seed, config=config
    )


class UnderNorms(Net2Net):
    """Net2Net, with a map of the stream that a norm does not bear."""

    def __init__(self, chosen):
        super().__init__()
        self.chosen = chosen

    def choose(self, blueprint, seed):
        hidden = blueprint.axes["hidden"]
        return super().choose(blueprint, seed) | {"hidden": self.chosen(hidden.old, hidden.new)}


def random_map(old, new):
    return drawn(old, new, generator_of(0, "hidden"))


class Forgetful(Vit):
    """The family, but for the epsilon of its norms."""

    def blueprint(self, network, config, *, place="end"):
        right = super().blueprint(network, config, place=place)
        axes = dict(right.axes)
        axes["hidden"] = dataclasses.replace(axes["hidden"], repetition="free")
        return dataclasses.replace(right, axes=axes, epsilon=())


@settings(max_examples=8, deadline=None)
@given(
    name=st.sampled_from(CLASSES),
    heads=st.integers(1, 3),
    width=st.integers(2, 4),
    more_heads=st.integers(0, 2),
    wider=st.integers(0, 3),
    mlp=st.integers(0, 20),
    depth=st.integers(0, 2),
    place=st.sampled_from(["end", "between"]),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_growth_keeps_the_function(
    name, heads, width, more_heads, wider, mlp, depth, place, bias, seed
):
    module = vit(name, hidden=heads * width, heads=heads, qkv_bias=bias)
    new = heads + more_heads
    widen = Widen(hidden=new * (width + wider), heads=new, mlp=f"+{mlp}")
    found = trial(module, widen, Deepen(depth=f"+{depth}", place=place), seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize(
    "steps",
    [
        [Widen(mlp=77)],
        [Widen(width="2x")],
        [Widen(hidden=32)],
        [Widen(hidden=48, heads=3)],
        [Deepen(depth="+2"), Widen(hidden=32, mlp=70)],
    ],
    ids=["mlp", "width", "hidden 32", "wider heads", "depth too"],
)
def test_the_cases_of_the_specification_are_exact(steps):
    found = trial(vit(), *steps)
    assert found.passed
    assert found.fp64.largest < 1e-13


@pytest.mark.parametrize("place", ["end", "between"])
def test_new_layers_change_no_bit(place):
    found = trial(vit(), Deepen(depth="+2", place=place))
    assert found.fp64.largest == found.fp32.largest == 0


@pytest.mark.parametrize("name", ["ViTForMaskedImageModeling", "DeiTForMaskedImageModeling"])
def test_a_network_that_fills_in_what_is_masked_keeps_its_function(name):
    mask = torch.tensor([[True, False, True, False]]).expand(3, -1)
    found = trial(
        vit(name, encoder_stride=8),
        Widen(hidden=32),
        Deepen(),
        inputs={**INPUTS, "bool_masked_pos": mask},
    )
    assert found.passed


def test_the_pooler_grows_with_the_stream_only_if_it_was_as_wide():
    family = Vit()
    assert family.grown(vit("ViTModel").config, [Widen(hidden=32)]).pooler_output_size == 32
    other = vit("ViTModel", pooler_output_size=10)
    assert family.grown(other.config, [Widen(hidden=32)]).pooler_output_size == 10
    assert trial(other, Widen(hidden=32)).passed


@pytest.mark.parametrize(
    ("changes", "least"),
    [
        ({"grower": UnderNorms(random_map)}, 0.1),
        ({"grower": UnderNorms(tiled)}, 0.1),
        ({"family": Forgetful(), "grower": UnderNorms(lambda n, m: tiled(n, m, "mean"))}, 1e-3),
    ],
    ids=["random copies", "zeros without centring", "epsilon left alone"],
)
def test_what_a_layer_norm_does_not_bear_shows(changes, least):
    found = trial(vit(eps=1e-2), Widen(hidden=32), **changes)
    assert not found.passed
    assert found.fp64.largest > least


def test_uneven_copies_show_even_at_twice_the_width():
    assert not trial(vit(), Widen(hidden=48), grower=UnderNorms(random_map)).passed


def test_a_larger_configuration_will_do():
    larger = vit(hidden=40, heads=5, layers=3, mlp=60, eps=0.1).config
    assert trial(vit(), config=larger).passed


def test_a_grown_checkpoint_loads_in_plain_transformers(tmp_path):
    found = trial(vit(), Widen(hidden=32, mlp=70), Deepen()).grown.network
    found.save(tmp_path)
    again = transformers.AutoModelForImageClassification.from_pretrained(
        tmp_path, dtype=torch.float64
    )
    with torch.no_grad():
        assert torch.equal(again(PIXELS.double()).logits, found.outputs(INPUTS)["logits"])
    assert again.config.layer_norm_eps == pytest.approx(0.1 * 24 / 32)


def test_a_network_without_weights_is_planned_in_the_same_way():
    family, real = Vit(), HeldNetwork(vit(), INPUTS)
    with torch.device("meta"):
        imagined = HeldNetwork(vit(), INPUTS)
    larger = family.grown(real.config, [Widen(hidden=32), Deepen()])
    assert family.blueprint(imagined, larger) == family.blueprint(real, larger)


@pytest.mark.parametrize(
    ("step", "sentence", "hint"),
    [
        (Widen(hidden=23), r"hidden size would shrink from 24 to 23", "zoo distill"),
        (Widen(hidden=40, heads=6), r"hidden size 40 is no multiple of 6", "36 or 42"),
        (Widen(hidden=25), r"hidden size 25 is no multiple of 3", "24 or 27"),
        (Widen(heads=4, hidden=24), r"width of a head would shrink from 8 to 6", "zoo distill"),
        (Widen(width="1.5x"), r"1.5x of 3 attention heads is 4.5", "1.333x (4 heads)"),
        (Widen(mlp="big"), r"'big' is no size", "1.5x"),
        (Widen(width="bigx"), r"'bigx' is no factor", "1.5x"),
        (Widen(width="0.5x"), r"narrower", "zoo distill"),
        (Widen(kv_heads=2), r"every query .* has keys of its own", "--heads"),
        (Deepen(depth=1), r"depth would shrink from 2 to 1", "zoo distill"),
    ],
    ids=lambda each: getattr(each, "hidden", "") and str(each.hidden),
)
def test_a_size_that_cannot_be_is_refused_with_the_nearest(step, sentence, hint):
    with pytest.raises(InputError, match=sentence) as caught:
        Vit().grown(vit().config, [step])
    assert hint in caught.value.hint


def test_an_epsilon_that_the_function_does_not_allow_is_said():
    config = vit(hidden=48).config
    config.layer_norm_eps = 0.5
    found = trial(vit(), config=config)
    assert found.passed
    assert "layer_norm_eps becomes" in found.grown.drawing.blueprint.notes[0]
    assert not trial(vit(), config=vit(hidden=48).config).grown.drawing.blueprint.notes


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"hidden": 48, "patch_size": 4}, "patch_size would become 4 and is 8"),
        ({"hidden": 24, "heads": 6}, "width of a head would shrink from 8 to 4"),
        ({"hidden": 24, "pooler_output_size": 12}, "pooler_output_size would shrink"),
        ({"name": "DeiTModel"}, "a vit cannot grow into a deit"),
    ],
)
def test_a_configuration_of_another_network_is_refused(changes, sentence):
    if "patch_size" in changes:
        config = vit(hidden=48).config
        config.patch_size = 4
    else:
        config = vit(**changes).config
    with pytest.raises(InputError, match=sentence):
        trial(vit(), config=config)
