"""Tokenising: truncation, pairs, padding, sentence encoders' own pooling."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from zoo.errors import CheckpointError
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.texts import LONGEST


@pytest.fixture(scope="module")
def bert(runtime, tiny_checkpoint):
    return runtime.open(tiny_checkpoint("bert"), RuntimeOptions())


def edit(checkpoint, name, **changes):
    path = Path(checkpoint.folder) / name
    found = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**found, **changes}))


def features(backbone, texts, tap="head_input"):
    return backbone.extract(backbone.encode(texts), [tap])[tap]


def test_the_cost_is_the_number_of_tokens(bert):
    assert [one.cost for one in bert.encode(["the cat", "a very good film"])] == [4, 6]


def test_nothing_in_nothing_out(bert):
    assert list(bert.encode([])) == []


def test_long_texts_are_cut_at_what_the_tokenizer_allows(bert):
    (one,) = bert.encode(["cat " * 500])
    assert one.cost == 64


def test_texts_are_cut_at_the_house_limit_when_nobody_says_less(
    runtime, tiny_checkpoint, broken_copy
):
    checkpoint = broken_copy(tiny_checkpoint("modernbert"))
    edit(checkpoint, "tokenizer_config.json", model_max_length=int(1e30))
    (one,) = runtime.open(checkpoint, RuntimeOptions()).encode(["cat " * 900])
    assert one.cost == LONGEST


def test_texts_never_outrun_the_position_matrix(runtime, tiny_checkpoint, broken_copy):
    """RoBERTa keeps the first rows of it: 512 positions take 511 tokens with padding id 0."""
    checkpoint = broken_copy(tiny_checkpoint("roberta"))
    edit(checkpoint, "tokenizer_config.json", model_max_length=int(1e30))
    backbone = runtime.open(checkpoint, RuntimeOptions())
    (one,) = backbone.encode(["cat " * 900])
    assert one.cost == 511
    assert np.isfinite(backbone.extract([one], ["logits"])["logits"]).all()


def test_pairs_are_encoded_as_pairs(bert):
    (one,) = bert.encode([("the cat", "a dog")])
    assert one.cost == 7
    assert one.data["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    joined = features(bert, ["the cat a dog"])
    assert not np.allclose(features(bert, [("the cat", "a dog")]), joined)


def test_pairs_and_texts_of_one_length_do_not_depend_on_their_neighbours(bert):
    pairs = [("the cat", "a dog"), ("one two three good film", "bad plot")]
    together = features(bert, pairs)
    alone = np.concatenate([features(bert, [pair]) for pair in pairs])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "gpt2", "qwen2"])
def test_an_empty_text_is_a_text(name, runtime, tiny_checkpoint):
    backbone = runtime.open(tiny_checkpoint(name), RuntimeOptions())
    found = features(backbone, ["", "the cat"])
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "max"}, "max"),
    ],
)
def test_a_sentence_encoder_is_pooled_as_it_was_trained(
    declared, expected, runtime, tiny_checkpoint, broken_copy
):
    import torch
    from transformers import AutoModel, AutoTokenizer

    checkpoint = broken_copy(tiny_checkpoint("bert", head=False))
    folder = Path(checkpoint.folder)
    kinds = "sentence_transformers.models."
    modules = [{"path": "", "type": f"{kinds}Transformer"}]
    modules.append({"path": "1_Pooling", "type": f"{kinds}Pooling"})
    (folder / "modules.json").write_text(json.dumps(modules))
    edit(checkpoint, "1_Pooling/config.json", **declared)
    found = features(runtime.open(checkpoint, RuntimeOptions()), ["the cat", "a bad film plot"])
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for row, text in enumerate(["the cat", "a bad film plot"]):
        with torch.no_grad():
            state = model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]
        pooled = {"mean": state.mean(0), "cls": state[0], "max": state.amax(0), "last": state[-1]}
        np.testing.assert_allclose(found[row], pooled[expected].numpy(), rtol=0, atol=1e-5)


def test_the_limit_of_a_sentence_encoder_is_kept(runtime, tiny_checkpoint, broken_copy):
    checkpoint = broken_copy(tiny_checkpoint("bert"))
    edit(checkpoint, "sentence_bert_config.json", max_seq_length=16)
    (one,) = runtime.open(checkpoint, RuntimeOptions()).encode(["cat " * 50])
    assert one.cost == 16


@pytest.mark.parametrize("damage", ["{", '{"version": "1.0"}', "", "absent"])
def test_a_broken_tokenizer_is_a_checkpoint_error(damage, runtime, tiny_checkpoint, broken_copy):
    checkpoint = broken_copy(tiny_checkpoint("bert"))
    path = Path(checkpoint.folder) / "tokenizer.json"
    if damage == "absent":
        path.unlink()
    else:
        path.write_text(damage)
    with pytest.raises(CheckpointError, match=r"^\./broken: its tokenizer cannot be loaded") as e:
        runtime.open(checkpoint, RuntimeOptions(extras={"modality": "text"}))
    assert "\n" not in e.value.message
    assert "zoo models pull ./broken" in e.value.hint


def test_a_tokenizer_of_another_model_is_noticed_before_the_forward_pass(
    runtime, tiny_checkpoint, broken_copy
):
    checkpoint = broken_copy(tiny_checkpoint("bert"))
    path = Path(checkpoint.folder) / "tokenizer.json"
    path.write_text(path.read_text().replace('"cat": 21', '"cat": 4021'))
    backbone = runtime.open(checkpoint, RuntimeOptions(extras={"modality": "text"}))
    with pytest.raises(CheckpointError, match="makes token 4021, but the network knows only 128"):
        backbone.encode(["the cat"])


@pytest.mark.parametrize("name", ["distilbert", "roberta", "modernbert"])
def test_segment_ids_stay_away_from_networks_without_segments(
    name, runtime, tiny_checkpoint, broken_copy
):
    checkpoint = broken_copy(tiny_checkpoint(name))
    names = ["input_ids", "token_type_ids", "attention_mask"]
    edit(checkpoint, "tokenizer_config.json", model_input_names=names)
    if name == "roberta":
        edit(checkpoint, "config.json", type_vocab_size=1)
        path = Path(checkpoint.folder) / "model.safetensors"
        tensors = load_file(path)
        key = "roberta.embeddings.token_type_embeddings.weight"
        tensors[key] = tensors[key][:1].clone()
        save_file(tensors, path, metadata={"format": "pt"})
    backbone = runtime.open(checkpoint, RuntimeOptions(extras={"modality": "text"}))
    assert np.isfinite(features(backbone, [("the cat", "a dog")])).all()
