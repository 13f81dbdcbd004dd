"""Every difference is a sentence with names, found without reading a weight."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from zoo.errors import CheckpointError
from zoo.training.mergeable import check_mergeable
from zoo.types.model import Checkpoint, ModelEntry

CONFIG = {
    "model_type": "vit",
    "architectures": ["ViTForImageClassification"],
    "hidden_act": "gelu",
    "num_attention_heads": 2,
    "id2label": {"0": "cat", "1": "dog"},
}
SHAPES = {
    "vit.one.weight": (4, 4),
    "vit.one.bias": (4,),
    "vit.two.weight": (6, 4),
    "classifier.weight": (2, 4),
    "classifier.bias": (2,),
}


@pytest.fixture
def model(tmp_path):
    def make(name, shapes=None, tokens=None, **config):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(CONFIG | config))
        weights = {
            key: np.zeros(shape, np.int64 if key.endswith("ids") else np.float32)
            for key, shape in (SHAPES | (shapes or {})).items()
            if shape is not None
        }
        save_file(weights, folder / "model.safetensors")
        if tokens:
            (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": tokens}}))
        return Checkpoint(entry=ModelEntry(ref=f"./{name}"), folder=str(folder), digest=name)

    return make


def test_equal_networks_can_be_merged_whatever_does_not_shape_them(model):
    other = model("b", transformers_version="4.1", hidden_dropout_prob=0.3, _name_or_path="x/y")
    assert check_mergeable([model("a", hidden_dropout_prob=0.1), other], None) == []


def test_only_headers_are_read(model):
    first, second = model("a"), model("b")
    for found in (first, second):
        path = Path(found.folder) / "model.safetensors"
        content = path.read_bytes()
        path.write_bytes(content[: 8 + int.from_bytes(content[:8], "little")])
    assert check_mergeable([first, second], None) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shapes": {"vit.two.weight": (7, 4)}}, ["vit.two.weight is [7, 4] in ./b and [6, 4]"]),
        ({"shapes": {"vit.two.weight": None}}, ["./b has no vit.two.weight that ./a has"]),
        (
            {"shapes": {"vit.x": (1,), "vit.y": (1,)}},
            ["./a has no vit.x and 1 more tensor that ./b has"],
        ),
        ({"num_attention_heads": 4}, ["./b has num_attention_heads = 4", "./a has 2"]),
        ({"hidden_act": "relu"}, ["hidden_act = 'relu'", "'gelu'"]),
        ({"model_type": "deit", "architectures": ["DeiT"]}, ["./b is a DeiT and ./a a ViTFor"]),
        ({"quantization_config": {"bits": 4}}, ["./b is quantised"]),
        ({"shapes": {"vit.one.bias": None, "vit.ids": (4,)}}, ["vit.one.bias", "vit.ids"]),
    ],
)
def test_differences_are_named_and_another_way_is_shown(model, changes, words):
    problems = check_mergeable([model("a"), model("b", **changes)], None)
    for each in words:
        assert any(each in problem for problem in problems)
    assert "zoo plugins list --hook zoo_amalgamators" in problems[-1]


def test_many_differences_are_shortened_and_counted(model):
    shapes = {f"vit.layer.{number}.weight": (3, 4) for number in range(12)}
    wider = dict.fromkeys(shapes, (3, 5))
    problems = check_mergeable([model("a", shapes), model("b", wider)], None)
    assert len(problems) == 5 + 1 + 1
    assert problems[5] == "7 more tensors differ in shape."


def test_three_models_are_all_compared_with_the_first(model):
    others = [model("b", {"vit.two.weight": (7, 4)}), model("c", hidden_act="relu")]
    problems = check_mergeable([model("a"), *others], None)
    assert any("./b" in each for each in problems)
    assert any("./c" in each for each in problems)


def test_other_vocabularies_are_refused(model):
    mine, its = {"cat": 0, "dog": 1}, {"cat": 1, "dog": 0}
    problems = check_mergeable([model("a", tokens=mine), model("b", tokens=its)], None)
    assert any("numbers its tokens differently" in each for each in problems)
    assert not check_mergeable([model("c", tokens=mine), model("d", tokens=mine)], None)


def test_other_label_sets_may_have_other_widths(model):
    wide = {"classifier.weight": (3, 4), "classifier.bias": (3,)}
    labels = {"0": "x", "1": "y", "2": "z"}
    assert check_mergeable([model("a"), model("b", wide, id2label=labels)], None) == []
    narrow = {"classifier.weight": (3, 5), "classifier.bias": (3,)}
    problems = check_mergeable([model("c"), model("d", narrow, id2label=labels)], None)
    assert any("classifier.weight is [3, 5] in ./d and [2, 4] in ./c" in each for each in problems)


def test_heads_that_mean_different_things_are_refused(model):
    several = model("b", problem_type="multi_label_classification")
    (problem,) = check_mergeable([model("a"), several], None)
    assert "classification and multi-label" in problem


def test_a_head_beside_an_extractor_is_refused(model):
    bare = {"classifier.weight": None, "classifier.bias": None}
    problems = check_mergeable([model("a"), model("b", bare, architectures=["ViTModel"])], None)
    assert any("ViTModel" in each for each in problems)


def test_the_base_needs_the_body_alone(model):
    bare = {"classifier.weight": None, "classifier.bias": None}
    models = [model("a"), model("b")]
    assert not check_mergeable(models, model("base", bare, architectures=["ViTModel"]))
    shorter = model("short", bare | {"vit.one.bias": None}, architectures=["ViTModel"])
    assert any("./short has no vit.one.bias" in each for each in check_mergeable(models, shorter))
    wider = model("wide", bare | {"vit.one.bias": (5,)}, architectures=["ViTModel"])
    assert any("[5] in ./wide" in each for each in check_mergeable(models, wider))


def test_one_checkpoint_is_not_enough(model):
    assert check_mergeable([model("a")], None) == ["Merging needs at least two checkpoints."]


def test_a_missing_file_is_the_checkpoints_own_failure(model, tmp_path):
    first, second = model("a"), model("b")
    (tmp_path / "b" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"\./b has no safetensors"):
        check_mergeable([first, second], None)


def test_a_header_without_shapes_is_damage(model, tmp_path):
    found = model("a")
    header = json.dumps({"w": {"dtype": "F32", "data_offsets": [0, 4]}}).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(4)
    (tmp_path / "a" / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="its header lacks 'shape'"):
        check_mergeable([found, model("b")], None)


def test_checking_imports_no_framework():
    code = "import sys, zoo.training.mergeable; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
