"""What is settled, and refused, before a weight is read."""

from __future__ import annotations

import json
import shutil

import pytest
import transformers

from zoo.errors import CheckpointError, InputError, UnknownNameError
from zoo.types.growing import Deepen, Widen

TWICE = Widen(width="2x")


@pytest.fixture(autouse=True)
def _no_weight_is_read(monkeypatch):
    def never(*_, **__):
        raise AssertionError("a weight was read")

    monkeypatch.setattr("zoo_runtimes.torch_runtime.TorchRuntime.open_whole", never)
    monkeypatch.setattr("zoo.sources.folder.FolderSource.fetch", never)


@pytest.fixture
def config(tmp_path):
    """Write a larger configuration."""

    def write(text=None, **fields):
        path = tmp_path / "larger.json"
        path.write_text(json.dumps(fields) if text is None else text)
        return str(path)

    return write


@pytest.fixture
def refused(prepare):
    """Give what is said of a growth that cannot be: a sentence, and what to type."""

    def said(*arguments, kind=InputError, **asked):
        with pytest.raises(kind) as caught:
            prepare(*arguments, **asked)
        assert "\n" not in caught.value.message
        assert caught.value.message.endswith((".", "?"))
        return caught.value.message, caught.value.hint

    return said


@pytest.fixture
def tied(tiny, tmp_path):
    """A language model whose head is the table of its words."""
    sizes = {"vocab_size": 64, "n_embd": 16, "n_layer": 1, "n_head": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **ends)).save_pretrained(
        tmp_path / "tied"
    )
    for path in tiny("gpt2").glob("tokenizer*"):
        shutil.copy(path, tmp_path / "tied")
    return tmp_path / "tied"


def test_a_growth_is_settled_from_the_configuration_alone(prepare, tiny):
    prepared = prepare(tiny("vit"), TWICE, Deepen(depth="+1"), seed=3)
    plan = prepared.plan
    assert (plan.family, plan.method, plan.seed, plan.exact) == ("vit", "net2net", 3, True)
    assert {step.what: (step.old, step.new) for step in plan.steps} == {
        "hidden": (32, 64),
        "heads of 4 layers": (4, 8),
        "mlp of 4 layers": (48, 96),
        "layers of vit.layers": (3, 4),
    }
    assert plan.before.parameters < plan.after.parameters
    assert prepared.drawing.config.num_hidden_layers == 4
    assert prepared.samples == []


def test_sizes_follow_one_another(prepare, tiny):
    prepared = prepare(tiny("vit"), Widen(mlp=64), Widen(mlp="+16"), Deepen(), Deepen())
    assert prepared.drawing.config.intermediate_size == 80
    assert prepared.drawing.config.num_hidden_layers == 5


def test_a_larger_configuration_is_a_file_or_a_folder_and_need_not_say_everything(
    prepare, tiny, config, tmp_path
):
    path = config(hidden_size=64, num_labels=9, dtype="float16", id2label={"0": "a"})
    read = prepare(tiny("vit"), target=path).drawing.config
    assert (read.hidden_size, read.intermediate_size, read.num_labels) == (64, 48, 5)
    (tmp_path / "config.json").write_text(json.dumps({"num_hidden_layers": 5}))
    assert prepare(tiny("vit"), target=str(tmp_path)).drawing.config.num_hidden_layers == 5


def test_the_epsilon_of_a_larger_configuration_is_the_one_that_keeps_the_function(
    prepare, tiny, config
):
    """One that was grown before has it, and it must not be scaled again."""
    once = prepare(tiny("vit"), Widen(hidden="+4", heads="+0")).drawing.config
    path = config(hidden_size=once.hidden_size, layer_norm_eps=once.layer_norm_eps)
    again = prepare(tiny("vit"), target=path).drawing.config
    assert again.layer_norm_eps == once.layer_norm_eps != 1e-12


def test_what_a_larger_configuration_names_in_vain_is_said(prepare, tiny, config):
    path = config(hidden_size=64, hidden_sizee=3, b=1, c=1, d=1, _private=1)
    (note,) = prepare(tiny("vit"), target=path).plan.notes
    assert note == f"{path!r} names what a vit does not have: b, c, d and 1 more."


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hidden_size": "big"}, "hidden_size cannot be 'big'"),
        ({"hidden_size": None}, "hidden_size cannot be None"),
        ({"num_hidden_layers": [1]}, "num_hidden_layers cannot be [1]"),
        ({"hidden_size": 16}, "hidden_size would shrink from 32 to 16"),
        ({"num_attention_heads": 0}, "num_attention_heads would shrink from 4 to 0"),
        ({"image_size": 128}, "image_size would become 128 and is 64"),
        ({"hidden_act": "relu"}, "hidden_act would become 'relu' and is 'gelu'"),
        ({"model_type": "resnet"}, "a vit cannot grow into a resnet"),
        ({"to_dict": 3, "": 1, "use_return_dict": True}, "would stay as it is"),
        ({}, "would stay as it is"),
    ],
    ids=str,
)
def test_larger_configurations_that_cannot_be(refused, tiny, config, fields, words):
    message, hint = refused(tiny("vit"), target=config(**fields))
    assert words in message
    assert hint


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "cannot be read"), ("[1]", "holds no configuration"), (None, "cannot be read")],
)
def test_a_larger_configuration_that_is_none(refused, tiny, config, tmp_path, text, words):
    message, hint = refused(tiny("vit"), target=config(text) if text else str(tmp_path))
    assert words in message
    assert "--to" in hint


