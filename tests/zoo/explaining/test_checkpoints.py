"""What the files of a checkpoint say: classes, card, classifier."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from zoo.errors import NotApplicable
from zoo.explaining.checkpoints import card_of, classifier_of, label_space
from zoo.types import Checkpoint, ModelEntry

NAMES = ("cat", "dog", "newt")


@pytest.fixture
def checkpoint(tmp_path):
    """Make a checkpoint of a config and tensors by name."""

    def make(names=NAMES, file="model.safetensors", **tensors):
        if names is not None:
            (tmp_path / "config.json").write_text(json.dumps({"id2label": names}))
        if tensors:
            save_file(
                {name.replace("__", "."): each for name, each in tensors.items()}, tmp_path / file
            )
        entry = ModelEntry(ref="./net", files={file: "0f" * 32})
        return Checkpoint(entry=entry, folder=str(tmp_path), digest="d")

    return make


def matrix(rows=3, columns=2, kind=np.float32):
    return np.arange(rows * columns, dtype=kind).reshape(rows, columns)


@pytest.mark.parametrize(
    "names", [NAMES, dict(enumerate(NAMES)), {"2": "newt", "0": "cat", "1": "dog"}]
)
def test_classes_are_read_in_the_order_of_their_ids(checkpoint, names, tmp_path):
    space = label_space(checkpoint(names))
    assert (space.name, space.labels, space.source) == ("./net", NAMES, "./net/config.json")
    assert space.sha256 == hashlib.sha256((tmp_path / "config.json").read_bytes()).hexdigest()


def test_ids_are_ordered_as_numbers(checkpoint):
    names = {str(each): f"class {each}" for each in sorted(range(12), key=str)}
    assert label_space(checkpoint(names)).labels[9:] == ("class 9", "class 10", "class 11")


@pytest.mark.parametrize("names", [None, {}, [], "cat", 3, {"a": "cat"}])
def test_a_checkpoint_that_names_no_classes_has_no_space(checkpoint, names):
    made = checkpoint(names)
    assert label_space(made) is None
    with pytest.raises(NotApplicable, match=r"\./net names no classes of its own"):
        classifier_of(made)


@pytest.mark.parametrize("content", [b"{", b"[1]", b"null", b"\xff\xfe", b""])
def test_a_broken_config_names_no_classes(checkpoint, tmp_path, content):
    made = checkpoint()
    (tmp_path / "config.json").write_bytes(content)
    assert label_space(made) is None


def test_a_card_is_read_as_far_as_it_goes(checkpoint, tmp_path):
    made = checkpoint()
    assert card_of(made) == {}
    (tmp_path / "README.md").write_bytes(b"---\nlicense: mit\ntags: [a, \xff]\n---\nwords\n")
    assert card_of(made)["license"] == "mit"
    (tmp_path / "README.md").write_text("---\nlicense: [\n---\n")
    assert card_of(made) == {}


def test_the_one_matrix_with_a_row_a_class_is_the_classifier(checkpoint):
    made = checkpoint(
        head__weight=matrix(), head__bias=np.ones(3, np.float32), stem__weight=matrix(4)
    )
    found = classifier_of(made)
    np.testing.assert_array_equal(found.weight, matrix())
    np.testing.assert_array_equal(found.bias, np.ones(3))
    assert found.weight.dtype == np.float32
    assert found.space.labels == NAMES
    assert (found.source, found.sha256) == ("./net/model.safetensors#head.weight", "0f" * 32)


def test_a_convolution_over_single_pixels_is_a_matrix(checkpoint):
    pixels = matrix(3, 5).reshape(3, 5, 1, 1)
    found = classifier_of(checkpoint(last__weight=pixels, wide__weight=np.ones((3, 2, 3, 3))))
    np.testing.assert_array_equal(found.weight, matrix(3, 5))
    assert found.bias is None


def test_a_bias_of_another_length_is_none_of_its_own(checkpoint):
    assert classifier_of(checkpoint(head__weight=matrix(), head__bias=np.ones(2))).bias is None


@pytest.mark.parametrize("usual", ["classifier", "model.head", "fc", "classifier.1", "score"])
def test_of_several_the_one_of_a_usual_name_is_taken(checkpoint, usual):
    names = {f"{usual}.weight": matrix() + 1, "squeeze.reduce.weight": matrix()}
    found = classifier_of(checkpoint(**{each.replace(".", "__"): m for each, m in names.items()}))
    assert found.source.endswith(f"#{usual}.weight")
    np.testing.assert_array_equal(found.weight, matrix() + 1)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"stem.weight": matrix(4)}, "no matrix with a row for each of its 3 classes"),
        ({"head.weight": np.ones(3)}, "no matrix"),
        ({"head.kernel": matrix()}, "no matrix"),
        ({}, "no matrix"),
        ({"a.weight": matrix(), "b.weight": matrix()}, "several matrices with a row for each"),
        ({"fc.weight": matrix(), "head.weight": matrix()}, "several matrices"),
    ],
)
def test_without_exactly_one_such_matrix_there_is_no_classifier(checkpoint, tensors, words):
    made = checkpoint(**{each.replace(".", "__"): m for each, m in tensors.items()})
    with pytest.raises(NotApplicable, match=words):
        classifier_of(made)


def test_the_matrix_may_be_in_any_part_of_the_weights(checkpoint):
    checkpoint(file="model-00001-of-00002.safetensors", stem__weight=matrix(4))
    made = checkpoint(file="model-00002-of-00002.safetensors", head__weight=matrix())
    assert classifier_of(made).source == "./net/model-00002-of-00002.safetensors#head.weight"


def test_half_precision_is_widened(checkpoint):
    found = classifier_of(checkpoint(head__weight=matrix(kind=np.float16)))
    assert found.weight.dtype == np.float32
    np.testing.assert_array_equal(found.weight, matrix())


def test_bfloat16_is_read_as_well(checkpoint, tmp_path):
    made = checkpoint()
    header = json.dumps(
        {"head.weight": {"dtype": "BF16", "shape": [3, 1], "data_offsets": [0, 6]}}
    ).encode()
    values = (np.array([1.0, -2.0, 0.5], np.float32).view(np.uint32) >> 16).astype("<u2")
    content = len(header).to_bytes(8, "little") + header + values.tobytes()
    (tmp_path / "model.safetensors").write_bytes(content)
    np.testing.assert_array_equal(classifier_of(made).weight, [[1.0], [-2.0], [0.5]])


def test_damaged_weights_are_one_sentence(checkpoint, tmp_path):
    made = checkpoint()
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(NotApplicable, match=r"model\.safetensors of \./net cannot be read"):
        classifier_of(made)
