from __future__ import annotations

import copy
import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.axes import drawn, generator_of
from zoo.growing.proof import prove
from zoo.growing.work import carry_out, draw
from zoo.testing.growth import randomise, try_growth
from zoo.types.growing import Deepen, Widen
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_growth.families.llama import Llama
from zoo_growth.net2net import Net2Net
from zoo_runtimes.torch_runtime import TorchRuntime

IDS = torch.randint(0, 50, (3, 7), generator=torch.Generator().manual_seed(0))
INPUTS = {"input_ids": IDS}
DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
KINDS = ("Llama", "Mistral", "Qwen2", "Qwen3", "Gemma")


def llama(kind="Llama", head="ForCausalLM", *, heads=4, kv=2, hidden=24, **more):
    if kind != "Qwen2":
        more = {"head_dim": 6, **more}
    options = {
        "vocab_size": 50,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "num_hidden_layers": 2,
        "intermediate_size": 40,
        "max_position_embeddings": 32,
        "rms_norm_eps": 0.1,  # a mistake about it shows
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    config = getattr(transformers, f"{kind}Config")(**(options | more))
    return getattr(transformers, f"{kind}{head}")(config)


def trial(module, *steps, family=None, grower=None, seed=0, config=None):
    return try_growth(
        module, INPUTS, family or Llama(), grower or Net2Net(), steps, seed=seed, config=config
    )


class RandomUnderNorms(Net2Net):
    def choose(self, blueprint, seed):
        hidden = blueprint.axes["hidden"]
        found = drawn(hidden.old, hidden.new, generator_of(seed, "hidden"))
        return super().choose(blueprint, seed) | {"hidden": found}


class Changed(Llama):
    """The family, with rules of another kind, as a mistake would make them."""

    def __init__(self, ending, **changes):
        self.ending, self.changes = ending, changes

    def blueprint(self, network, config, *, place="end"):
        right = super().blueprint(network, config, place=place)
        rules = {
            name: dataclasses.replace(rule, **self.changes) if name.endswith(self.ending) else rule
            for name, rule in right.rules.items()
        }
        return dataclasses.replace(right, rules=rules)


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    head=st.sampled_from(["ForCausalLM", "Model", "ForSequenceClassification"]),
    groups=st.integers(1, 2),
    queries=st.integers(1, 3),
    more_groups=st.integers(0, 2),
    more_queries=st.integers(0, 2),
    hidden=st.integers(0, 20),
    mlp=st.integers(0, 20),
    depth=st.integers(0, 2),
    place=st.sampled_from(["end", "between"]),
    tied=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_growth_keeps_the_function(
    kind,
    head,
    groups,
    queries,
    more_groups,
    more_queries,
    hidden,
    mlp,
    depth,
    place,
    tied,
    seed,
):
    size = 6 * groups * queries
    module = llama(
        kind, head, heads=groups * queries, kv=groups, hidden=size, tie_word_embeddings=tied
    )
    kv, heads = groups + more_groups, (groups + more_groups) * (queries + more_queries)
    new = size + hidden
    if kind == "Llama":
        new = -(-new // heads) * heads
    widen = Widen(hidden=new, heads=heads, kv_heads=kv, mlp=f"+{mlp}")
    found = trial(module, widen, Deepen(depth=f"+{depth}", place=place), seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


CASES = {
    "mlp": (Widen(mlp=61),),
    "heads 8/4": (Widen(heads=8),),
    "heads 6/3": (Widen(heads=6),),
    "heads 8/2": (Widen(heads=8, kv_heads=2),),
    "heads 4/4": (Widen(kv_heads=4),),
    "hidden x2": (Widen(hidden=48),),
    "hidden 32": (Widen(hidden=32),),
    "depth": (Deepen(depth=5),),
    "all": (Deepen(), Widen(hidden=40, heads=8, mlp=77)),
}


@pytest.mark.parametrize("steps", CASES.values(), ids=CASES)
@pytest.mark.parametrize("tied", [True, False])
def test_the_cases_of_the_specification_are_exact(steps, tied):
    found = trial(llama(tie_word_embeddings=tied), *steps)
    assert found.passed
    network = found.grown.network.module
    assert (network.lm_head.weight is network.model.embed_tokens.weight) == tied
    if not any(isinstance(each, Widen) and each.hidden for each in steps):
        assert found.fp64.largest == 0  # below what the norms see in float32


@pytest.mark.parametrize("kind", ["Mistral", "Qwen2", "Qwen3", "Gemma"])
def test_the_hidden_size_of_its_kin_need_not_divide_by_heads(kind):
    assert trial(llama(kind, tie_word_embeddings=True), Widen(hidden=31)).passed


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["ForTokenClassification", "ForQuestionAnswering"])
@pytest.mark.parametrize("tied", [True, False])
def test_other_heads_grow(kind, head, tied):
    if not hasattr(transformers, f"{kind}{head}"):
        pytest.skip(f"transformers has no {kind}{head}")
    module = llama(kind, head, tie_word_embeddings=tied)
    assert trial(module, Widen(width="1.5x"), Deepen()).passed


@pytest.mark.parametrize("kind", ["Llama", "Gemma"])
def test_biases_of_attention_grow(kind):
    more = {"mlp_bias": True} if kind == "Llama" else {}
    module = llama(kind, attention_bias=True, **more)
    assert trial(module, Widen(width="1.5x"), Deepen()).passed


def test_norms_of_queries_and_keys_keep_their_epsilon():
    found = trial(llama("Qwen3"), Widen(hidden=31))
    assert found.passed
    assert found.grown.network.config.rms_norm_eps == 0.1
    table = found.grown.network.module.model.embed_tokens.weight
    before = found.old.module.model.embed_tokens.weight
    assert torch.allclose(table[:, :24], before * (31 / 24) ** 0.5)
    assert (table[:, 24:] == 0).all()


def test_the_width_of_a_head_is_named_where_it_would_follow_the_hidden_size(tmp_path):
    module = llama("Qwen2")
    assert getattr(module.config, "head_dim", None) is None
    found = trial(module, Widen(hidden=31))
    assert found.grown.network.config.head_dim == 6
    assert getattr(module.config, "head_dim", None) is None
    found.grown.network.save(tmp_path)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(
            again(IDS, use_cache=False).logits, found.grown.network.outputs(INPUTS)["logits"]
        )


@pytest.mark.parametrize("place", ["end", "between"])
def test_new_layers_attend_as_the_ones_they_copy(place, tmp_path):
    kinds = ["sliding_attention", "full_attention"]
    module = llama(
        "Qwen2", layer_types=kinds, use_sliding_window=True, sliding_window=2, max_window_layers=0
    )
    found = trial(module, Deepen(depth=4, place=place))
    assert found.passed
    wanted = {"end": [*kinds, kinds[1], kinds[1]], "between": [kinds[0]] * 2 + [kinds[1]] * 2}
    assert found.grown.network.config.layer_types == wanted[place]
    found.grown.network.save(tmp_path)
    assert transformers.AutoConfig.from_pretrained(tmp_path).layer_types == wanted[place]


def test_old_layers_keep_their_kind():
    module = llama("Qwen3", layer_types=["full_attention", "full_attention"])
    larger = llama(
        "Qwen3",
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        num_hidden_layers=3,
    ).config
    with pytest.raises(InputError, match="would make layer 1 'sliding_attention'"):
        trial(module, config=larger)


def test_kinds_of_layers_that_nobody_says_follow_the_depth():
    kinds = ["full_attention", "full_attention"]
    module = llama("Qwen2", layer_types=kinds)
    larger = copy.deepcopy(module.config)  # as `--to` reads a configuration that leaves them out
    larger.num_hidden_layers = 4
    found = trial(module, config=larger)
    assert found.passed
    assert found.grown.network.config.layer_types == 2 * kinds
    larger.layer_types = 3 * kinds
    with pytest.raises(InputError, match="name 6 layers, and there would be 4"):
        trial(module, config=larger)


def test_generation_with_a_cache_says_the_same():
    found = trial(llama(), Widen(width="1.5x"), Deepen())
    said = [
        each.module.generate(IDS[:1], max_new_tokens=6, do_sample=False, use_cache=True)
        for each in (found.old, found.grown.network)
    ]
    assert torch.equal(*said)


@pytest.mark.parametrize("kind", ["Llama", "Gemma"])
@pytest.mark.parametrize(
    ("stage", "steps"),
    [
        (torch.float64, [Widen(hidden=48, heads=8), Deepen()]),
        (torch.float32, [Widen(hidden=48, heads=8), Deepen()]),
        (torch.bfloat16, [Deepen()]),
    ],
    ids=["fp64", "fp32", "bf16"],
)
def test_checkpoints_of_half_precision_grow(kind, stage, steps, tmp_path):
    """What a network computes of its configuration must not be rounded, in either of the two."""
    module = llama(kind).to(torch.bfloat16)
    randomise(module)
    module.save_pretrained(tmp_path)
    entry = ModelEntry(ref="./tiny", modality="text")
    checkpoint = Checkpoint(entry=entry, folder=str(tmp_path), digest="tiny")
    small = TorchRuntime().open_whole(checkpoint, RuntimeOptions())
    if stage != torch.bfloat16:
        small.module.to(stage)
    family, grower = Llama(), Net2Net()
    larger = family.grown(small.config, steps)
    drawing = draw(small, family, grower, larger)
    big = carry_out(small, drawing, grower).network
    found = prove(small, big, drawing, [INPUTS], torch.bfloat16)
    assert all(each.passed for each in found), found
    assert [each.numbers for each in found][-2:] == ["fp32", "bf16"]


def test_every_real_checkpoint_of_this_family_keeps_its_function():
    folders = [path.parent for path in sorted(DATA.glob("zoo/*/config.json"))]
    kinds = {kind.lower() for kind in KINDS}
    folders = [
        each
        for each in folders
        if json.loads((each / "config.json").read_text()).get("model_type") in kinds
    ]
    if not folders:
        pytest.skip(f"no such checkpoint in {DATA / 'zoo'}; set ZOO_SHARED_DATA to run this test")
    for folder in folders:
        entry = ModelEntry(ref=f"./{folder.name}", modality="text")
        checkpoint = Checkpoint(entry=entry, folder=str(folder), digest=folder.name)
        small = TorchRuntime().open_whole(checkpoint, RuntimeOptions())
        small.module.double()
        family, grower = Llama(), Net2Net()
        larger = family.grown(small.config, [Widen(width="2x"), Deepen()])
        drawing = draw(small, family, grower, larger)
        big = carry_out(small, drawing, grower).network
        found = prove(small, big, drawing, [small.inputs(2, 0)], torch.float32)
        assert all(each.passed for each in found), found


def test_growth_into_a_given_configuration():
    larger = llama(hidden=48, heads=8, kv=4, intermediate_size=80, num_hidden_layers=3).config
    found = trial(llama(), config=larger)
    assert found.passed
    assert found.grown.network.config.num_key_value_heads == 4


def test_wider_heads_are_not_exact_with_rotary_positions():
    found = trial(llama(), config=llama(head_dim=12).config)
    assert not found.passed
    assert found.fp64.largest > 0.1
    assert "rotary positions" in found.grown.drawing.reasons[0]


def test_queries_that_would_be_lost_are_named():
    found = trial(llama(heads=6, kv=2, hidden=36), Widen(kv_heads=3))
    assert not found.passed
    assert "would be lost" in found.grown.drawing.reasons[0]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Llama", {"grower": RandomUnderNorms()}),
        ("Llama", {"family": Changed("model.norm.weight", tied=False)}),
        ("Gemma", {"family": Changed("embed_tokens.weight", factor=1.0)}),
        ("Gemma", {"family": Changed("model.norm.weight", factor=1.0)}),
        ("Gemma", {"family": Changed("input_layernorm.weight", centre=0.0)}),
    ],
    ids=["random map", "tied head", "embeddings", "tied and scaled head", "gains without the one"],
)
def test_a_mistake_shows(kind, changes):
    found = trial(llama(kind, tie_word_embeddings=True), Widen(hidden=60), **changes)
    assert not found.passed
    assert found.fp64.largest > 1e-3