def test_what_a_library_says_of_sizes_is_one_sentence(refused, tiny, config):
    message, hint = refused(
        tiny("bert"), target=config(hidden_size=66), allow_inexact=True, method="fpi"
    )
    assert "cannot grow like this (ValueError: The hidden size (66) is not a multiple" in message
    assert "Other sizes" in hint


def test_weights_that_are_tied_do_not_grow_apart(refused, tied, config):
    path = config(tie_word_embeddings=False, n_embd=32, n_head=4)
    message, hint = refused(tied, target=path)
    assert message.startswith("tie_word_embeddings would become False and is True")
    assert "zoo distill" in hint


def test_layers_behind_an_activation_that_changes_what_passes_twice(refused, tmp_path):
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "hidden_act": "gelu"}
    made = transformers.ResNetConfig(**sizes, layer_type="basic")
    transformers.ResNetForImageClassification(made).save_pretrained(tmp_path / "gelu")
    message, hint = refused(tmp_path / "gelu", Deepen(depth="+1"))
    assert "would no longer compute the same function" in message
    assert "gelu follows every block" in message
    assert "(and 1 more)" in message
    assert "--allow-inexact" in hint


def test_what_would_not_be_exact_is_refused_with_the_reason(refused, prepare, tiny):
    message, hint = refused(tiny("bert"), Widen(width="1.5x"))
    assert "only multiples of 32 keep the function" in message
    assert "zoo grow --allow-inexact" in hint
    plan = prepare(tiny("bert"), Widen(width="1.5x"), allow_inexact=True).plan
    assert not plan.exact
    assert [step.what for step in plan.steps if not step.exact] == ["hidden"]


def test_a_method_that_keeps_no_function_is_refused(refused, prepare, tiny):
    message, _ = refused(tiny("vit"), TWICE, method="stack")
    assert "stack does not keep it" in message
    assert not prepare(tiny("vit"), TWICE, method="stack", allow_inexact=True).plan.exact


@pytest.mark.parametrize(
    ("model", "step", "words", "hint"),
    [
        ("vit", Widen(width="1.3x"), "4 attention heads is 5.2", "1.25x (5 heads) or 1.5x"),
        ("vit", Widen(hidden=50), "50 is no multiple of 4", "48 or 52"),
        ("vit", Widen(hidden=16), "would shrink from 32 to 16", "zoo distill"),
        ("vit", Deepen(depth=2), "would shrink from 3 to 2", "zoo distill"),
        ("vit", Deepen(depth="4,5"), "'4,5' is no size", "Say"),
        ("vit", Widen(width="wide"), "'wide' is no factor", "1.5x"),
        ("vit", Widen(kv_heads=8), "keys of its own", "--heads"),
        ("llama", Widen(width="1.25x"), "in groups of 2", "1.5x (6 heads)"),
        ("llama", Widen(kv_heads=3), "4 is no multiple of 3", "6"),
        ("resnet", Widen(heads="2x"), "no size of its own called heads", "--width"),
        ("resnet", Deepen(depth="1,2"), "names 2 stages, and there are 4", "one number a stage"),
        ("mobilenet_v2", Deepen(), "no field for more", "--width"),
        ("resnet", Widen(width="0.5x"), "narrower", "zoo distill"),
        ("vit", Widen(width="1x"), "would stay as it is", "--width 2x"),
        ("beit", TWICE, "how to grow the architecture 'beit'", "hook zoo_families"),
    ],
    ids=str,
)
def test_sizes_that_cannot_be(refused, tiny, model, step, words, hint):
    message, told = refused(tiny(model), step)
    assert words in message
    assert hint in told


def test_an_unknown_architecture_is_told_what_is_known(refused, tiny):
    _, hint = refused(tiny("beit"), TWICE)
    assert all(kind in hint for kind in ("bert", "llama", "resnet", "vit"))


def test_nothing_to_grow_or_too_much(refused, tiny, config):
    assert "nothing is to grow" in refused(tiny("vit"))[0]
    both = refused(tiny("vit"), TWICE, target=config(hidden_size=64))
    assert both == ("--to says everything, and sizes say it, too.", "Give one of the two.")


def test_methods_and_options_that_there_are_not(refused, tiny):
    message, _ = refused(tiny("vit"), TWICE, method="net2nett", kind=UnknownNameError)
    assert "Did you mean 'net2net'?" in message
    message, _ = refused(tiny("vit"), TWICE, options={"nois": 3})
    assert "'net2net' has no option 'nois'" in message
    message, hint = refused(tiny("vit"), TWICE, method="ligo")
    assert (message, hint) == ("ligo learns from data, and there is none.", "--data DATA")


def test_data_is_read_before_any_weight(refused, prepare, tiny, tmp_path):
    message, _ = refused(tiny("bert"), TWICE, data="absent.csv")
    assert "absent.csv" in message
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(f"the film {number}" for number in range(100)))
    assert len(prepare(tiny("bert"), TWICE, data=str(lines)).samples) == 25
    message, _ = refused(tiny("vit"), TWICE, data=str(lines))
    assert "cannot read the image" in message


def test_a_checkpoint_of_another_library(refused, tmp_path, tiny):
    timm = tmp_path / "timm"
    timm.mkdir()
    shape = {"architecture": "resnet18", "num_classes": 5, "pretrained_cfg": {}}
    (timm / "config.json").write_text(json.dumps(shape))
    (timm / "model.safetensors").write_bytes((tiny("resnet") / "model.safetensors").read_bytes())
    message, hint = refused(timm, TWICE, kind=(InputError, CheckpointError))
    assert "timm" in message
    assert hint


def test_a_place_where_nothing_can_be(refused, tiny, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    message, _ = refused(tiny("vit"), TWICE, folder=tmp_path / "full")
    assert message.endswith("is not empty: it holds thesis.txt.")
