"""Real checkpoints and images against plain transformers; skipped where they are not there."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.errors import CheckpointError
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.probe import ImageInput
from zoo.types.runtimes import RuntimeOptions

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
IMAGE_MODELS = (
    "mobilenet_v1_0.25_128",
    "mobilenet_v1_0.25_224",
    "mobilenet_v1_0.5_160",
    "mobilenet_v1_0.75_192",
    "mobilenet_v1_1.0_224",
    "mobilenet_v2_0.35_224_backbone",
    "mobilenet_v2_1.0_224",
    "mobilenet_v2_1.0_224_inat_bird",
    "deeplabv3_mobilenet_v2_1.0_513",
)
# Other widths of what is compared in every run.
ALIKE = {
    "mobilenet_v1_0.25_224",
    "mobilenet_v1_0.5_160",
    "mobilenet_v1_0.75_192",
    "mobilenet_v2_1.0_224_inat_bird",
}
SENTENCES = [
    "A man is eating food.",
    "Someone has a meal, and enjoys it a great deal more than anybody expected.",
    "The stock market fell.",
]


def checkpoint(name, modality):
    folder = DATA / "zoo" / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set ZOO_SHARED_DATA to run this test")
    entry = ModelEntry(ref=f"./{name}", modality=modality)
    return Checkpoint(entry=entry, folder=str(folder), digest=name)


@pytest.fixture(scope="module")
def flowers():
    shards = sorted(DATA.glob("images/flowers5/data/train-*.parquet"))
    if not shards:
        pytest.skip(f"no images in {DATA}; set ZOO_SHARED_DATA to run this test")
    import pyarrow.parquet as pq

    cells = pq.read_table(shards[0], columns=["image"]).slice(0, 3)["image"].to_pylist()
    return [ImageInput(name=f"row {row}", data=cell["bytes"]) for row, cell in enumerate(cells)]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.exhaustive] * (name in ALIKE)) for name in IMAGE_MODELS],
)
def test_real_image_checkpoints_equal_plain_transformers(name, runtime, flowers):
    from transformers import AutoImageProcessor, AutoModel, AutoModelForImageClassification

    model = checkpoint(name, "image")
    backbone = runtime.open(model, RuntimeOptions())
    names = [tap.name for tap in backbone.taps]
    found = backbone.extract(backbone.encode(runtime.prepare(model, flowers)), names)
    headless = "backbone" in name or "deeplab" in name
    auto = AutoModel if headless else AutoModelForImageClassification
    plain = auto.from_pretrained(model.folder).eval()
    processor = AutoImageProcessor.from_pretrained(model.folder, backend="pil")
    pictures = [Image.open(io.BytesIO(image.data)).convert("RGB") for image in flowers]
    with torch.no_grad():
        pixels = processor(pictures, return_tensors="pt")
        output = plain(**pixels, output_hidden_states=True)
    pairs = [(found["head_input"], output.pooler_output)] if headless else []
    pairs += [] if headless else [(found["logits"], output.logits)]
    stages = [found[name] for name in names if name.startswith("stage")]
    pairs += zip(stages, (s.mean((2, 3)) for s in output.hidden_states), strict=True)
    for actual, expected in pairs:
        scale = float(expected.abs().max())
        np.testing.assert_allclose(actual, expected.numpy(), rtol=0, atol=1e-4 * scale)


def test_equally_resized_real_checkpoints_share_their_preparation(runtime):
    same = [name for name in IMAGE_MODELS if "224" in name]
    keys = {runtime.input_key(checkpoint(name, "image"), "image") for name in same}
    assert len(keys) == 1


def test_the_sentence_encoder_is_the_mean_over_tokens(runtime):
    from transformers import AutoModel, AutoTokenizer

    model = checkpoint("all-MiniLM-L6-v2", "text")
    backbone = runtime.open(model, RuntimeOptions())
    found = backbone.extract(backbone.encode(SENTENCES), ["head_input", "block.6"])
    plain = AutoModel.from_pretrained(model.folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(model.folder)
    with torch.no_grad():
        expected = torch.cat(
            [
                plain(**tokenizer([t], return_tensors="pt")).last_hidden_state.mean(1)
                for t in SENTENCES
            ]
        ).numpy()
    np.testing.assert_allclose(found["head_input"], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found["block.6"], expected, rtol=0, atol=1e-5)
    unit = found["head_input"] / np.linalg.norm(found["head_input"], axis=1, keepdims=True)
    similar, other = unit[0] @ unit[1], unit[0] @ unit[2]
    assert similar > other + 0.2


def test_the_sentence_encoders_own_limit_is_256_tokens(runtime):
    backbone = runtime.open(checkpoint("all-MiniLM-L6-v2", "text"), RuntimeOptions())
    (one,) = backbone.encode(["word " * 1000])
    assert one.cost == 256


def test_the_audio_network_is_not_fed_images(runtime):
    with pytest.raises(CheckpointError, match="1-channel"):
        runtime.input_key(checkpoint("yamnet_mobilenet_v1_audio", "image"), "image")