@pytest.mark.parametrize(
    ("kind", "steps", "sentence"),
    [
        ("Llama", [Widen(hidden=16)], "the hidden size would shrink from 24 to 16"),
        ("Llama", [Widen(hidden=31)], "the hidden size 31 is no multiple of 4"),
        ("Llama", [Widen(heads=5, kv_heads=5)], "the hidden size 24 is no multiple of 5"),
        ("Mistral", [Widen(heads=6, kv_heads=4)], "the number of heads 6 is no multiple of 4"),
        ("Mistral", [Widen(kv_heads=3)], "the number of heads 4 is no multiple of 3"),
        ("Qwen3", [Widen(width="1.25x")], "5, which is no whole number of them in groups of 2"),
        ("Gemma", [Deepen(depth=1)], "would shrink from 2 to 1"),
    ],
)
def test_sizes_that_cannot_be_are_named(kind, steps, sentence):
    with pytest.raises(InputError, match=sentence):
        Llama().grown(llama(kind).config, steps)


@pytest.mark.parametrize(
    ("larger", "sentence"),
    [
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 5.0}}, "rope_parameters would"),
        ({"head_dim": 4}, "head_dim would shrink from 6 to 4"),
        ({"heads": 6, "kv": 4}, "number of heads 6 is no multiple of 4"),
        ({"kind": "Mistral"}, "a llama cannot grow into a mistral"),
    ],
)
def test_another_architecture_is_refused(larger, sentence):
    with pytest.raises(InputError, match=sentence):
        trial(llama(), config=llama(**larger).config)
