from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import CheckpointError, InputError
from zoo.growing.axes import drawn, generator_of
from zoo.growing.proof import prove
from zoo.growing.work import carry_out, draw
from zoo.testing.growth import try_growth
from zoo.types.growing import Deepen, Widen
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_growth.families.gpt2 import Gpt2
from zoo_growth.net2net import Net2Net
from zoo_runtimes.torch_runtime import TorchRuntime

IDS = torch.randint(0, 50, (3, 7), generator=torch.Generator().manual_seed(0))
INPUTS = {"input_ids": IDS}
DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
HEADS = ("LMHeadModel", "Model", "ForSequenceClassification", "ForTokenClassification")


def gpt2(head="LMHeadModel", *, hidden=24, heads=3, layers=2, **more):
    config = transformers.GPT2Config(
        vocab_size=50,
        n_embd=hidden,
        n_head=heads,
        n_layer=layers,
        n_positions=16,
        layer_norm_epsilon=0.1,  # a mistake about it shows
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        **more,
    )
    return getattr(transformers, f"GPT2{head}")(config)


def trial(module, *steps, family=None, grower=None, seed=0, config=None):
    return try_growth(
        module, INPUTS, family or Gpt2(), grower or Net2Net(), steps, seed=seed, config=config
    )


class RandomUnderNorms(Net2Net):
    def choose(self, blueprint, seed):
        hidden = blueprint.axes["hidden"]
        found = drawn(hidden.old, hidden.new, generator_of(seed, "hidden"))
        return super().choose(blueprint, seed) | {"hidden": found}


class Changed(Gpt2):
    """The family, with rules of another kind, as a mistake would make them."""

    def __init__(self, ending, **changes):
        self.ending, self.changes = ending, changes

    def blueprint(self, network, config, *, place="end"):
        right = super().blueprint(network, config, place=place)
        rules = {
            name: dataclasses.replace(rule, **self.changes) if self.ending in name else rule
            for name, rule in right.rules.items()
        }
        return dataclasses.replace(right, rules=rules)


@settings(max_examples=10, deadline=None)
@given(
    head=st.sampled_from(HEADS),
    heads=st.integers(1, 3),
    width=st.integers(2, 4),
    more_heads=st.integers(0, 2),
    wider=st.integers(0, 3),
    mlp=st.integers(0, 20),
    depth=st.integers(0, 2),
    place=st.sampled_from(["end", "between"]),
    tied=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_growth_keeps_the_function(
    head, heads, width, more_heads, wider, mlp, depth, place, tied, seed
):
    module = gpt2(head, hidden=heads * width, heads=heads, tie_word_embeddings=tied)
    new = heads + more_heads
    widen = Widen(hidden=new * (width + wider), heads=new, mlp=f"+{mlp}")
    found = trial(module, widen, Deepen(depth=f"+{depth}", place=place), seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize(
    "steps",
    [
        (Widen(mlp=150),),
        (Widen(hidden=48),),
        (Widen(hidden=40),),
        (Widen(hidden=36),),
        (Widen(width="+66.66667%"),),
        (Deepen(depth="+2"),),
    ],
    ids=["mlp", "hidden x2", "hidden 40", "wider heads", "width", "depth"],
)
@pytest.mark.parametrize("tied", [True, False])
def test_the_cases_of_the_specification_are_exact(steps, tied):
    found = trial(gpt2(tie_word_embeddings=tied), *steps)
    assert found.passed
    assert found.fp64.largest < 1e-13
    head, table = (
        found.grown.network.module.lm_head.weight,
        found.grown.network.module.transformer.wte.weight,
    )
    assert (head is table) == tied


def test_new_layers_change_no_bit():
    assert trial(gpt2(), Deepen(depth="+2")).fp32.largest == 0


@pytest.mark.parametrize("head", ["ForQuestionAnswering", "DoubleHeadsModel"])
@pytest.mark.exhaustive
def test_other_heads_become_deeper(head):
    assert trial(gpt2(head), Deepen()).passed


def test_answers_of_questions_keep():
    assert trial(gpt2("ForQuestionAnswering"), Widen(hidden=32)).passed


def test_unscaled_scores_stay_what_they_are_when_heads_become_wider():
    assert trial(gpt2(scale_attn_weights=False), Widen(hidden=36)).passed


def test_the_mlp_is_named_in_the_configuration_once_it_is_not_four_times_as_wide():
    config = gpt2().config
    assert config.n_inner is None
    assert Gpt2().grown(config, [Widen(hidden=48)]).n_inner == 96
    assert Gpt2().grown(config, [Widen(mlp=150)]).n_inner == 150
    assert Gpt2().grown(config, [Widen(width="2x")]).n_inner is None
    assert Gpt2().grown(config, [Deepen()]).n_inner is None
    assert config.n_inner is None


def test_a_larger_configuration_may_leave_the_mlp_out():
    larger = gpt2(hidden=48, heads=6).config
    assert trial(gpt2(), config=larger).grown.network.config.n_inner is None
    with pytest.raises(InputError, match="n_inner would shrink from 200 to 192"):
        trial(gpt2(n_inner=200), config=larger)


def test_generation_with_a_cache_says_the_same():
    found = trial(gpt2(), Widen(hidden=40, mlp=110), Deepen())
    said = [
        each.module.generate(IDS[:1], max_new_tokens=6, do_sample=False, use_cache=True)
        for each in (found.old, found.grown.network)
    ]
    assert torch.equal(*said)


def test_a_grown_checkpoint_loads_in_plain_transformers(tmp_path):
    found = trial(gpt2(), Widen(hidden=40, mlp=110), Deepen()).grown.network
    found.save(tmp_path)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, found.outputs(INPUTS)["logits"])
    assert again.config.layer_norm_epsilon == pytest.approx(0.1 * 24 / 40)


def test_every_real_checkpoint_of_this_family_keeps_its_function():
    folders = [path.parent for path in sorted(DATA.glob("zoo/*/config.json"))]
    folders = [
        each
        for each in folders
        if json.loads((each / "config.json").read_text()).get("model_type") == "gpt2"
    ]
    if not folders:
        pytest.skip(f"no such checkpoint in {DATA / 'zoo'}; set ZOO_SHARED_DATA to run this test")
    for folder in folders:
        entry = ModelEntry(ref=f"./{folder.name}", modality="text")
        checkpoint = Checkpoint(entry=entry, folder=str(folder), digest=folder.name)
        small = TorchRuntime().open_whole(checkpoint, RuntimeOptions())
        small.module.double()
        family, grower = Gpt2(), Net2Net()
        larger = family.grown(small.config, [Widen(width="2x"), Deepen()])
        drawing = draw(small, family, grower, larger)
        big = carry_out(small, drawing, grower).network
        found = prove(small, big, drawing, [small.inputs(2, 0)], torch.float32)
        assert all(each.passed for each in found), found


def test_copies_differ_once_they_are_trained():
    module = trial(gpt2(layers=1), Widen(mlp=192)).grown.network.module.float()
    hidden = module.transformer.h[0].mlp.c_fc.weight
    before = torch.linalg.matrix_rank(hidden.detach(), rtol=1e-3)
    writer = module.transformer.h[0].mlp.c_proj.weight
    loss = module(IDS, labels=IDS).loss
    loss.backward()
    assert before == 24
    index = [96 + each for each in range(96)]
    gradient = module.transformer.h[0].mlp.c_fc.weight.grad
    assert torch.linalg.matrix_rank(gradient[:, index].T) > 1
    assert not torch.allclose(writer[0], writer[96])


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"grower": RandomUnderNorms()}, [Widen(hidden=48)]),
        ({"family": Changed("ln_f", tied=False)}, [Widen(hidden=48)]),
        ({"family": Changed("c_attn", part=-1)}, [Widen(hidden=36)]),
        ({"family": Changed("c_attn", shared="", factor=1.0)}, [Widen(hidden=36)]),
        ({"family": Changed("c_attn", factor=1.0)}, [Widen(hidden=36)]),
    ],
    ids=["random map", "tied head", "all share", "no share", "scale of scores"],
)
def test_a_mistake_shows(changes, steps):
    found = trial(gpt2(), *steps, **changes)
    assert not found.passed
    assert found.fp64.largest > 1e-3


