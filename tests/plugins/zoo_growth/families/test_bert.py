"""BERT, RoBERTa, ELECTRA: norms write the stream, and a head may be the table of the tokens."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.axes import drawn, generator_of
from zoo.growing.proof import compare
from zoo.growing.work import carry_out, draw
from zoo.testing.growth import HeldNetwork, try_growth
from zoo.types.growing import Deepen, Widen
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_growth.families.bert import Bert
from zoo_growth.net2net import Net2Net
from zoo_runtimes.torch_runtime import TorchRuntime

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
IDS = torch.randint(3, 50, (3, 7), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 7, [1] * 5 + [0] * 2, [1] * 3 + [0] * 4])
INPUTS = {"input_ids": IDS, "attention_mask": MASK}
CLASSES = (
    "BertModel",
    "BertForMaskedLM",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "RobertaForMaskedLM",
    "RobertaForSequenceClassification",
    "XLMRobertaForMaskedLM",
    "ElectraForPreTraining",
    "ElectraForMaskedLM",
)
OTHERS = (
    "BertForPreTraining",
    "BertForNextSentencePrediction",
    "BertForQuestionAnswering",
    "BertLMHeadModel",
    "RobertaModel",
    "RobertaForTokenClassification",
    "XLMRobertaForSequenceClassification",
    "CamembertForMaskedLM",
    "ElectraModel",
    "ElectraForSequenceClassification",
    "ElectraForTokenClassification",
)


def bert(name="BertForMaskedLM", *, hidden=24, heads=3, layers=2, mlp=48, **more):
    kind = getattr(transformers, name)
    config = kind.config_class(
        vocab_size=50,
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        intermediate_size=mlp,
        layer_norm_eps=more.pop("eps", 1e-12),
        max_position_embeddings=16,
        num_labels=2,
        pad_token_id=1,
        **({"embedding_size": hidden} if "Electra" in name else {}) | more,
    )
    return kind(config)


def trial(module, *steps, family=None, grower=None, seed=0, config=None):
    return try_growth(
        module, INPUTS, family or Bert(), grower or Net2Net(), steps, seed=seed, config=config
    )


class RandomStream(Net2Net):
    def choose(self, blueprint, seed):
        hidden = blueprint.axes["hidden"]
        found = drawn(hidden.old, hidden.new, generator_of(seed, "hidden"))
        return super().choose(blueprint, seed) | {"hidden": found}


class Changed(Bert):
    """The family, with a mistake in its stack or in its rules."""

    def __init__(self, *, stack=(), rules=()):
        self.stack, self.rules = dict(stack), dict(rules)

    def blueprint(self, network, config, *, place="end"):
        right = super().blueprint(network, config, place=place)
        return dataclasses.replace(
            right,
            stacks=tuple(dataclasses.replace(each, **self.stack) for each in right.stacks),
            rules={
                name: dataclasses.replace(rule, **self.rules) for name, rule in right.rules.items()
            },
        )


@settings(max_examples=10, deadline=None)
@given(
    name=st.sampled_from(CLASSES),
    heads=st.integers(1, 3),
    width=st.integers(2, 4),
    times=st.integers(1, 3),
    more_heads=st.booleans(),
    mlp=st.integers(0, 20),
    depth=st.integers(0, 2),
    place=st.sampled_from(["end", "between"]),
    tied=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_growth_keeps_the_function(
    name, heads, width, times, more_heads, mlp, depth, place, tied, seed
):
    hidden = heads * width
    module = bert(name, hidden=hidden, heads=heads, tie_word_embeddings=tied)
    new = heads * times if more_heads else heads
    widen = Widen(hidden=hidden * times, heads=new, mlp=f"+{mlp}")
    found = trial(module, widen, Deepen(depth=f"+{depth}", place=place), seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "steps", [[Widen(width="2x")], [Widen(hidden=48, heads=4, mlp=70), Deepen(depth="+2")]]
)
def test_other_heads_keep_theirs(name, steps):
    assert trial(bert(name), *steps).passed


@pytest.mark.parametrize("name", ["ElectraForMaskedLM", "ElectraForPreTraining"])
def test_projected_embeddings_stay_as_they_are(name):
    found = trial(bert(name, embedding_size=12), Widen(width="2x"), Deepen())
    assert found.passed
    assert found.grown.network.config.embedding_size == 12


@pytest.mark.parametrize("tied", [True, False])
def test_a_head_stays_tied_if_it_was(tied):
    found = trial(bert(tie_word_embeddings=tied), Widen(width="2x"))
    assert found.passed
    module = found.grown.network.module
    table = module.bert.embeddings.word_embeddings.weight
    assert (module.cls.predictions.decoder.weight is table) == tied
    assert trial(bert(tie_word_embeddings=tied), Widen(mlp=70), Deepen()).passed


@pytest.mark.parametrize("eps", [1e-12, 1e-2])
def test_whole_copies_are_exact_whatever_the_epsilon(eps):
    found = trial(bert(eps=eps), Widen(hidden=72, mlp=70))
    assert found.passed
    assert found.fp64.largest < 1e-13
    assert found.grown.network.config.layer_norm_eps == eps


@pytest.mark.parametrize("place", ["end", "between"])
def test_new_layers_are_exact_but_for_a_large_epsilon(place):
    step = Deepen(depth="+2", place=place)
    assert trial(bert(), step).passed
    found = trial(bert(eps=1e-5), step)
    assert not found.fp64.passed
    assert found.fp32.passed
    assert "with their epsilon of 1e-05" in found.grown.drawing.reasons[0]
    assert not trial(bert(eps=1e-5), Widen(mlp=50)).grown.drawing.reasons


def test_a_stream_that_is_no_multiple_is_inexact_and_says_why():
    found = trial(bert(), Widen(hidden=32, heads=4))
    assert not found.passed
    assert found.fp64.largest > 0.1
    assert "only multiples of 24 keep the function" in found.grown.drawing.reasons[0]


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"grower": RandomStream()}, Widen(hidden=48)),
        ({"family": Changed(rules={"tied": False})}, Widen(hidden=48)),
        ({"family": Changed(stack={"norms": (), "last_norm": ""})}, Deepen()),
        ({"family": Changed(stack={"norms": ()})}, Deepen()),
        ({"family": Changed(stack={"silent": ()})}, Deepen()),
    ],
    ids=["random copies", "tied head", "zeros alone", "a norm within", "a layer that speaks"],
)
def test_a_mistake_shows(changes, step):
    found = trial(bert(), step, **changes)
    assert not found.passed
    assert found.fp64.largest > 0.1


def test_a_grown_checkpoint_loads_in_plain_transformers(tmp_path):
    found = trial(bert(), Widen(width="2x", mlp=70), Deepen()).grown.network
    found.save(tmp_path)
    again = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(again(**INPUTS).logits, found.outputs(INPUTS)["logits"])


def test_copies_of_the_stream_part_ways_within_fifty_steps():
    def rank():
        return int(torch.linalg.matrix_rank(table.detach(), rtol=1e-3))

    module = trial(bert(), Widen(width="2x")).grown.network.module.float()
    table = module.bert.embeddings.word_embeddings.weight
    assert rank() == 24
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(50):
        optimiser.zero_grad()
        module(**INPUTS, labels=IDS).loss.backward()
        optimiser.step()
    assert rank() > 32


@pytest.mark.parametrize("name", ["BertForMaskedLM", "XLMRobertaForMaskedLM"])
def test_a_network_without_weights_is_planned_in_the_same_way(name):
    real = HeldNetwork(bert(name), INPUTS)
    with torch.device("meta"):
        imagined = HeldNetwork(bert(name), INPUTS)
    imagined.module.tie_weights()
    larger = Bert().grown(real.config, [Widen(width="2x"), Deepen()])
    assert Bert().blueprint(imagined, larger) == Bert().blueprint(real, larger)


def test_tied_weights_do_not_grow_apart():
    larger = bert(hidden=48, heads=6, tie_word_embeddings=False).config
    with pytest.raises(InputError, match="tie_word_embeddings would become False and is True"):
        trial(bert(), config=larger)


def test_a_network_that_reads_an_encoder_is_refused():
    module = bert("BertLMHeadModel", is_decoder=True, add_cross_attention=True)
    with pytest.raises(InputError, match="attends to the answers of an encoder"):
        trial(module, Widen(width="2x"))


def test_embeddings_are_not_projected_all_of_a_sudden():
    larger = bert("ElectraModel", hidden=48, heads=6, embedding_size=24).config
    with pytest.raises(InputError, match="embeddings of width 24 would be projected"):
        trial(bert("ElectraModel"), config=larger)
    module = bert("ElectraModel", embedding_size=48)
    with pytest.raises(InputError, match="would no longer be projected") as caught:
        trial(module, Widen(width="2x"))
    assert "another hidden size" in caught.value.hint


@pytest.mark.parametrize(
    ("step", "sentence", "hint"),
    [
        (Widen(hidden=12), "hidden size would shrink from 24 to 12", "zoo distill"),
        (Widen(hidden=50), "hidden size 50 is no multiple of 3", "48 or 51"),
        (Widen(width="2.5x"), "2.5x of 3 attention heads is 7.5", "2.333x (7 heads)"),
        (Deepen(depth="1,2"), "'1,2' is no size", "1.5x"),
    ],
)
def test_a_size_that_cannot_be_is_refused_with_the_nearest(step, sentence, hint):
    with pytest.raises(InputError, match=sentence) as caught:
        Bert().grown(bert().config, [step])
    assert hint in caught.value.hint


def test_every_real_checkpoint_of_this_family_keeps_its_function():
    folders = sorted(DATA.glob("zoo/*/config.json"))
    folders = [path.parent for path in folders if '"model_type": "bert"' in path.read_text()]
    if not folders:
        pytest.skip(f"no such checkpoint in {DATA / 'zoo'}; set ZOO_SHARED_DATA to run this test")
    texts = ["A man is eating food.", "The stock market fell."]
    family, grower = Bert(), Net2Net()
    for folder in folders:
        entry = ModelEntry(ref=f"./{folder.name}", modality="text")
        checkpoint = Checkpoint(entry=entry, folder=str(folder), digest=folder.name)
        small = TorchRuntime().open_whole(checkpoint, RuntimeOptions())
        larger = family.grown(small.config, [Widen(width="2x"), Deepen()])
        drawing = draw(small, family, grower, larger)
        assert not drawing.reasons
        small.module.double()
        big = carry_out(small, drawing, grower).network
        inputs = small.inputs(2, 0, texts)
        found = [compare(small, big, drawing, inputs, "fp64")]
        small.module.float()
        big.module.float()
        found.append(compare(small, big, drawing, inputs, "fp32"))
        assert all(each.passed for each in found), found
