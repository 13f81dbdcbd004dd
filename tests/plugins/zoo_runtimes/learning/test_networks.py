"""Teachers and students, architecture by architecture, against plain transformers."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.hub.inspect import inspect
from zoo.sources.folder import FolderFiles
from zoo.testing.tiny_checkpoints import TINY_IMAGE, TINY_TEXT
from zoo.types.model import ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo.types.training import StudentRequest

LABELS = ("crane/bird", "crane/machine", "fish")
REQUEST = StudentRequest(labels=LABELS, seed=3)
TEXTS = ["a cat", "the dog and the bird", "it was good", "not bad"]
COMMON = {"resnet", "convnext", "mobilenet_v2", "swin", "vit", "deit", "bert", "distilbert"}
FEW = ("resnet", "vit", "bert")
OPTIONS = RuntimeOptions()


def matrix(names=(*TINY_IMAGE, *TINY_TEXT)):
    rare = pytest.mark.exhaustive
    return [pytest.param(name, marks=[rare] * (name not in COMMON)) for name in names]


def drawn(network, modality, count=4):
    """Inputs of noise, without a seed that anything else uses."""
    reader = network.reader
    if modality == "text":
        return reader.collate([reader.prepare(text) for text in TEXTS[:count]])
    return reader.collate([reader.prepare(picture) for picture in pictures(count)])


def pictures(count):
    random = np.random.default_rng(count)
    small = random.integers(0, 256, (count, 7, 9, 3), dtype=np.uint8)
    return [Image.fromarray(each).resize((80, 60), Image.Resampling.BICUBIC) for each in small]


def names(network):
    return [layer.tap for layer in network.layers]


def reshaped(state, shape, mask):
    """A hidden state of transformers, brought to a feature shape by hand."""
    if shape.grid is None:
        kept = mask.unsqueeze(-1).float()
        return (state * kept).sum(1) / kept.sum(1)
    if state.ndim == 4:
        return state if state.shape[1] == shape.width else state.permute(0, 3, 1, 2)
    height, width = shape.grid
    patches = state[:, state.shape[1] - height * width :]
    return patches.transpose(1, 2).reshape(len(state), shape.width, height, width)


@pytest.mark.parametrize("name", matrix())
def test_a_teacher_gives_hidden_states_and_logits_of_plain_transformers(
    name, runtime, tiny_checkpoint
):
    checkpoint = tiny_checkpoint(name)
    modality = checkpoint.entry.modality
    teacher = runtime.open_teacher(checkpoint, OPTIONS, modality)
    assert not teacher.module.training
    assert not any(part.requires_grad for part in teacher.module.parameters())
    inputs = drawn(teacher, modality)
    with torch.no_grad():
        observed = teacher.observe(inputs, names(teacher))
        output = teacher.module(**inputs, output_hidden_states=True)
    torch.testing.assert_close(observed.logits, output.logits)
    assert teacher.head is not None
    assert len(teacher.head.labels) == output.logits.shape[1]
    states = [state for state in output.hidden_states if state is not None]
    assert len(states) == len(teacher.layers)
    for shape, state in zip(teacher.layers, states, strict=True):
        found = observed.features[shape.tap]
        assert found.dtype == torch.float32
        assert found.shape == (4, shape.width, *(shape.grid or ()))
        expected = reshaped(state, shape, inputs.get("attention_mask"))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert runtime.layers(checkpoint, modality) == (
        tuple(teacher.layers),
        sum(part.numel() for part in teacher.module.parameters()),
    )


@pytest.mark.parametrize("name", matrix())
def test_gradients_reach_the_first_layer_of_a_student(name, runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint(name)
    modality = checkpoint.entry.modality
    student = runtime.open_student(checkpoint, OPTIONS, modality, REQUEST)
    student.module.train()
    last = student.layers[-1].tap
    observed = student.observe(drawn(student, modality), [last])
    assert observed.logits.shape == (4, len(LABELS))
    # A plain sum of squares would not do: batch norms keep it constant.
    weights = torch.rand(observed.features[last].shape, generator=torch.Generator().manual_seed(0))
    (observed.features[last] * weights).sum().backward()
    touched = {
        key
        for key, part in student.module.named_parameters()
        if part.grad is not None and bool(part.grad.any())
    }
    assert any(re.search("embed|stem|wte", key) for key in touched)
    assert not any(key.startswith(("classifier", "score")) for key in touched)


@pytest.mark.parametrize(
    ("name", "initial"),
    [
        *(pytest.param(*case.values, "pretrained", marks=case.marks) for case in matrix()),
        *(pytest.param(*case.values, "random", marks=case.marks) for case in matrix(FEW)),
    ],
)
def test_a_saved_student_is_the_same_to_plain_transformers(
    name, initial, runtime, tiny_checkpoint, tmp_path
):
    import transformers

    checkpoint = tiny_checkpoint(name, head=name != "vit")
    modality = checkpoint.entry.modality
    request = StudentRequest(labels=LABELS, seed=3, initial=initial)
    student = runtime.open_student(checkpoint, OPTIONS, modality, request)
    planned, parameters = runtime.layers(checkpoint, modality, request)
    assert tuple(student.layers) == tuple(planned)
    assert parameters == sum(part.numel() for part in student.module.parameters())
    assert student.head.labels == LABELS
    inputs = drawn(student, modality)
    student.save(tmp_path)
    auto = {
        "image": transformers.AutoModelForImageClassification,
        "text": transformers.AutoModelForSequenceClassification,
    }[modality]
    plain = auto.from_pretrained(tmp_path).eval()
    assert plain.config.label2id == {label: number for number, label in enumerate(LABELS)}
    student.module.eval()
    with torch.no_grad():
        expected = student.observe(inputs, []).logits
        torch.testing.assert_close(plain(**inputs).logits, expected, equal_nan=True)
    again = pixels_or_tokens(tmp_path, modality)
    for key, values in inputs.items():
        torch.testing.assert_close(again[key], values, rtol=1e-5, atol=1e-5)
    assert sorted(path.suffix for path in tmp_path.glob("model.*")) == [".safetensors"]
    entry = ModelEntry(ref=f"./{name}")
    seen = inspect(entry, FolderFiles(tmp_path, entry.ref)).entry
    assert (seen.labels, seen.modality) == (len(LABELS), modality)


def pixels_or_tokens(folder, modality):
    """The same inputs as :func:`drawn`, made with plain transformers."""
    import transformers

    if modality == "text":
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer(TEXTS, padding=True, return_tensors="pt")
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    return processor(pictures(4), return_tensors="pt")