def test_an_epsilon_that_stays_shows():
    class Forgetful(Gpt2):
        def blueprint(self, network, config, *, place="end"):
            right = super().blueprint(network, config, place=place)
            # An axis that is named beside a field, so that nothing else makes up for it.
            return dataclasses.replace(right, epsilon=(("initializer_range", "hidden"),))

    assert not trial(gpt2(), Widen(hidden=40), family=Forgetful()).passed


def test_layers_between_are_not_exact_where_scores_depend_on_their_number():
    module = gpt2(scale_attn_by_inverse_layer_idx=True)
    assert trial(module, Deepen(place="end")).passed
    found = trial(module, Deepen(place="between"))
    assert not found.passed
    assert "depend on its number" in found.grown.drawing.reasons[0]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([Widen(hidden=16)], "the hidden size would shrink from 24 to 16"),
        ([Widen(hidden=25)], "the hidden size 25 is no multiple of 3"),
        ([Widen(hidden=32, heads=5)], "the hidden size 32 is no multiple of 5"),
        ([Widen(width="1.1x")], "1.1x of 3 attention heads is 3.3"),
        ([Widen(kv_heads=2)], "keys of its own"),
        ([Deepen(depth=1)], "would shrink from 2 to 1"),
    ],
)
def test_sizes_that_cannot_be_are_named(steps, sentence):
    with pytest.raises(InputError, match=sentence):
        Gpt2().grown(gpt2().config, steps)


def test_networks_that_attend_to_another_are_refused():
    with pytest.raises(InputError, match="attends to another network"):
        trial(gpt2(add_cross_attention=True), Widen(mlp=100))


def test_a_head_without_a_rule_is_refused():
    with pytest.raises(CheckpointError, match=r"multiple_choice_head.* has no rule"):
        trial(gpt2("DoubleHeadsModel"), Widen(hidden=48))


def test_another_architecture_is_refused():
    with pytest.raises(InputError, match="activation_function would become 'relu'"):
        trial(gpt2(), config=gpt2(hidden=48, activation_function="relu").config)
