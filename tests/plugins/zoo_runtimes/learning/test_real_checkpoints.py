"""Real checkpoints as teachers and students; skipped where they are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from zoo.probes.decoding import decode
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo.types.training import StudentRequest

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
REQUEST = StudentRequest(labels=("a", "b", "c"), seed=1)
SENTENCES = ["A man is eating food.", "The stock market fell, to nobody's surprise."]


def checkpoint(name, modality):
    folder = DATA / "zoo" / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set ZOO_SHARED_DATA to run this test")
    entry = ModelEntry(ref=f"./{name}", modality=modality)
    return Checkpoint(entry=entry, folder=str(folder), digest=name)


def logits_of(network, samples):
    inputs = network.reader.collate([network.reader.prepare(sample) for sample in samples])
    with torch.no_grad():
        return network.observe(inputs, []).logits


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128", "mobilenet_v2_1.0_224"])
def test_a_teacher_says_what_its_backbone_says(name, runtime, images):
    model = checkpoint(name, "image")
    teacher = runtime.open_teacher(model, RuntimeOptions(), "image")
    backbone = runtime.open(model, RuntimeOptions())
    inputs = backbone.encode(runtime.prepare(model, images))
    expected = torch.from_numpy(backbone.extract(inputs, ["logits"])["logits"])
    found = logits_of(teacher, [decode(image) for image in images])
    torch.testing.assert_close(
        found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()) + 1e-5
    )


def test_a_converted_body_survives_the_training_mode(runtime, images):
    """Its statistics were folded away: dividing by those of a batch gives other features."""
    model = checkpoint("mobilenet_v1_0.25_128", "image")
    student = runtime.open_student(model, RuntimeOptions(), "image", REQUEST)
    reader, last = student.reader, student.layers[-1].tap
    inputs = reader.collate([reader.prepare(decode(image)) for image in images])
    found = []
    for training in (False, True):
        student.module.train(training)
        with torch.no_grad():
            found.append(student.observe(inputs, [last]).features[last])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("name", ["mobilenet_v2_0.35_224_backbone", "all-MiniLM-L6-v2"])
def test_a_backbone_gets_a_head_that_plain_transformers_loads(name, runtime, images, tmp_path):
    import transformers

    modality = "text" if "MiniLM" in name else "image"
    model = checkpoint(name, modality)
    student = runtime.open_student(model, RuntimeOptions(), modality, REQUEST)
    student.save(tmp_path)
    if modality == "text":
        samples = SENTENCES
        tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
        inputs = tokenizer(samples, padding=True, return_tensors="pt")
        plain = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    else:
        samples = [decode(image) for image in images]
        processor = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
        inputs = processor(samples, return_tensors="pt")
        plain = transformers.AutoModelForImageClassification.from_pretrained(tmp_path)
    with torch.no_grad():
        expected = plain.eval()(**inputs).logits
    torch.testing.assert_close(logits_of(student, samples), expected, rtol=1e-4, atol=1e-4)
    assert plain.config.id2label == {0: "a", 1: "b", 2: "c"}
