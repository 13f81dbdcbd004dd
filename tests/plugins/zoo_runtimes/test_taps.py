"""Every architecture's taps against transformers' own hidden states, pooled the naive way."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from zoo.testing.tiny_checkpoints import CLASSES, TINY_IMAGE, TINY_TEXT
from zoo.types.runtimes import RuntimeOptions

TEXTS = (
    "the cat",
    "a very good film and a dog",
    "it was not bad",
    "one two three green fish of the zoo that reads best",
    "awful plot",
    "bird",
    "blue picture word in this red zoo",
    "acting",
)
# Written down independently of the runtime, which counts them.
SPECIAL_TOKENS = {"vit": 1, "deit": 2, "beit": 1, "dinov2": 1}
DECODERS = {"gpt2", "llama", "qwen2"}


def close(actual, expected):
    scale = max(float(np.abs(expected).max()), 1e-6)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * scale)


def everything(backbone, inputs):
    return backbone.extract(backbone.encode(inputs), [tap.name for tap in backbone.taps])


def layers(found):
    return [v for k, v in found.items() if k not in {"head_input", "logits"} and ".cls" not in k]


@pytest.fixture(scope="module")
def opened(runtime, tiny_checkpoint):
    """One open backbone a name, as the module's tests come by architecture."""
    kept = {}

    def get(name, **extras):
        if name not in kept:
            kept.clear()
            options = RuntimeOptions(extras=extras)
            kept[name] = runtime.open(tiny_checkpoint(name), options)
        return kept[name]

    return get


def naive_image_features(checkpoint, images, name):
    processor = AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(checkpoint.folder).eval()
    pictures = [Image.open(io.BytesIO(image.data)).convert("RGB") for image in images]
    with torch.no_grad():
        output = model(**processor(pictures, return_tensors="pt"), output_hidden_states=True)
    pooled = []
    for state in output.hidden_states:
        if state.ndim == 4:
            pooled.append(state.mean((2, 3)).numpy())
            continue
        special = SPECIAL_TOKENS.get(name, 0)
        if name == "pvt":
            special = int(state.shape[1] == 5)
        pooled.append(state[:, special:].mean(1).numpy())
    return output.logits.numpy(), pooled


@pytest.mark.parametrize("name", TINY_IMAGE)
def test_image_taps_equal_pooled_hidden_states_of_the_fully_processed_images(
    name, opened, runtime, tiny_checkpoint, images
):
    checkpoint = tiny_checkpoint(name)
    backbone = opened(name)
    found = everything(backbone, runtime.prepare(checkpoint, images))
    logits, pooled = naive_image_features(checkpoint, images, name)
    close(found["logits"], logits)
    assert len(layers(found)) == len(pooled)
    for actual, expected in zip(layers(found), pooled, strict=True):
        close(actual, expected)
    assert [tap.name for tap in backbone.taps][-2:] == ["head_input", "logits"]
    for tap in backbone.taps:
        assert found[tap.name].shape == (len(images), tap.dimension)
        assert found[tap.name].dtype == np.float32


@pytest.mark.parametrize("name", TINY_IMAGE)
def test_image_taps_do_not_depend_on_the_batch(name, opened, runtime, tiny_checkpoint, images):
    backbone = opened(name)
    batch = backbone.encode(runtime.prepare(tiny_checkpoint(name), images))
    names = [tap.name for tap in backbone.taps]
    together = backbone.extract(batch, names)
    backwards = backbone.extract(batch[::-1], names)
    alone = [backbone.extract([one], names) for one in batch]
    for tap in names:
        close(backwards[tap][::-1], together[tap])
        close(np.concatenate([row[tap] for row in alone]), together[tap])


def test_the_head_reads_what_head_input_says(opened, runtime, tiny_checkpoint, images):
    backbone = opened("vit")
    found = everything(backbone, runtime.prepare(tiny_checkpoint("vit"), images))
    model = AutoModelForImageClassification.from_pretrained(tiny_checkpoint("vit").folder)
    with torch.no_grad():
        logits = model.classifier(torch.from_numpy(found["head_input"])).numpy()
    close(found["logits"], logits)


def test_class_tokens_are_a_tap_of_the_last_block_only(opened):
    names = [tap.name for tap in opened("deit").taps]
    assert names[:5] == ["embeddings", "block.1", "block.2", "block.3", "block.3.cls"]


def test_networks_that_change_resolution_have_stages(opened):
    names = [tap.name for tap in opened("resnet").taps]
    assert names == [
        "embeddings", "stage.1", "stage.2", "stage.3", "stage.4", "head_input", "logits",
    ]  # fmt: skip


