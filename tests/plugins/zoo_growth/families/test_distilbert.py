"""DistilBERT: its norms write the stream, and nothing can change their epsilon."""

from __future__ import annotations

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.axes import drawn, generator_of
from zoo.testing.growth import HeldNetwork, try_growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.distilbert import DistilBert
from zoo_growth.net2net import Net2Net

IDS = torch.randint(3, 50, (3, 7), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 7, [1] * 5 + [0] * 2, [1] * 3 + [0] * 4])
INPUTS = {"input_ids": IDS, "attention_mask": MASK}
HEADS = (
    "Model",
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
)


def distilbert(head="ForMaskedLM", *, hidden=24, heads=3, layers=2, **more):
    config = transformers.DistilBertConfig(
        vocab_size=50,
        dim=hidden,
        n_heads=heads,
        n_layers=layers,
        hidden_dim=48,
        max_position_embeddings=16,
        num_labels=2,
        **more,
    )
    return getattr(transformers, f"DistilBert{head}")(config)


def trial(module, *steps, grower=None, seed=0, config=None):
    return try_growth(
        module, INPUTS, DistilBert(), grower or Net2Net(), steps, seed=seed, config=config
    )


class RandomStream(Net2Net):
    def choose(self, blueprint, seed):
        hidden = blueprint.axes["hidden"]
        found = drawn(hidden.old, hidden.new, generator_of(seed, "hidden"))
        return super().choose(blueprint, seed) | {"hidden": found}


@settings(max_examples=8, deadline=None)
@given(
    head=st.sampled_from(HEADS),
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
    head, heads, width, times, more_heads, mlp, depth, place, tied, seed
):
    hidden = heads * width
    module = distilbert(head, hidden=hidden, heads=heads, tie_word_embeddings=tied)
    new = heads * times if more_heads else heads
    widen = Widen(hidden=hidden * times, heads=new, mlp=f"+{mlp}")
    found = trial(module, widen, Deepen(depth=f"+{depth}", place=place), seed=seed)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize("tied", [True, False])
def test_a_head_stays_tied_if_it_was(tied):
    found = trial(distilbert(tie_word_embeddings=tied), Widen(width="2x"), Deepen())
    assert found.passed
    module = found.grown.network.module
    table = module.distilbert.embeddings.word_embeddings.weight
    assert (module.vocab_projector.weight is table) == tied


def test_places_in_the_form_of_waves_are_copied_too():
    assert trial(distilbert(sinusoidal_pos_embds=True), Widen(width="2x")).passed


def test_a_stream_that_is_no_multiple_is_inexact_and_says_why():
    found = trial(distilbert(), Widen(hidden=32, heads=4))
    assert not found.passed
    assert "only multiples of 24 keep the function" in found.grown.drawing.reasons[0]


def test_random_copies_under_its_norms_show():
    assert not trial(distilbert(), Widen(width="2x"), grower=RandomStream()).passed


def test_a_grown_checkpoint_loads_in_plain_transformers(tmp_path):
    found = trial(distilbert(), Widen(width="2x", mlp=70), Deepen()).grown.network
    found.save(tmp_path)
    again = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(again(**INPUTS).logits, found.outputs(INPUTS)["logits"])


def test_a_network_without_weights_is_planned_in_the_same_way():
    real = HeldNetwork(distilbert(), INPUTS)
    with torch.device("meta"):
        imagined = HeldNetwork(distilbert(), INPUTS)
    imagined.module.tie_weights()
    larger = DistilBert().grown(real.config, [Widen(width="2x"), Deepen()])
    assert DistilBert().blueprint(imagined, larger) == DistilBert().blueprint(real, larger)


def test_bad_sizes_are_refused_with_the_nearest():
    config = distilbert().config
    with pytest.raises(InputError, match="hidden size 50 is no multiple of 3") as caught:
        DistilBert().grown(config, [Widen(hidden=50)])
    assert "48 or 51" in caught.value.hint
    with pytest.raises(InputError, match="depth would shrink from 2 to 1"):
        DistilBert().grown(config, [Deepen(depth=1)])
    with pytest.raises(InputError, match="activation would become 'relu'"):
        trial(distilbert(), config=distilbert(hidden=48, activation="relu").config)