def naive_text_features(checkpoint, texts):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint.folder).eval()
    model.config.pad_token_id = tokenizer.pad_token_id
    rows = []
    for text in texts:  # one at a time: no padding that could go wrong
        with torch.no_grad():
            inputs = tokenizer([text], return_tensors="pt")
            output = model(**inputs, output_hidden_states=True)
        rows.append([output.logits, *(state.mean(1) for state in output.hidden_states)])
    logits, *pooled = (torch.cat(column).numpy() for column in zip(*rows, strict=True))
    return logits, pooled


@pytest.mark.parametrize("name", TINY_TEXT)
def test_text_taps_equal_mean_hidden_states_of_unpadded_texts(name, opened, tiny_checkpoint):
    backbone = opened(name)
    found = everything(backbone, TEXTS)
    logits, pooled = naive_text_features(tiny_checkpoint(name), TEXTS)
    close(found["logits"], logits)
    assert list(found) == ["embeddings", "block.1", "block.2", "block.3", "head_input", "logits"]
    for actual, expected in zip(layers(found), pooled, strict=True):
        close(actual, expected)
    assert found["logits"].shape == (len(TEXTS), CLASSES)
    assert all(values.dtype == np.float32 for values in found.values())


@pytest.mark.parametrize("name", TINY_TEXT)
def test_text_taps_do_not_depend_on_the_batch(name, opened):
    backbone = opened(name)
    batch, names = backbone.encode(TEXTS), [tap.name for tap in backbone.taps]
    together = backbone.extract(batch, names)
    backwards = backbone.extract(batch[::-1], names)
    for row, one in enumerate(batch):
        alone = backbone.extract([one], names)
        for tap in names:
            close(alone[tap][0], together[tap][row])
            close(backwards[tap][len(TEXTS) - 1 - row], together[tap][row])


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_a_decoder_is_read_at_the_last_token_of_each_text(name, runtime, tiny_checkpoint):
    backbone = runtime.open(tiny_checkpoint(name, head=False), RuntimeOptions())
    found = everything(backbone, TEXTS)["head_input"]
    model = AutoModel.from_pretrained(tiny_checkpoint(name, head=False).folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint(name).folder)
    with torch.no_grad():
        expected = [
            model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0, -1].numpy()
            for text in TEXTS
        ]
    close(found, np.stack(expected))
    assert "logits" not in [tap.name for tap in backbone.taps]


@pytest.mark.parametrize("name", ["bert", "roberta", "t5"])
def test_an_encoder_without_a_head_is_read_as_the_mean_of_its_tokens(
    name, runtime, tiny_checkpoint
):
    backbone = runtime.open(tiny_checkpoint(name, head=False), RuntimeOptions())
    found = everything(backbone, TEXTS)
    last = next(tap for tap in reversed(list(found)) if tap.startswith("block"))
    close(found["head_input"], found[last])


@pytest.mark.parametrize("name", ["resnet", "mobilenet_v2", "swin", "dinov2", "segformer"])
def test_an_image_network_without_a_head_gives_its_own_pooled_output(
    name, runtime, tiny_checkpoint, images
):
    checkpoint = tiny_checkpoint(name, head=False)
    backbone = runtime.open(checkpoint, RuntimeOptions())
    found = everything(backbone, runtime.prepare(checkpoint, images))["head_input"]
    processor = AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
    model = AutoModel.from_pretrained(checkpoint.folder).eval()
    pictures = [Image.open(io.BytesIO(image.data)) for image in images]
    with torch.no_grad():
        output = model(**processor(pictures, return_tensors="pt"))
    pooled = getattr(output, "pooler_output", None)
    expected = output.last_hidden_state.mean((2, 3)) if pooled is None else pooled.flatten(1)
    close(found, expected.numpy())


@pytest.mark.parametrize("name", ["clip", "siglip"])
@pytest.mark.parametrize("modality", ["image", "text"])
def test_a_model_of_two_towers_opens_the_one_of_the_modality(
    name, modality, runtime, tiny_checkpoint, images
):
    checkpoint = tiny_checkpoint(name)
    backbone = runtime.open(checkpoint, RuntimeOptions(extras={"modality": modality}))
    inputs = runtime.prepare(checkpoint, images) if modality == "image" else TEXTS
    found = everything(backbone, inputs)
    model = AutoModel.from_pretrained(checkpoint.folder).eval()
    with torch.no_grad():
        if modality == "image":
            processor = AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
            pictures = [Image.open(io.BytesIO(image.data)) for image in images]
            features = model.get_image_features(**processor(pictures, return_tensors="pt"))
        else:
            tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
            tokens = tokenizer(list(TEXTS), padding=True, return_tensors="pt")
            tokens.pop("token_type_ids", None)
            features = model.get_text_features(**tokens)
    whole = features if isinstance(features, torch.Tensor) else features.pooler_output
    if "projection" in found:
        close(found["projection"], whole.numpy())
    assert ("projection" in found) == (name == "clip")
    assert backbone.default_tap == "head_input"
